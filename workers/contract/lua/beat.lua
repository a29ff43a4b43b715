-- A worker process lives. What it can do is noted; who is silent for long is forgotten.
--
-- KEYS  1 workers  2 rates  3 bundle
-- ARGV  1 now_ms  2 worker  3 rate  4 bundle  5 forget those silent since (ms)

-- Frees memory first: after that Redis permits the rest even when it is full.
redis.call('ZREM', KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
redis.call('SET', KEYS[3], ARGV[4])
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5])) do
  redis.call('ZREM', KEYS[1], worker)
  redis.call('HDEL', KEYS[2], worker)
end
