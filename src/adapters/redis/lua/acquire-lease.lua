-- Takes the lease of a service or renews one's own.
-- KEYS[1] lease (hash)   KEYS[2] epochs (hash)
-- ARGV[1] service   ARGV[2] holder   ARGV[3] contact   ARGV[4] time to live in ms
-- Reply: {'ok', epoch} or {'held', holder, contact}
local lease = redis.call('HMGET', KEYS[1], 'holder', 'contact', 'run')
if lease[1] and lease[1] ~= ARGV[2] then
  return {'held', lease[1], lease[2]}
end
local epoch = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
-- Another process answers after a restart or a failover, and the newest writes may be missing. Under a new
-- epoch the holder writes again, and gateways that still hold a lost document accept what follows.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
if not lease[1] or lease[3] ~= run then
  -- At least the time, so that epochs grow even when Redis has lost its data.
  epoch = math.max(epoch + 1, tonumber(redis.call('TIME')[1]))
  redis.call('HSET', KEYS[2], ARGV[1], string.format('%d', epoch))
end
redis.call('HSET', KEYS[1], 'holder', ARGV[2], 'contact', ARGV[3], 'run', run)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'ok', epoch}
