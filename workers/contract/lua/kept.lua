-- The first thing that an arriving request may be: one whose answer is kept, and whole. It needs
-- nothing of a line, so it ends the step before that looks at any. ARGV: see admit.lua.
local algorithm, uuid, fingerprint, subject = unpack(ARGV, 3, 6)
local keep_for_ms = tonumber(ARGV[16])
local request = REQUEST_PREFIX .. algorithm .. ':' .. uuid

local entry = redis.call('GET', request)
local is_new = not entry
local refusal = beyond_limits(is_new)
if refusal then
  return refusal
end
local function taken(reply)
  return charged(reply, is_new)
end

local function bind()
  local known_for_ms = math.max(keep_for_ms, tonumber(ARGV[15]) + 60000)
  redis.call('SET', request, entry, 'PX', known_for_ms)
end

local function kept(result, asked)
  redis.call('PEXPIRE', entry, keep_for_ms)
  bind()
  return taken({'kept', result, asked and 0 or 1})
end

local active
if is_new then
  active = active_line(algorithm)
  entry = active and ENTRY_PREFIX .. active .. ':' .. subject
end
-- A uuid belongs to its image for as long as anything is known of that. One that is new may still come
-- with an image that is not.
local known
if entry then
  local whole, partial
  known, whole, partial = unpack(redis.call('HMGET', entry, 'fingerprint', 'result', 'partial'))
  if known and not is_new and known ~= fingerprint then
    return {'conflict'}
  end
  if whole and not partial then
    return kept(whole, true)
  end
end
