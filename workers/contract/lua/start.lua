-- A worker asks whether the message in its hands is still to be executed, and by it.
--
-- KEYS  1 entry  2 line  3 counts
-- ARGV  1 now_ms  2 fingerprint  3 place  4 lease_ms
--
-- Returns run, finished, running (by another worker), dropped (nobody can want it), or gone.
local now, place = tonumber(ARGV[1]), tonumber(ARGV[3])
if place > tonumber(redis.call('HGET', KEYS[2], 'started') or 0) then
  redis.call('HSET', KEYS[2], 'started', place)
end

local entry = redis.call('HMGET', KEYS[1], 'fingerprint', 'result', 'state', 'lease_until',
  'drop_after')
if entry[1] ~= ARGV[2] then
  return 'gone'
end
if entry[2] then
  return 'finished'
end
if entry[3] == 'running' and tonumber(entry[4]) > now then
  return 'running'
end
if tonumber(entry[5]) < now then
  redis.call('DEL', KEYS[1])
  redis.call('HINCRBY', KEYS[3], 'dropped', 1)
  return 'dropped'
end

redis.call('HSET', KEYS[1],
  'state', 'running', 'runner', place, 'lease_until', now + tonumber(ARGV[4]))
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HINCRBY', KEYS[3], 'executions', 1)
return 'run'
