-- Puts a slice of a job in line, behind all callers, unless as many are there, or are worked on, as
-- may be.
--
-- ARGV  3 line  4 algorithm  5 message
--
-- Returns 1, or 0 when it was not put there: also when new requests go to another line.
enter(ARGV[3])
redis.call('ZREMRANGEBYSCORE', SLICING, '-inf', now)
local others = redis.call('EXISTS', LATELY) == 1 and redis.call('ZCARD', SLICING) or 0
if active_line(ARGV[4]) ~= line or redis.call('LLEN', SLICES) + others >= most_slices() then
  return 0
end
redis.call('LPUSH', SLICES, ARGV[5])
return 1
