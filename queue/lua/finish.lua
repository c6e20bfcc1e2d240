-- Ends an attempt, if its worker still holds the lease. ARGV: id, token, verdict, error, delay (ms).
-- Returns 'as said'; 'cancelled' when an operator had asked for that, so that it is not queued again; or 'lost'.
local id, verdict, message, delay = ARGV[2], ARGV[4], ARGV[5], tonumber(ARGV[6])
local fields = redis.call('HMGET', job(id), 'token', 'state', 'queue', 'cancel_asked', 'started_at')
local queue = fields[3]
if fields[1] ~= ARGV[3] or fields[2] ~= 'running' then return 'lost' end
if verdict == 'done' then count_run(id, 'done', fields[5]) end
if verdict == 'dead' or verdict == 'retry' then count_run(id, 'failed', fields[5]) end
if message ~= '' then note_error(id, message) end
if verdict ~= 'retry' and verdict ~= 'snoozed' and verdict ~= 'release' then
  finish(id, queue, 'running', verdict)
elseif fields[4] then
  finish(id, queue, 'running', 'cancelled')
  return 'cancelled'
elseif verdict ~= 'release' then
  move(id, queue, 'running', delay > 0 and 'scheduled' or 'queued', now + delay)
  redis.call('HSET', job(id), 'run_at', now + delay, 'delay', delay)
  redis.call('HDEL', job(id), 'token')
  if verdict == 'snoozed' then redis.call('HINCRBY', job(id), 'attempts', -1) end
  wake(queue)
else
  move(id, queue, 'running', 'queued', redis.call('HGET', job(id), 'run_at'))
  redis.call('HINCRBY', job(id), 'attempts', -1)
  redis.call('HDEL', job(id), 'token', 'worker', 'started_at')
  wake(queue)
end
return 'as said'
