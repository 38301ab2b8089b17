-- Records a gateway's sign of life at Redis's own time.
-- KEYS[1] acknowledgements (hash)
-- ARGV[1] gateway   ARGV[2] acknowledgement (JSON)   ARGV[3] ms after which a silent gateway is dropped
-- Reply: 1
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d:%s', now, ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
-- Bounds the hash when gateways come and go under new names and nobody reads.
if redis.call('HLEN', KEYS[1]) > 1000 then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if now - tonumber(string.match(all[i + 1], '^%d+')) > tonumber(ARGV[3]) then
      redis.call('HDEL', KEYS[1], all[i])
    end
  end
end
return 1
