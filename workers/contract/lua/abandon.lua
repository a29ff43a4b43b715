-- The worker that ran a request is dead: let the next who asks take the request over, now.
--
-- KEYS  1 entry
-- ARGV  1 place  2 uuid
local state, runner, fronts, fingerprint = unpack(redis.call('HMGET',
  KEYS[1], 'state', 'runner', 'fronts', 'fingerprint'))
if state ~= 'running' or runner ~= ARGV[1] then
  return
end

redis.call('HSET', KEYS[1], 'lease_until', 0)
for front in string.gmatch(fronts, '%S+') do
  redis.call('PUBLISH', front, fingerprint .. ARGV[2] .. '\n')
end
