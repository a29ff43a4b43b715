-- A worker asks whether the messages in its hands are still to be executed, and by it.
--
-- ARGV  4 the question, each a new one  5 us until an answer could be there  6 ns a byte of the
--       image adds to that  7 most messages that are set aside  8 one in so many turns goes to a job
--       while callers wait, 0 for none  9 request  10 ticket, and so on for the others
--
-- Returns for each {permission, image, ms waited, ms until the answer is wanted, share in ms, others
-- that wait}. The permission is run, complete (the answer of some members), finished, running (by
-- another worker), late (others wait who can still be on time), dropped (nobody can want it), or
-- gone.
enter(ARGV[3])
local question, least_us, byte_ns, most_aside, every = ARGV[4], ARGV[5], ARGV[6], ARGV[7],
  tonumber(ARGV[8])

-- Who has come within this is followed by others.
local LATELY_MS = 1000

even_when_full()
feed()

-- The share of an image that is due then, so that every one behind it is done when it is due if each
-- takes as long. Others will come before them: so only half of their time is counted on.
local function share(due)
  local workers, ahead, behind =
    math.max(1, alive()), redis.call('LLEN', INFERENCE), redis.call('ZCARD', LINE)
  local left = math.max(0, due - now)
  local least, position = left / (ahead / workers + 1), 1
  while behind > 0 do
    position = math.min(position, behind)
    local theirs = redis.call('ZRANGE', LINE, position - 1, position - 1, 'WITHSCORES')[2]
    least = math.min(least, math.max(left, (theirs - now) / 2) / ((ahead + position) / workers + 1))
    if position == behind then
      break
    end
    position = position * 2
  end
  return math.floor(least)
end

local function start(request, ticket)
  -- Two messages of one request may be in the same hands.
  local pick_up = question .. ticket
  -- It may have gone over to another line, which had workers when this one had none.
  local entry = redis.call('GET', request)
  if not entry or line_of(entry) ~= line then
    return {'gone'}
  end
  local fingerprint, result, partial, state, lease_until, first, last, drop_after, picked_up, message,
    sent, due, fronts = unpack(redis.call('HMGET', entry, 'fingerprint', 'result', 'partial',
      'state', 'lease_until', 'first_answer_by', 'last_answer_by', 'drop_after', 'pick_up',
      'message', 'sent', 'due', 'fronts'))
  if not fingerprint then
    -- It was given up by whoever sent it, and nobody came by.
    free(entry)
    return {'gone'}
  end
  local others = waiting()

  if result then
    if not partial then
      return {'finished'}
    end
    if others > 0 then
      set_aside(PARTIAL, message, most_aside)
      return {'finished'}
    end
    local asked_until = redis.call('HGET', entry, 'asked_until')
    local image = redis.call('GET', image_of(entry))
    if tonumber(asked_until) < now or not image then
      return {'finished'}
    end
    return {'complete', image}
  end

  -- The same question again: the connection broke before the worker heard the answer.
  local again = state == 'running' and picked_up == pick_up
  if state == 'running' and tonumber(lease_until) > now and not again then
    return {'running'}
  end
  if tonumber(drop_after) < now then
    redis.call('DEL', entry)
    free(entry)
    redis.call('HINCRBY', COUNTS, 'dropped', 1)
    redis.call('SET', COMPLETED, now)
    return {'dropped'}
  end

  local size = redis.call('HGET', SIZES, entry) or 0
  local least_by = now + (least_us + size * byte_ns / 1000) / 1000
  if others > 0 and tonumber(last) < least_by and not again then
    -- Nobody is at it: a re-send takes it over, with a clock of its own.
    redis.call('HSET', entry, 'state', 'late', 'lease_until', 0)
    spare(entry)
    set_aside(LATE, message, most_aside)
    redis.call('HINCRBY', COUNTS, 'late', 1)
    -- Who decides is alive, and whatever is late was not to be computed.
    redis.call('SET', COMPLETED, now)
    return {'late'}
  end

  local image = redis.call('GET', image_of(entry))
  if not image then
    redis.call('DEL', entry)
    free(entry)
    for front in string.gmatch(fronts, '%S+') do
      redis.call('PUBLISH', front, entry .. '\n')
    end
    return {'gone'}
  end

  redis.call('HSET', entry, 'state', 'running', 'runner', ticket, 'pick_up', pick_up,
    'lease_until', now + lease_ms)
  if not again then
    redis.call('HINCRBY', entry, 'attempts', 1)
    redis.call('HINCRBY', COUNTS, 'executions', 1)
    redis.call('SET', LATELY, 1, 'PX', LATELY_MS)
    -- Jobs keep their floor: a slice is put before the callers, for whom it makes way after a member.
    local turns = redis.call('INCR', TURNS)
    if others > 0 and every > 0 and turns >= every
      and redis.call('LMOVE', SLICES, INFERENCE, 'RIGHT', 'RIGHT') then
      redis.call('SET', TURNS, 0)
    end
  end
  local answer_by = tonumber(first) >= least_by and first or last
  return {'run', image, now - sent, answer_by - now, share(due), others}
end

local turns = {}
for at = 9, #ARGV, 2 do
  turns[#turns + 1] = start(ARGV[at], ARGV[at + 1])
end
return turns
