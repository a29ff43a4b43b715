-- Whether an account may ask for more, and what it is charged. It stands before kept.lua.
--
-- ARGV  25 account, absent while there are none  26 month  27 units of this request
--       28 new requests a second, 0 for any number  29 so many may come at once
--       30 units a month, 0 for any  31 units it has used at the least, whatever this Redis knows
--
-- A uuid, which has its account before it, is charged once: with the copy that is taken first. While it
-- is known its copies go free.
local account, month = ARGV[25], ARGV[26]
local begun, free_at, used = false, 0, 0

local rate, burst, quota = tonumber(ARGV[28]), tonumber(ARGV[29]), tonumber(ARGV[30])
-- Of who has no limits nothing needs to be known here: what was used is written down elsewhere.
local is_limited = account and (rate > 0 or quota > 0)

-- {units charged, ms until all of the burst may come again, ms until another one may, units used}
local function standing(units, again)
  local level = is_limited and math.ceil(math.max(0, free_at - now)) or 0
  return {string.format('%.17g', units), level, math.ceil(again), string.format('%.17g', used)}
end

-- Nothing if the request may be taken, else what it is.
local function beyond_limits(is_new)
  if not is_limited then
    return nil
  end
  look_at_clock()
  local stored_free_at, stored_used =
    unpack(redis.call('HMGET', ACCOUNT_PREFIX .. account, 'free_at', month))
  begun = stored_used
  free_at = tonumber(stored_free_at or 0)
  used = math.max(tonumber(stored_used or 0), tonumber(ARGV[31]))
  if not is_new then
    return nil
  end
  if quota > 0 and used + tonumber(ARGV[27]) > quota then
    return {'exceeded', standing(0, 0)}
  end
  if rate > 0 then
    local again = math.max(free_at, now) + (1 - burst) * 1000 / rate - now
    if again > 0 then
      return {'limited', standing(0, again)}
    end
  end
end

-- The request was taken.
local function charged(reply, is_new)
  if not account then
    return reply
  end
  local units = is_new and tonumber(ARGV[27]) or 0
  if is_new and is_limited then
    used = used + units
    free_at = rate > 0 and math.max(free_at, now) + 1000 / rate or free_at
    redis.call('HSET', ACCOUNT_PREFIX .. account, 'free_at', free_at, month, used)
    if not begun then
      redis.call('PEXPIRE', ACCOUNT_PREFIX .. account, 2764800000)
    end
  end
  table.insert(reply, standing(units, 0))
  return reply
end
