-- The worker that ran a request is dead: let the next who asks take the request over, now.
--
-- KEYS  1 image
-- ARGV  1 place  2 how many attempts it counts for, 0 for the one that it was
local state, runner, fronts = unpack(redis.call('HMGET', KEYS[1], 'state', 'runner', 'fronts'))
if state ~= 'running' or runner ~= ARGV[1] then
  return
end

redis.call('HSET', KEYS[1], 'lease_until', 0)
if tonumber(ARGV[2]) > 0 then
  redis.call('HSET', KEYS[1], 'attempts', ARGV[2])
end
for front in string.gmatch(fronts, '%S+') do
  redis.call('PUBLISH', front, KEYS[1] .. '\n')
end
