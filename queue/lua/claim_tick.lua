-- Claims a tick of a producer: 1 for the first who asks, 0 for the others. A claim holds for five minutes around the moment it
-- was made; the same wall time coming again later, on a clock that was set back, is another tick. ARGV: producer, tick (seconds).
local key, window = root .. ':ticks:' .. ARGV[2], 300000
local claimed = redis.call('ZSCORE', key, ARGV[3])
if claimed and math.abs(now - tonumber(claimed)) < window then return 0 end
redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
redis.call('ZREMRANGEBYSCORE', key, now + window, '+inf')
redis.call('ZADD', key, now, ARGV[3])
return 1
