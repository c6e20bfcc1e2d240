-- Cancels a job that waits; asks the worker of one that runs to end it. ARGV: id.
-- Returns 'cancelled', 'asked', 'ended' or 'unknown'.
local id = ARGV[2]
local fields = redis.call('HMGET', job(id), 'state', 'queue')
local state, queue = fields[1], fields[2]
if not state then return 'unknown' end
if state == 'queued' or state == 'scheduled' then
  finish(id, queue, state, 'cancelled')
  return 'cancelled'
end
if state == 'running' then
  redis.call('HSET', job(id), 'cancel_asked', 1)
  return 'asked'
end
return 'ended'
