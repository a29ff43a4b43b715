-- A worker process lives. What it can do is noted; who is silent for long is forgotten.
--
-- ARGV  3 worker  4 its rates  5 bundle  6 forget those who are silent for so long (ms)
even_when_full()
redis.call('ZADD', WORKERS, now, ARGV[3])
redis.call('HSET', RATES, ARGV[3], ARGV[4])
redis.call('SET', BUNDLE, ARGV[5])
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', WORKERS, '-inf', now - ARGV[6])) do
  redis.call('ZREM', WORKERS, worker)
  redis.call('HDEL', RATES, worker)
end
-- The list is one message short when a worker died with it.
feed()
