-- Decides, in one step, what an arriving request is and what has to be done for it.
--
-- KEYS  1 entry  2 line  3 workers  4 completed  5 queue
-- ARGV  1 now_ms  2 fingerprint  3 drop_after_ms  4 front's channel
--       5 lease_ms  6 keep_for_ms  7 ready_within_ms  8 max_attempts
--
-- Returns {verdict, detail}: kept + result, joined + when to look again (ms), enqueue + place,
-- conflict, unready, exhausted.
local now, lease_ms = tonumber(ARGV[1]), tonumber(ARGV[5])
local fingerprint, result, state, lease_until, place, attempts, fronts, drop_after = unpack(
  redis.call('HMGET', KEYS[1], 'fingerprint', 'result', 'state', 'lease_until', 'place',
    'attempts', 'fronts', 'drop_after'))
lease_until, fronts = tonumber(lease_until or 0), fronts or ''

if fingerprint and fingerprint ~= ARGV[2] then
  return {'conflict'}
end

if result then
  redis.call('PEXPIRE', KEYS[1], ARGV[6])
  return {'kept', result}
end

-- The front is told when the result is there, and a re-send keeps the request wanted for longer.
local function want()
  if not string.find(' ' .. fronts .. ' ', ' ' .. ARGV[4] .. ' ', 1, true) then
    fronts = fronts .. ' ' .. ARGV[4]
    redis.call('HSET', KEYS[1], 'fronts', fronts)
  end
  if tonumber(drop_after or 0) < tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], 'drop_after', ARGV[3])
    -- A minute over: the entry must outlive a task that starts at the last moment.
    redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[3]) - now + 60000)
  end
end

if fingerprint then
  if lease_until <= now and state == 'queued' then
    -- Nobody renews the lease of a waiting message. It is still in the queue unless one that
    -- came later has been started, or the queue is empty.
    local started = tonumber(redis.call('HGET', KEYS[2], 'started') or 0)
    if tonumber(place) > started and redis.call('LLEN', KEYS[5]) > 0 then
      lease_until = now + lease_ms
      redis.call('HSET', KEYS[1], 'lease_until', lease_until)
    end
  end
  if lease_until > now then
    want()
    return {'joined', lease_until}
  end
  if tonumber(attempts) >= tonumber(ARGV[8]) then
    return {'exhausted'}
  end
end

local alive = redis.call('ZCOUNT', KEYS[3], now - lease_ms, '+inf')
local completed = tonumber(redis.call('GET', KEYS[4]) or 0)
if alive == 0 or completed < now - tonumber(ARGV[7]) then
  return {'unready'}
end

place = redis.call('HINCRBY', KEYS[2], 'given', 1)
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[2], 'state', 'queued', 'place', place,
  'lease_until', now + lease_ms, 'attempts', attempts or 0)
want()
return {'enqueue', place}
