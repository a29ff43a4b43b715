-- Stores a result and wakes the fronts that wait for it. The first result of an image stands, but
-- one of fewer members asks for one of all, which then takes its place.
--
-- KEYS  1 image  2 completed  3 counts  4 queue of completions
-- ARGV  1 now_ms  2 result  3 keep_for_ms, 0 to forget at once  4 place
--       5 message that asks for the whole answer, empty when this one is  6 most such messages
local keep_for_ms, whole = tonumber(ARGV[3]), ARGV[5] == ''
local fingerprint, result, partial, fronts, state, runner = unpack(redis.call('HMGET',
  KEYS[1], 'fingerprint', 'result', 'partial', 'fronts', 'state', 'runner'))

local function keep()
  redis.call('HSET', KEYS[1], 'fingerprint', fingerprint, 'result', ARGV[2])
  if not whole then
    redis.call('HSET', KEYS[1], 'partial', 1)
  end
  redis.call('PEXPIRE', KEYS[1], keep_for_ms)
end

if fingerprint and result then
  if partial and whole and keep_for_ms > 0 then
    redis.call('HDEL', KEYS[1], 'partial')
    redis.call('HINCRBY', KEYS[3], 'completions', 1)
    keep()
  end
-- A failure ends a request only for the worker that holds it: another one may yet succeed.
elseif fingerprint and (keep_for_ms > 0 or (state == 'running' and runner == ARGV[4])) then
  -- Frees memory first: after that Redis permits the rest even when it is full.
  redis.call('DEL', KEYS[1])
  if keep_for_ms > 0 then
    keep()
  end
  for front in string.gmatch(fronts, '%S+') do
    redis.call('PUBLISH', front, KEYS[1] .. '\n' .. ARGV[2])
  end
end

if not whole and fingerprint and (partial or not result) then
  redis.call('LPUSH', KEYS[4], ARGV[5])
  redis.call('LTRIM', KEYS[4], 0, ARGV[6] - 1)
end

-- A failure does not prove that the worker can serve.
if keep_for_ms > 0 then
  redis.call('SET', KEYS[2], ARGV[1])
end
