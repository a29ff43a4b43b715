-- Makes a line the one that its algorithm's new requests go to, if it can serve them. Nothing else
-- writes this pointer.
--
-- ARGV  3 line  4 algorithm  5 ready_within_ms  6 '1': fewer workers than before will do
--
-- Returns {verdict, line, detail, detail}: promoted + the line before, active (it is already),
-- few + its live workers + those of the line before, or unready.
local algorithm, ready_within_ms = ARGV[4], tonumber(ARGV[5])
local before = active_line(algorithm) or ''
enter(ARGV[3])
if redis.call('HGET', PROMOTED, algorithm) == line and before == line then
  return {'active', line}
end
-- A part of the workers would be a part of the capacity.
local as_many = ARGV[6] ~= '1' and before ~= '' and before ~= line
local needed = math.max(1, as_many and alive_in(before) or 0)
if alive() < needed then
  return {'few', before, alive(), needed}
end
if tonumber(redis.call('GET', COMPLETED) or 0) < now - ready_within_ms then
  return {'unready', before}
end
redis.call('HSET', PROMOTED, algorithm, line)
if before ~= line then
  redis.call('HSET', PREVIOUS, algorithm, before)
end
return {'promoted', before}
