-- Takes one request out of every limit, or out of none when one of them refuses.
-- KEYS one per limit (string): when the key is idle, microseconds; or the requests of a quota's window
-- ARGV per limit: 'rate', interval in µs, burst   or   'quota', maximum, end of the window in epoch ms
-- Reply: allowed (1 or 0), then per limit the number that it had: µs until idle, or requests so far
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local stored = redis.call('MGET', unpack(KEYS))
local reply = {1}
local nexts = {}
for i = 1, #KEYS do
  local kind, first, second = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local value = tonumber(stored[i] or '0')
  if kind == 'rate' then
    local full = first * second
    local from = math.min(math.max(value, now), now + full)
    nexts[i] = from + first
    if nexts[i] - now > full then reply[1] = 0 end
    reply[i + 1] = from - now
  else
    if value >= first then reply[1] = 0 end
    reply[i + 1] = value
  end
end
if reply[1] == 1 then
  for i = 1, #KEYS do
    if ARGV[3 * i - 2] == 'rate' then
      local untilIdle = math.ceil((nexts[i] - now) / 1000)
      redis.call('SET', KEYS[i], string.format('%.0f', nexts[i]), 'PX', math.max(1, untilIdle))
    else
      redis.call('INCR', KEYS[i])
      -- A minute more, for gateways whose clocks are late.
      redis.call('PEXPIREAT', KEYS[i], tonumber(ARGV[3 * i]) + 60000)
    end
  end
end
return reply
