-- Gives one request back to every limit: another limit, on another node, refused it.
-- KEYS and ARGV as in take-limits.lua
for i = 1, #KEYS do
  local value = redis.call('GET', KEYS[i])
  if value then
    if ARGV[3 * i - 2] == 'rate' then
      redis.call('SET', KEYS[i], string.format('%.0f', tonumber(value) - tonumber(ARGV[3 * i - 1])), 'KEEPTTL')
    elseif tonumber(value) > 0 then
      redis.call('DECR', KEYS[i])
    end
  end
end
return 1
