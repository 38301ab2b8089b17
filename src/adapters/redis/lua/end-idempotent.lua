-- Ends a claim on an idempotency key, if it still holds: with an answer to keep, or by forgetting the key.
-- KEYS[1] hash: fingerprint, token, answer
-- ARGV[1] token   ARGV[2] life of the answer, ms; 0: forget the key   ARGV[3] answer
local stored = redis.call('HMGET', KEYS[1], 'token', 'answer')
if stored[1] ~= ARGV[1] or stored[2] then return 0 end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('HSET', KEYS[1], 'answer', ARGV[3])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
