-- How many jobs there are. ARGV: queue... Returns for each: queued, scheduled, running, done, dead, cancelled, when the oldest
-- that waits could have run (-1: none waits), and whether it is paused.
local all = {}
for i = 2, #ARGV do
  local queue = ARGV[i]
  local oldest = redis.call('ZRANGE', set(queue, 'queued'), 0, 0, 'WITHSCORES')
  all[#all + 1] = {
    redis.call('ZCARD', set(queue, 'queued')), redis.call('ZCARD', set(queue, 'scheduled')),
    redis.call('ZCARD', set(queue, 'running')), redis.call('ZCARD', set(queue, 'done')),
    redis.call('ZCARD', set(queue, 'dead')), redis.call('ZCARD', set(queue, 'cancelled')),
    #oldest > 0 and tonumber(oldest[2]) or -1, redis.call('SISMEMBER', root .. ':paused', queue),
  }
end
return all
