-- Whoever claimed a uuid tells what came of it; nothing frees it. The first result stands: a claim
-- whose lease ran out may be another one's by now.
-- KEYS: the uuid's. ARGV: fingerprint, ticket, result or nothing, retention in ms.
local holder = redis.call('HGET', KEYS[1], 'ticket')
if holder and holder ~= ARGV[2] then
  return
end
if ARGV[3] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'ticket', ARGV[2], 'result', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
