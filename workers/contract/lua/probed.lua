-- A worker has completed a probe.
even_when_full()
enter(ARGV[3])
redis.call('SET', COMPLETED, now)
