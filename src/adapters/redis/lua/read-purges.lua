-- What a gateway has not applied yet; also its sign of life, at Redis's own time.
-- KEYS[1] state (hash)   KEYS[2] log (sorted set)   KEYS[3] applied (hash)
-- ARGV[1] gateway   ARGV[2] generation it knows, or empty   ARGV[3] sequence it has applied
-- ARGV[4] generation, should counting begin   ARGV[5] ms after which a silent gateway is dropped
-- Reply: {generation, newest sequence, '<sequence> <id> <purge>', ...}: from the one that was applied last on, so that
-- the gateway sees whether it still is the one; all that is remembered when the generation is new
redis.call('HSETNX', KEYS[1], 'generation', ARGV[4])
local generation = redis.call('HGET', KEYS[1], 'generation')
local newest = redis.call('HGET', KEYS[1], 'sequence') or '0'
local after = '-inf'
if ARGV[2] == generation then
  after = ARGV[3]
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[3], ARGV[1], string.format('%d %s %s', now, ARGV[3], generation))
  redis.call('PEXPIRE', KEYS[3], ARGV[5])
  -- Bounds the hash when gateways come and go under new names.
  if redis.call('HLEN', KEYS[3]) > 1000 then
    local all = redis.call('HGETALL', KEYS[3])
    for i = 1, #all, 2 do
      if now - tonumber(string.match(all[i + 1], '^%d+')) > tonumber(ARGV[5]) then
        redis.call('HDEL', KEYS[3], all[i])
      end
    end
  end
end
local reply = {generation, newest}
for _, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], after, '+inf')) do
  reply[#reply + 1] = entry
end
return reply
