-- What every step begins with; what only some of them need stands in shared.lua.
--
-- ARGV  1 now_ms, empty for Redis' own time  2 lease_ms
local now, lease_ms = tonumber(ARGV[1]), tonumber(ARGV[2])

-- Not every step asks what time it is.
local function look_at_clock()
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
end

-- Where new requests of the algorithm go. What was promoted and then has had no worker for so long
-- that it is forgotten does not stand before who serves.
local function active_line(algorithm)
  local promoted = redis.call('HGET', PROMOTED, algorithm)
  if promoted and redis.call('ZSCORE', LINES, promoted) then
    return promoted
  end
  return redis.call('HGET', CLAIMED, algorithm) or promoted
end
