-- The worker that ran a request is dead: let the next who asks take the request over, now.
--
-- KEYS  1 image
-- ARGV  1 place
local state, runner, fronts = unpack(redis.call('HMGET', KEYS[1], 'state', 'runner', 'fronts'))
if state ~= 'running' or runner ~= ARGV[1] then
  return
end

redis.call('HSET', KEYS[1], 'lease_until', 0)
for front in string.gmatch(fronts, '%S+') do
  redis.call('PUBLISH', front, KEYS[1] .. '\n')
end
