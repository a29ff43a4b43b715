-- Stores a result and wakes the fronts that wait for it. The first result of an image stands.
--
-- KEYS  1 entry  2 completed
-- ARGV  1 now_ms  2 fingerprint  3 result  4 keep_for_ms, 0 to forget at once  5 uuid
redis.call('SET', KEYS[2], ARGV[1])

local entry = redis.call('HMGET', KEYS[1], 'fingerprint', 'result', 'fronts')
if entry[1] ~= ARGV[2] or entry[2] then
  return
end

redis.call('DEL', KEYS[1])
if tonumber(ARGV[4]) > 0 then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[2], 'result', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
for front in string.gmatch(entry[3], '%S+') do
  redis.call('PUBLISH', front, ARGV[5] .. '\n' .. ARGV[3])
end
