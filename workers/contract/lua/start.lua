-- A worker asks whether the message in its hands is still to be executed, and by it.
--
-- KEYS  1 entry  2 line  3 counts
-- ARGV  1 now_ms  2 fingerprint  3 place  4 lease_ms  5 pick-up, unique to this question
--
-- Returns run, finished, running (by another worker), dropped (nobody can want it), or gone.
local now, place = tonumber(ARGV[1]), tonumber(ARGV[3])
local line = redis.call('HMGET', KEYS[2], 'given', 'started')
-- A place that was never given is from before Redis lost its data: it says nothing of this queue.
if place <= tonumber(line[1] or 0) and place > tonumber(line[2] or 0) then
  redis.call('HSET', KEYS[2], 'started', place)
end

local fingerprint, result, state, lease_until, drop_after, pick_up = unpack(redis.call('HMGET',
  KEYS[1], 'fingerprint', 'result', 'state', 'lease_until', 'drop_after', 'pick_up'))
if fingerprint ~= ARGV[2] then
  return 'gone'
end
if result then
  return 'finished'
end
if state == 'running' and tonumber(lease_until) > now then
  -- The same question again: the connection broke before the worker heard the answer.
  return pick_up == ARGV[5] and 'run' or 'running'
end
if tonumber(drop_after) < now then
  redis.call('DEL', KEYS[1])
  redis.call('HINCRBY', KEYS[3], 'dropped', 1)
  return 'dropped'
end

redis.call('HSET', KEYS[1], 'state', 'running', 'runner', place, 'pick_up', ARGV[5],
  'lease_until', now + tonumber(ARGV[4]))
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HINCRBY', KEYS[3], 'executions', 1)
return 'run'
