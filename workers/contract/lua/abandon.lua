-- The worker that ran a request is dead: let the next who asks take the request over, now.
--
-- KEYS  1 entry
-- ARGV  1 place  2 uuid
local entry = redis.call('HMGET', KEYS[1], 'state', 'runner', 'fronts')
if entry[1] ~= 'running' or entry[2] ~= ARGV[1] then
  return
end

redis.call('HSET', KEYS[1], 'lease_until', 0)
for front in string.gmatch(entry[3], '%S+') do
  redis.call('PUBLISH', front, ARGV[2] .. '\n')
end
