-- Notes that a worker lives. ARGV: name, JSON. The time of the server goes with it.
redis.call('HSET', root .. ':workers', ARGV[2], now .. ' ' .. ARGV[3])
return now
