-- Lists the gateways heard of lately, with the age of the news by Redis's own time.
-- KEYS[1] acknowledgements (hash)
-- ARGV[1] ms after which a silent gateway is left out
-- Reply: {age in ms, acknowledgement (JSON), age, acknowledgement, ...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local live = {}
for _, value in ipairs(redis.call('HVALS', KEYS[1])) do
  local at, acknowledgement = string.match(value, '^(%d+):(.*)$')
  local age = now - tonumber(at)
  if age <= tonumber(ARGV[1]) then
    live[#live + 1] = age
    live[#live + 1] = acknowledgement
  end
end
return live
