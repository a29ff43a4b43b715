-- Decides, in one step, what an arriving request is, and puts it in line if it is new. Before it stand
-- account.lua and kept.lua, which may end the step.
--
-- ARGV  3 algorithm  4 uuid, with its account before it  5 fingerprint  6 subject
--       7 front's channel  8 message
--       9 image  10 whether it is sent along, 1 or 0  11 its size in bytes
--       In ms from now:  12 due  13 answer wanted  14 useful until then  15 dropped after that
--       16 keep_for_ms  17 ready_within_ms  18 max_attempts  19 most messages  20 most bytes
--       21 what goes before it must take less than this (ms), or be fewer than 22 messages
--       23 us a message takes all workers together  24 ns a byte takes them
--       and from 25 on who is charged for it, see account.lua
--
-- Returns {verdict, detail, detail}: kept + result + whether the image is wanted, joined + when to
-- look again (in ms) + line, enqueued + line, conflict, unready, exhausted, full + messages before
-- it, image: send it along; limited, exceeded. With an account the last detail of what is taken, and
-- of the last two, is how that stands.
local front, message, image = unpack(ARGV, 7, 9)
local sent = ARGV[10] == '1'
local number = {}
for index = 11, 24 do
  number[index] = tonumber(ARGV[index])
end
local size, ready_within_ms, max_attempts, most, most_bytes, within_ms, always,
  message_us, byte_ns = number[11], unpack(number, 17, 24)
local due, answer_by, useful_until, drop_after =
  now + number[12], now + number[13], now + number[14], now + number[15]

-- What was begun ends in its line, unless that has lost its workers and another one has taken over.
active = active or active_line(algorithm)
local bound = known and not is_new
local function is_stranded()
  local of_entry = line_of(entry)
  if not active or of_entry == active or alive_in(of_entry) > 0 then
    return false
  end
  local result, lease_until = unpack(redis.call('HMGET', entry, 'result', 'lease_until'))
  return not result and tonumber(lease_until) <= now
end
if bound and is_stranded() then
  image = redis.call('GET', image_of(entry)) or image
  sent = image ~= ''
  redis.call('DEL', entry)
  free(entry)
  bound = false
end
if not bound then
  if not active then
    return {'unready'}
  end
  entry = ENTRY_PREFIX .. active .. ':' .. subject
end

local result, partial, state, lease_until, attempts, fronts, first, last, dropped_after, waits,
  due_before, asked_until
known, result, partial, state, lease_until, attempts, fronts, first, last, dropped_after, waits,
  due_before, asked_until = unpack(redis.call('HMGET', entry, 'fingerprint', 'result', 'partial',
    'state', 'lease_until', 'attempts', 'fronts', 'first_answer_by', 'last_answer_by',
    'drop_after', 'message', 'due', 'asked_until'))
lease_until, fronts = tonumber(lease_until or 0), fronts or ''
first, last, dropped_after = tonumber(first or 0), tonumber(last or 0), tonumber(dropped_after or 0)

if result and not partial then
  return kept(result, true)
end
enter(line_of(entry))
message = addressed(message, tonumber(attempts or 0) > 0)

-- Every hit on an answer of some members asks for that of all, unless one did so lately.
local function ask_for_whole()
  if tonumber(asked_until or 0) > now then
    return true
  end
  if redis.call('EXISTS', image_of(entry)) == 0 then
    if not sent then
      return false
    end
    if not make_room(size, most_bytes) or store(entry, image, drop_after, false) then
      return true
    end
  end
  redis.call('HSET', entry, 'message', message, 'asked_until', useful_until)
  set_aside(PARTIAL, message, most)
  return true
end

if result then
  return kept(result, ask_for_whole())
end

-- The front is told when the result is there, and a re-send keeps the image wanted for longer. The
-- earliest moment at which somebody still waits says whose turn it is, the last when to drop it.
local function want()
  if not bound then
    bind()
  end
  if not string.find(' ' .. fronts .. ' ', ' ' .. front .. ' ', 1, true) then
    fronts = fronts .. ' ' .. front
  end
  drop_after = math.max(drop_after, dropped_after)
  redis.call('HSET', entry, 'fronts', fronts, 'drop_after', drop_after,
    'first_answer_by', first > now and math.min(first, answer_by) or answer_by,
    'last_answer_by', math.max(last, answer_by))
  -- A minute over: the entry must outlive a task that starts at the last moment.
  redis.call('PEXPIRE', entry, drop_after - now + 60000)
  if redis.call('HEXISTS', SIZES, entry) == 1 then
    mark(entry, drop_after, true)
  end
end

-- Returns what the request is if its image is neither there nor can be stored. `before`: how many
-- stand before it, if that was counted.
local function without_image(before)
  if redis.call('EXISTS', image_of(entry)) == 1 then
    even_when_full()
  elseif not sent then
    return {'image'}
  elseif not make_room(size, most_bytes) then
    return {'full', before or waiting()}
  else
    return store(entry, image, drop_after, true)
  end
end

-- Celery writes anew what it gives back; the ticket in it stays.
local function is_given_back()
  local ticket = string.match(waits, '\\"ticket\\": \\"%x+')
  for _, each in ipairs(redis.call('LRANGE', INFERENCE, 0, -1)) do
    if string.find(each, ticket, 1, true) then
      return true
    end
  end
end

if known then
  local waiting_still = state == 'queued' or state == 'missing'
  local in_line = waiting_still and redis.call('ZSCORE', LINE, waits)
  if lease_until <= now and waiting_still then
    -- Nobody renews the lease of a message that waits. One that is neither in line nor in the list is
    -- in the hands of a worker that has not begun it, or lost: that shows at a second look.
    local is_there = in_line or redis.call('LPOS', INFERENCE, waits) or is_given_back()
    local lasts_ms = is_there and lease_ms or state == 'queued' and lease_ms / 4
    if lasts_ms then
      even_when_full()
      state = lasts_ms < lease_ms and 'missing' or 'queued'
      lease_until = now + lasts_ms
      redis.call('HSET', entry, 'state', state, 'lease_until', lease_until)
    end
  end
  if lease_until > now then
    even_when_full()
    -- One that has stood in line beyond its time has outlived its image.
    local refused = waiting_still and without_image()
    if refused then
      return refused
    end
    want()
    if in_line and due < tonumber(due_before) then
      redis.call('ZADD', LINE, due, waits)
      redis.call('HSET', entry, 'due', due)
    end
    return taken({'joined', lease_until - now, line})
  end
  if tonumber(attempts) >= max_attempts then
    return {'exhausted'}
  end
end

if alive() == 0 or tonumber(redis.call('GET', COMPLETED) or 0) < now - ready_within_ms then
  return {'unready'}
end

-- Only what is due earlier goes before it.
local all = waiting()
local before = redis.call('LLEN', INFERENCE) + redis.call('ZCOUNT', LINE, '-inf', due)
local bytes = size
if before > 0 then
  bytes = bytes + tonumber(redis.call('HGET', BYTES, line) or 0) * before / all
end
local takes_ms = before * message_us / 1000 + bytes * byte_ns / 1000000
if before >= most or (before >= always and takes_ms >= within_ms) then
  return {'full', before}
end

local refused = without_image(before)
if refused then
  return refused
end
redis.call('HSET', entry, 'fingerprint', fingerprint, 'state', 'queued', 'message', message,
  'due', due, 'sent', now, 'lease_until', now + lease_ms, 'attempts', attempts or 0,
  'useful_until', useful_until)
want()
if tonumber(attempts or 0) > 0 then
  redis.call('HINCRBY', COUNTS, 'takeovers', 1)
end
redis.call('ZADD', LINE, due, message)
feed()
return taken({'enqueued', line})
