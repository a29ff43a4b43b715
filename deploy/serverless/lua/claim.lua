-- Whoever has an image under a uuid asks what to do with it: claimed, it is its own to read, for as
-- long as the lease; joined, another one reads it; kept, with the result; conflict.
-- KEYS: the uuid's. ARGV: fingerprint, ticket, lease and retention in ms.
local known, result = unpack(redis.call('HMGET', KEYS[1], 'fingerprint', 'result'))
if not known then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'ticket', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'claimed'}
end
if known ~= ARGV[1] then
  return {'conflict'}
end
if not result then
  return {'joined'}
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'kept', result}
