-- Keeps one value of a resource that gateways share.
-- KEYS[1] resource (hash)
-- ARGV[1] key   ARGV[2] value   ARGV[3] ms to keep   ARGV[4] values of one resource; more start it anew
-- Reply: 1
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then
  redis.call('DEL', KEYS[1])
end
local left = redis.call('PTTL', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if left < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
