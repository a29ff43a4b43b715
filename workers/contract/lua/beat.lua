-- A worker process lives. What it can do is noted; who is silent for long is forgotten.
--
-- ARGV  4 worker  5 its rates  6 forget those who are silent for so long (ms)  7 the algorithm
--       8 whether it serves those too who name no algorithm, 1 or 0  9 its memory, bytes
--       10 the digest of its bundle
--
-- Returns which line reads along with this algorithm, and how much.
local worker, rates, forget_after_ms, algorithm = unpack(ARGV, 4, 7)

-- Who serves lets nobody take its place; promoting does.
local function is_served(name)
  return name and alive_in(name) > 0
end
local is_claimed = is_served(redis.call('HGET', CLAIMED, algorithm))
local default = redis.call('GET', DEFAULT)
local takes_default = ARGV[8] == '1' and not (default and is_served(active_line(default)))

even_when_full()
enter(ARGV[3])
redis.call('ZADD', LINES, now, line)
redis.call('ZREMRANGEBYSCORE', LINES, '-inf', now - forget_after_ms)
redis.call('ZADD', WORKERS, now, worker)
redis.call('HSET', RATES, worker, rates)
redis.call('HSET', MEMORY, worker, ARGV[9])
redis.call('HSET', DIGESTS, line, ARGV[10])
if not is_claimed then
  redis.call('HSET', CLAIMED, algorithm, line)
end
if takes_default then
  redis.call('SET', DEFAULT, algorithm)
end
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, '-inf', now - forget_after_ms)) do
  redis.call('ZREM', WORKERS, silent)
  redis.call('HDEL', RATES, silent)
  redis.call('HDEL', MEMORY, silent)
end
free_expired(100)
-- The list is one message short when a worker died with it.
feed()
return redis.call('HGET', SHADOWS, algorithm)
