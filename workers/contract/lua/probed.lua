-- A worker has completed a probe.
even_when_full()
redis.call('SET', COMPLETED, now)
