-- A worker that still computes says so.
--
-- ARGV  4 request  5 ticket
local entry = redis.call('GET', ARGV[4])
local state, runner = unpack(redis.call('HMGET', entry or '', 'state', 'runner'))
if state == 'running' and runner == ARGV[5] then
  even_when_full()
  redis.call('HSET', entry, 'lease_until', now + lease_ms)
end
