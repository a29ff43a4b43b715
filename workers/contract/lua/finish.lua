-- Stores a result and wakes the fronts that wait for it. The first result of an image stands, but
-- one of fewer members asks for one of all, which then takes its place.
--
-- ARGV  4 request  5 ticket  6 result  7 keep_for_ms, 0 to forget at once  8 members that were
--       asked  9 whether that is all that matter, 1 or 0  10 most messages that are set aside
--       11 whether it was the express member, 1 or 0  12 what a message has in it that the process
--       would take next, empty for none
--
-- Returns that message, if it is the next one.
enter(ARGV[3])
local request, ticket, text = unpack(ARGV, 4, 6)
local keep_for_ms, whole = tonumber(ARGV[7]), ARGV[9] == '1'

even_when_full()
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
    set_aside(PARTIAL, message, ARGV[10])
  end
end

if fingerprint and result then
  if partial and keep_for_ms > 0 then
    if whole then
      redis.call('HINCRBY', COUNTS, 'completions', 1)
      keep()
    else
      set_aside(PARTIAL, message, ARGV[10])
    end
  end
-- A failure ends a request only for the worker that holds it: another one may yet succeed.
elseif fingerprint and (keep_for_ms > 0 or (state == 'running' and runner == ticket)) then
  if keep_for_ms > 0 then
    keep()
    redis.call('HINCRBY', MEMBERS, ARGV[8], 1)
    if ARGV[11] == '1' then
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

local following = ARGV[12] ~= '' and redis.call('LINDEX', INFERENCE, -1)
if following and string.find(following, ARGV[12], 1, true) then
  redis.call('RPOP', INFERENCE)
  feed()
  return following
end
