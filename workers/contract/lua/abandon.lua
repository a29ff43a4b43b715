-- The worker that ran a request is dead: let the next who asks take the request over, now.
--
-- ARGV  4 request  5 ticket  6 how many attempts it counts for, 0 for the one that it was
local entry = redis.call('GET', ARGV[4])
local state, runner, fronts = unpack(redis.call('HMGET', entry or '', 'state', 'runner', 'fronts'))
if state ~= 'running' or runner ~= ARGV[5] then
  return
end

even_when_full()
redis.call('HSET', entry, 'lease_until', 0)
if tonumber(ARGV[6]) > 0 then
  redis.call('HSET', entry, 'attempts', ARGV[6])
end
for front in string.gmatch(fronts, '%S+') do
  redis.call('PUBLISH', front, entry .. '\n')
end
