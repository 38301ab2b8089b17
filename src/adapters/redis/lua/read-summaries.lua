-- Reads telemetry summaries after a cursor, and says whether some were trimmed before they were read.
-- KEYS[1] telemetry (stream)   KEYS[2] telemetry count (hash)
-- ARGV[1] id of the last entry read, or ''   ARGV[2] its generation   ARGV[3] its number   ARGV[4] limit
-- Reply: {lost (0 | 1), id, generation, number of the last entry read, {summary (JSON), ...}}
local count = redis.call('HMGET', KEYS[2], 'generation', 'added')
local generation = count[1] or ''
local added = tonumber(count[2] or '0')
local trimmed = added - redis.call('XLEN', KEYS[1])
local id, number, lost = ARGV[1], tonumber(ARGV[3]), 0
-- An empty id means: from the oldest. The number is then that of the newest entry trimmed.
if id == '' then
  number = trimmed
elseif ARGV[2] ~= generation or number < trimmed or number > added then
  -- The data was lost, the cursor is too old, or the data was rolled back.
  lost, id, number = 1, '', trimmed
end
local entries = redis.call('XRANGE', KEYS[1], id == '' and '-' or '(' .. id, '+', 'COUNT', ARGV[4])
local summaries = {}
for i, entry in ipairs(entries) do
  id = entry[1]
  summaries[i] = entry[2][2]
end
return {lost, id, generation, number + #entries, summaries}
