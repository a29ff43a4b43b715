-- Whether a worker process may work on jobs: asked before a slice, and after each step of one.
--
-- ARGV  3 line  4 worker process  5 whether it begins, 1 or 0
--
-- Whoever goes on makes way for callers that wait. Whoever begins does not look: its slice was
-- either behind all of them, or put before them. While callers come, one process is left to them.
--
-- Returns 1 or 0.
enter(ARGV[3])
local worker, begins = ARGV[4], ARGV[5] == '1'
redis.call('ZREMRANGEBYSCORE', SLICING, '-inf', now)
redis.call('ZREM', SLICING, worker)
if not begins then
  -- A step was done.
  redis.call('SET', TURNS, 0)
end
if waiting() > 0 and not begins or redis.call('ZCARD', SLICING) >= most_slices() then
  return 0
end
redis.call('ZADD', SLICING, now + lease_ms, worker)
return 1
