-- Claims an idempotency key, or tells what it stands for already.
-- KEYS[1] hash: fingerprint, token, answer (missing while the request is under way)
-- ARGV[1] fingerprint   ARGV[2] token   ARGV[3] life of the claim, ms
-- Reply: {'claimed'}, {'in-flight'}, {'other-request'} or {'answered', answer}
local stored = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer')
if not stored[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'token', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'claimed'}
end
if stored[1] ~= ARGV[1] then return {'other-request'} end
if not stored[2] then return {'in-flight'} end
return {'answered', stored[2]}
