-- Decides, in one step, what an arriving request is and what has to be done for it.
--
-- KEYS  1 request  2 bundle  3 line  4 workers  5 completed  6 queue
-- ARGV  1 now_ms  2 fingerprint  3 subject  4 prefix of image keys  5 answer_by_ms
--       6 drop_after_ms  7 front's channel  8 lease_ms  9 keep_for_ms  10 ready_within_ms
--       11 max_attempts  12 longest line
--
-- Returns {verdict, detail, detail}: kept + result, joined + when to look again (ms),
-- enqueue + place + image key, conflict, unready, exhausted, full.
local now, answer_by, drop_after = tonumber(ARGV[1]), tonumber(ARGV[5]), tonumber(ARGV[6])
local lease_ms, keep_for_ms = tonumber(ARGV[8]), tonumber(ARGV[9])

-- A uuid belongs to its image for as long as anything is known of that. A uuid that is new may
-- still come with an image that is not.
local image, fingerprint = redis.call('GET', KEYS[1]), nil
if image then
  fingerprint = redis.call('HGET', image, 'fingerprint')
  if fingerprint and fingerprint ~= ARGV[2] then
    return {'conflict'}
  end
end
local bound = fingerprint
if not bound then
  image = ARGV[4] .. (redis.call('GET', KEYS[2]) or '') .. ':' .. ARGV[3]
end

local result, state, lease_until, place, attempts, fronts, wanted_by, dropped_after
fingerprint, result, state, lease_until, place, attempts, fronts, wanted_by, dropped_after =
  unpack(redis.call('HMGET', image, 'fingerprint', 'result', 'state', 'lease_until', 'place',
    'attempts', 'fronts', 'answer_by', 'drop_after'))
lease_until, fronts = tonumber(lease_until or 0), fronts or ''

local function bind()
  redis.call('SET', KEYS[1], image, 'PX', math.max(keep_for_ms, drop_after - now + 60000))
end

if result then
  redis.call('PEXPIRE', image, keep_for_ms)
  bind()
  return {'kept', result}
end

-- The front is told when the result is there, and a re-send keeps the image wanted for longer.
local function want()
  if not bound then
    bind()
  end
  if not string.find(' ' .. fronts .. ' ', ' ' .. ARGV[7] .. ' ', 1, true) then
    fronts = fronts .. ' ' .. ARGV[7]
    redis.call('HSET', image, 'fronts', fronts)
  end
  if tonumber(wanted_by or 0) < answer_by then
    redis.call('HSET', image, 'answer_by', ARGV[5])
  end
  if tonumber(dropped_after or 0) < drop_after then
    redis.call('HSET', image, 'drop_after', ARGV[6])
    -- A minute over: the entry must outlive a task that starts at the last moment.
    redis.call('PEXPIRE', image, drop_after - now + 60000)
  end
end

local waiting = redis.call('LLEN', KEYS[6])
if fingerprint then
  if lease_until <= now and state == 'queued' then
    -- Nobody renews the lease of a waiting message. It is still in the queue unless one that
    -- came later has been started, or the queue is empty.
    local started = tonumber(redis.call('HGET', KEYS[3], 'started') or 0)
    if tonumber(place) > started and waiting > 0 then
      lease_until = now + lease_ms
      redis.call('HSET', image, 'lease_until', lease_until)
    end
  end
  if lease_until > now then
    want()
    return {'joined', lease_until}
  end
  if tonumber(attempts) >= tonumber(ARGV[11]) then
    return {'exhausted'}
  end
end

local alive = redis.call('ZCOUNT', KEYS[4], now - lease_ms, '+inf')
local completed = tonumber(redis.call('GET', KEYS[5]) or 0)
if alive == 0 or completed < now - tonumber(ARGV[10]) then
  return {'unready'}
end
if waiting >= tonumber(ARGV[12]) then
  return {'full', waiting}
end

place = redis.call('HINCRBY', KEYS[3], 'given', 1)
redis.call('HSET', image, 'fingerprint', ARGV[2], 'state', 'queued', 'place', place,
  'lease_until', now + lease_ms, 'attempts', attempts or 0)
want()
return {'enqueue', place, image}
