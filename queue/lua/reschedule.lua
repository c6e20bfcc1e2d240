-- Has a job that waits run later, or earlier. ARGV: id, delay (ms). Returns whether it waited.
local id, delay = ARGV[2], tonumber(ARGV[3])
local fields = redis.call('HMGET', job(id), 'state', 'queue')
local state, queue = fields[1], fields[2]
if state ~= 'queued' and state ~= 'scheduled' then return 0 end
move(id, queue, state, delay > 0 and 'scheduled' or 'queued', now + delay)
redis.call('HSET', job(id), 'run_at', now + delay, 'delay', delay)
wake(queue)
return 1
