-- Gives up the lease of a service, if it is the caller's.
-- KEYS[1] lease (hash)
-- ARGV[1] holder
-- Reply: 1 when given up, else 0
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
