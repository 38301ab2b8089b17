-- Replaces the record of a rollout and appends events to its log, if the writer is current.
-- KEYS[1] epochs (hash)   KEYS[2] versions (hash)   KEYS[3] records (hash)   KEYS[4] events (sorted set)
-- ARGV[1] service   ARGV[2] epoch   ARGV[3] rollout   ARGV[4] version   ARGV[5] record (JSON)
-- ARGV[6] 'next' | 'after-loss' (only while nothing is stored, with any version)
-- ARGV[7..] sequence, event (JSON), sequence, event, ...
-- Reply: 'ok' | 'stale-epoch' | 'version-conflict'
if tonumber(ARGV[2]) < tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0') then
  return 'stale-epoch'
end
local stored = redis.call('HGET', KEYS[2], ARGV[3])
if ARGV[6] == 'after-loss' then
  if stored then
    return 'version-conflict'
  end
elseif tonumber(ARGV[4]) ~= tonumber(stored or '0') + 1 then
  return 'version-conflict'
end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[5])
for i = 7, #ARGV, 2 do
  redis.call('ZADD', KEYS[4], ARGV[i], ARGV[i + 1])
end
return 'ok'
