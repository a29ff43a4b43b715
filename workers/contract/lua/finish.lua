-- Stores a result and wakes the fronts that wait for it. The first result of an image stands.
--
-- KEYS  1 entry  2 completed
-- ARGV  1 now_ms  2 fingerprint  3 result  4 keep_for_ms, 0 to forget at once  5 uuid  6 place
local keep_for_ms = tonumber(ARGV[4])
local fingerprint, result, fronts, state, runner = unpack(redis.call('HMGET',
  KEYS[1], 'fingerprint', 'result', 'fronts', 'state', 'runner'))
local open = fingerprint == ARGV[2] and not result

-- A failure ends a request only for the worker that holds it: another one may yet succeed.
if open and (keep_for_ms > 0 or (state == 'running' and runner == ARGV[6])) then
  -- Frees memory first: after that Redis permits the rest even when it is full.
  redis.call('DEL', KEYS[1])
  if keep_for_ms > 0 then
    redis.call('HSET', KEYS[1], 'fingerprint', ARGV[2], 'result', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], keep_for_ms)
  end
  for front in string.gmatch(fronts, '%S+') do
    redis.call('PUBLISH', front, ARGV[2] .. ARGV[5] .. '\n' .. ARGV[3])
  end
end

-- A failure does not prove that the worker can serve.
if keep_for_ms > 0 then
  redis.call('SET', KEYS[2], ARGV[1])
end
