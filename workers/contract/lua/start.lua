-- A worker asks whether the message in its hands is still to be executed, and by it.
--
-- KEYS  1 image  2 line  3 counts  4 queue  5 workers
-- ARGV  1 now_ms  2 place  3 lease_ms  4 pick-up, unique to this question
--       5 the earliest moment at which an answer could be there (ms)
--
-- Returns {permission, waiting, workers, answer_by_ms}. The permission is run, finished, running
-- (by another worker), late (others wait who can still be on time), dropped (nobody can want it),
-- or gone.
local now, place = tonumber(ARGV[1]), tonumber(ARGV[2])
local line = redis.call('HMGET', KEYS[2], 'given', 'started')
-- A place that was never given is from before Redis lost its data: it says nothing of this queue.
if place <= tonumber(line[1] or 0) and place > tonumber(line[2] or 0) then
  redis.call('HSET', KEYS[2], 'started', place)
end

local fingerprint, result, state, lease_until, answer_by, drop_after, pick_up = unpack(
  redis.call('HMGET', KEYS[1], 'fingerprint', 'result', 'state', 'lease_until', 'answer_by',
    'drop_after', 'pick_up'))
if not fingerprint then
  return {'gone'}
end
if result then
  return {'finished'}
end
-- The same question again: the connection broke before the worker heard the answer.
local again = state == 'running' and pick_up == ARGV[4]
if state == 'running' and tonumber(lease_until) > now and not again then
  return {'running'}
end
if tonumber(drop_after) < now then
  redis.call('DEL', KEYS[1])
  redis.call('HINCRBY', KEYS[3], 'dropped', 1)
  return {'dropped'}
end

local waiting = redis.call('LLEN', KEYS[4])
if waiting > 0 and tonumber(answer_by) < tonumber(ARGV[5]) and not again then
  -- Nobody is at it: a re-send takes it over, with a clock of its own.
  redis.call('HSET', KEYS[1], 'state', 'late', 'lease_until', 0)
  redis.call('HINCRBY', KEYS[3], 'late', 1)
  return {'late'}
end

redis.call('HSET', KEYS[1], 'state', 'running', 'runner', place, 'pick_up', ARGV[4],
  'lease_until', now + tonumber(ARGV[3]))
if not again then
  redis.call('HINCRBY', KEYS[1], 'attempts', 1)
  redis.call('HINCRBY', KEYS[3], 'executions', 1)
end
local workers = redis.call('ZCOUNT', KEYS[5], now - tonumber(ARGV[3]), '+inf')
return {'run', waiting, workers, tonumber(answer_by)}
