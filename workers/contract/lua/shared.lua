-- What the steps have in common. It stands before each of them, after the names of the keys, head.lua
-- and `enter(name)`: from that on, the keys are those of that line.
--
-- ARGV  3 the line, or the algorithm in admit.lua
look_at_clock()

local function of(name, key)
  return (string.gsub(key, '{line}', name))
end

-- Live worker processes of any line.
local WORKERS_OF = WORKERS
local function alive_in(name)
  return redis.call('ZCOUNT', of(name, WORKERS_OF), now - lease_ms, '+inf')
end

local function line_of(entry)
  return string.match(string.sub(entry, #ENTRY_PREFIX + 1), '^[^:]*')
end

-- A script that has written may go on writing when Redis is full. What is under way is finished
-- even then, so a step of it begins with a write that takes no memory.
local function even_when_full()
  redis.call('DEL', BYTES .. ':none')
end

local function alive()
  return alive_in(line)
end

-- So many processes may be at slices at once: while callers come, all but one, where there are more.
local function most_slices()
  return math.max(1, alive() - redis.call('EXISTS', LATELY))
end

-- A message says from which queue it comes, to be given back there, and whether a worker may have
-- died of one before it. What is quoted in it so is there once: within a uuid there are no quotes
-- that are not escaped.
local UNADDRESSED, REDELIVERED = '"' .. INFERENCE .. '"', ', "redelivered": true'
local function addressed(message, again)
  local first, last = string.find(message, UNADDRESSED, 1, true)
  return string.sub(message, 1, first) .. INFERENCE .. '"' .. (again and REDELIVERED or '')
    .. string.sub(message, last + 1)
end

-- Messages stand in line by when they are due. A few of them, one for each worker process, are in
-- the list from which Celery takes them.
local function feed()
  for _ = redis.call('LLEN', INFERENCE) + 1, math.max(1, alive()) do
    local first = redis.call('ZPOPMIN', LINE)
    if #first == 0 then
      return
    end
    redis.call('LPUSH', INFERENCE, first[1])
  end
end

local function waiting()
  return redis.call('LLEN', INFERENCE) + redis.call('ZCARD', LINE)
end

-- At the end of the day: the latest `most` are kept.
local function set_aside(queue, message, most)
  redis.call('LPUSH', queue, message)
  redis.call('LTRIM', queue, 0, most - 1)
end

-- IMAGES has for each stored image until when it is wanted, or, for one that nobody waits for just
-- now, that less SPARE: below zero. BYTES counts `all`, and by line those that are wanted.
local SPARE = 1e13

local function image_of(entry)
  return IMAGE_PREFIX .. string.sub(entry, #ENTRY_PREFIX + 1)
end

local function is_wanted(entry)
  local until_ms = redis.call('ZSCORE', IMAGES, entry)
  return until_ms and tonumber(until_ms) > 0
end

-- The account of it alone: an image may have expired by itself.
local function strike_out(entry)
  local size = redis.call('HGET', SIZES, entry)
  if size then
    redis.call('HINCRBY', BYTES, 'all', -size)
    if is_wanted(entry) then
      redis.call('HINCRBY', BYTES, line_of(entry), -size)
    end
    redis.call('HDEL', SIZES, entry)
    redis.call('ZREM', IMAGES, entry)
  end
end

local function free(entry)
  redis.call('UNLINK', image_of(entry))
  strike_out(entry)
end

-- What was lost with a worker or Redis, and whose caller did not come again, no message leads to.
local function free_expired(most)
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', IMAGES, 0, now, 'LIMIT', 0, most)) do
    free(entry)
  end
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', IMAGES, '-inf', now - SPARE, 'LIMIT', 0, most)) do
    free(entry)
  end
end

-- Somebody waits for it until then, or nobody does.
local function mark(entry, until_ms, wanted)
  local size = redis.call('HGET', SIZES, entry)
  if is_wanted(entry) ~= wanted then
    redis.call('HINCRBY', BYTES, line_of(entry), wanted and size or -size)
  end
  redis.call('ZADD', IMAGES, wanted and until_ms or until_ms - SPARE, entry)
  redis.call('PEXPIRE', image_of(entry), until_ms - now + 1000)
end

local function spare(entry)
  local until_ms = tonumber(redis.call('ZSCORE', IMAGES, entry) or 0)
  if until_ms > 0 then
    mark(entry, until_ms, false)
  end
end

-- What has expired goes first when there is no room, then the oldest that nobody waits for.
local function make_room(size, most)
  while tonumber(redis.call('HGET', BYTES, 'all') or 0) + size > most do
    local entry = redis.call('ZRANGEBYSCORE', IMAGES, 0, now, 'LIMIT', 0, 1)[1]
      or redis.call('ZRANGEBYSCORE', IMAGES, '-inf', '(0', 'LIMIT', 0, 1)[1]
    if not entry then
      return false
    end
    free(entry)
  end
  return true
end

-- Returns an error when Redis has no memory for it.
local function store(entry, image, until_ms, wanted)
  local stored = redis.pcall('SET', image_of(entry), image)
  if stored.err then
    return stored
  end
  strike_out(entry)
  redis.call('HSET', SIZES, entry, #image)
  redis.call('HINCRBY', BYTES, 'all', #image)
  mark(entry, until_ms, wanted)
end
