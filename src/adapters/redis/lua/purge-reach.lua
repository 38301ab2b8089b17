-- Counts the gateways heard of lately, and those of them that have applied a purge.
-- KEYS[1] applied (hash)
-- ARGV[1] generation   ARGV[2] sequence   ARGV[3] ms after which a silent gateway is left out
-- Reply: {gateways, applied}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local gateways, applied = 0, 0
for _, value in ipairs(redis.call('HVALS', KEYS[1])) do
  local at, sequence, generation = string.match(value, '^(%d+) (%d+) (.*)$')
  if now - tonumber(at) <= tonumber(ARGV[3]) then
    gateways = gateways + 1
    if generation == ARGV[1] and tonumber(sequence) >= tonumber(ARGV[2]) then applied = applied + 1 end
  end
end
return {gateways, applied}
