-- Renews the lease of the stored split document and tells gateways, if the caller is current.
-- KEYS[1] split (hash)
-- ARGV[1] epoch   ARGV[2] revision   ARGV[3] channel
-- Reply: {'ok'}, or {'stale-epoch' | 'revision-conflict', stored document or ''}
local stored = redis.call('HMGET', KEYS[1], 'epoch', 'revision', 'document')
if not stored[1] then
  return {'revision-conflict', ''}
end
if tonumber(ARGV[1]) < tonumber(stored[1]) then
  return {'stale-epoch', stored[3]}
end
if tonumber(ARGV[1]) ~= tonumber(stored[1]) or tonumber(ARGV[2]) ~= tonumber(stored[2]) then
  return {'revision-conflict', stored[3]}
end
local renewals = redis.call('HINCRBY', KEYS[1], 'renewals', 1)
redis.call('PUBLISH', ARGV[3],
  '{"renewals":' .. renewals .. ',"epoch":' .. stored[1] .. ',"revision":' .. stored[2] .. '}')
return {'ok'}
