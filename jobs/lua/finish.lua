-- Ends an attempt, if its worker still holds the lease. ARGV: id, token, verdict, error, delay (ms), max_ended.
-- Returns 1, or 0 when the lease was lost.
local id, verdict, message, delay, max_ended = ARGV[2], ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local fields = redis.call('HMGET', job(id), 'token', 'state', 'queue')
local queue = fields[3]
if fields[1] ~= ARGV[3] or fields[2] ~= 'running' then return 0 end
if message ~= '' then note_error(id, message) end
if verdict == 'retry' then
  move(id, queue, 'running', delay > 0 and 'scheduled' or 'queued', now + delay)
  redis.call('HSET', job(id), 'run_at', now + delay, 'delay', delay)
  redis.call('HDEL', job(id), 'token')
  wake(queue)
elseif verdict == 'release' then
  move(id, queue, 'running', 'queued', redis.call('HGET', job(id), 'run_at'))
  redis.call('HINCRBY', job(id), 'attempts', -1)
  redis.call('HDEL', job(id), 'token', 'worker', 'started_at')
  wake(queue)
else
  finish(id, queue, 'running', verdict, max_ended)
end
return 1
