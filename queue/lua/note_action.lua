-- Writes to the log of actions. ARGV: JSON, index of the last that is kept. The time of the server goes with it.
redis.call('LPUSH', root .. ':actions', now .. ' ' .. ARGV[2])
redis.call('LTRIM', root .. ':actions', 0, ARGV[3])
return now
