-- Numbers a purge, remembers it and tells every gateway.
-- KEYS[1] state (hash)   KEYS[2] log (sorted set)
-- ARGV[1] purge (JSON)   ARGV[2] id of the purge; generation too, should counting begin   ARGV[3] channel   ARGV[4] purges to remember
-- Reply: {generation, sequence}
redis.call('HSETNX', KEYS[1], 'generation', ARGV[2])
local generation = redis.call('HGET', KEYS[1], 'generation')
local sequence = redis.call('HINCRBY', KEYS[1], 'sequence', 1)
local entry = sequence .. ' ' .. ARGV[2] .. ' ' .. ARGV[1]
redis.call('ZADD', KEYS[2], sequence, entry)
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -tonumber(ARGV[4]) - 1)
redis.call('PUBLISH', ARGV[3], generation .. ' ' .. entry)
return {generation, sequence}
