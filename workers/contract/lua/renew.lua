-- A worker that still computes says so.
--
-- KEYS  1 entry
-- ARGV  1 place  2 lease_until_ms
local entry = redis.call('HMGET', KEYS[1], 'state', 'runner')
if entry[1] == 'running' and entry[2] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'lease_until', ARGV[2])
end
