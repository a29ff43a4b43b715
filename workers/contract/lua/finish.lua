-- Stores results and wakes the fronts that wait for them. The first result of an image stands, but
-- one of fewer members asks for one of all, which then takes its place.
--
-- ARGV  4 most messages that are set aside  5 what messages have in them that the process would take
--       next  6 how many of these, 0 for none  7 the question for them, each a new one
--       8 request  9 ticket  10 result  11 keep_for_ms, 0 to forget at once  12 members that were
--       asked  13 whether that is all that matter, 1 or 0  14 whether it was the express member,
--       1 or 0, and so on for the others
--
-- Returns the messages that it takes: several where as many wait for each worker, and are small, or
-- one. What a worker may have died of is taken alone.
enter(ARGV[3])
local most_aside, reads, most, question = ARGV[4], ARGV[5], tonumber(ARGV[6]), ARGV[7]
local FIELDS = 7
-- Of the images in line, on the mean. To decode larger ones takes longer than to read them, which
-- those that are taken with them would wait for.
local SMALL_BYTES = 65536

even_when_full()

local function finish(request, ticket, text, keep_for_ms, members, whole, express)
  local entry = redis.call('GET', request) or ''
  if line_of(entry) ~= line then
    -- It has gone over to another line.
    entry = ''
  end
  local fingerprint, result, partial, fronts, state, runner, message, useful_until, asked_until =
    unpack(redis.call('HMGET', entry, 'fingerprint', 'result', 'partial', 'fronts', 'state',
      'runner', 'message', 'useful_until', 'asked_until'))

  local function keep()
    redis.call('DEL', entry)
    redis.call('HSET', entry, 'fingerprint', fingerprint, 'result', text)
    redis.call('PEXPIRE', entry, keep_for_ms)
    if whole then
      free(entry)
    else
      redis.call('HSET', entry, 'partial', 1, 'message', message,
        'asked_until', asked_until or useful_until)
      spare(entry)
      set_aside(PARTIAL, message, most_aside)
    end
  end

  if fingerprint and result then
    if partial and keep_for_ms > 0 then
      if whole then
        redis.call('HINCRBY', COUNTS, 'completions', 1)
        keep()
      else
        set_aside(PARTIAL, message, most_aside)
      end
    end
  -- A failure ends a request only for the worker that holds it: another one may yet succeed.
  elseif fingerprint and (keep_for_ms > 0 or (state == 'running' and runner == ticket)) then
    if keep_for_ms > 0 then
      keep()
      redis.call('HINCRBY', MEMBERS, members, 1)
      if express then
        redis.call('HINCRBY', COUNTS, 'express', 1)
      end
    else
      redis.call('DEL', entry)
      free(entry)
    end
    for front in string.gmatch(fronts, '%S+') do
      redis.call('PUBLISH', front, entry .. '\n' .. text)
    end
  end

  -- A failure does not prove that the worker can serve.
  if keep_for_ms > 0 then
    redis.call('SET', COMPLETED, now)
  end
end

for at = 8, #ARGV, FIELDS do
  local request, ticket, text, keep_for_ms, members, whole, express = unpack(ARGV, at, at + 6)
  finish(request, ticket, text, tonumber(keep_for_ms), members, whole == '1', express == '1')
end

local function are_several_best()
  local others = waiting()
  return others >= most * alive()
    and tonumber(redis.call('HGET', BYTES, line) or 0) <= others * SMALL_BYTES
end

-- The same question again: the connection broke before the worker heard the answer.
local taken = most > 0 and redis.call('LRANGE', TAKEN_PREFIX .. question, 0, -1) or {}
if #taken > 0 then
  return taken
end
if most > 1 and not are_several_best() then
  most = 1
end
while #taken < most do
  local message = redis.call('LINDEX', INFERENCE, -1)
  if not message or not string.find(message, reads, 1, true) then
    break
  end
  if string.find(message, REDELIVERED, 1, true) then
    most = 1
    if #taken > 0 then
      break
    end
  end
  redis.call('RPOP', INFERENCE)
  feed()
  taken[#taken + 1] = message
end
if #taken > 0 then
  redis.call('RPUSH', TAKEN_PREFIX .. question, unpack(taken))
  redis.call('PEXPIRE', TAKEN_PREFIX .. question, lease_ms)
end
return taken
