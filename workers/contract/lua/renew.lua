-- A worker that still computes says so.
--
-- KEYS  1 image
-- ARGV  1 place  2 lease_until_ms
local state, runner = unpack(redis.call('HMGET', KEYS[1], 'state', 'runner'))
if state == 'running' and runner == ARGV[1] then
  redis.call('HSET', KEYS[1], 'lease_until', ARGV[2])
end
