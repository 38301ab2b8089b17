-- Appends a telemetry summary to the capped stream of its service.
-- KEYS[1] telemetry (stream)   KEYS[2] telemetry count (hash)
-- ARGV[1] summary (JSON)   ARGV[2] cap   ARGV[3] ms after which an idle stream is forgotten
-- Reply: 1
if redis.call('HINCRBY', KEYS[2], 'added', 1) == 1 then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[2], 'generation', time[1] .. '.' .. time[2])
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 's', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
