-- Stores a split document and publishes it, if the writer is current.
-- KEYS[1] split (hash)
-- ARGV[1] epoch   ARGV[2] revision   ARGV[3] document (JSON)   ARGV[4] channel
-- Reply: {'ok'}, or {'stale-epoch' | 'revision-conflict', stored document or ''}
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'document')
if stored[1] then
  if tonumber(ARGV[1]) < tonumber(stored[1]) then
    return {'stale-epoch', stored[3]}
  end
  if tonumber(ARGV[2]) ~= tonumber(stored[2]) + 1 then
    return {'revision-conflict', stored[3]}
  end
elseif tonumber(ARGV[2]) < 1 then
  return {'revision-conflict', ''}
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'revision', ARGV[2], 'document', ARGV[3])
-- A write counts as a renewal, so the counter never stands still while leases are kept alive.
local renewals = redis.call('HINCRBY', KEYS[1], 'renewals', 1)
redis.call('PUBLISH', ARGV[4], '{"renewals":' .. renewals .. ',"split":' .. ARGV[3] .. '}')
return {'ok'}
