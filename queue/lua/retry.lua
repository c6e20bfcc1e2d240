-- Queues a job again that has ended, with all its attempts before it; or runs a scheduled one now. ARGV: id.
-- Returns 'queued', ID; 'already', the id and state of the job that holds its key; or 'unknown'.
local id = ARGV[2]
local fields = redis.call('HMGET', job(id), 'state', 'queue', 'key')
local state, queue, key = fields[1], fields[2], fields[3]
if not state then return { 'unknown', '', '' } end
if state == 'queued' or state == 'running' then return { 'already', id, state } end
local holder = redis.call('HGET', root .. ':claims', key)
if holder and holder ~= id then
  local other = redis.call('HGET', job(holder), 'state')
  if is_under_way(other) then return { 'already', holder, other } end
end
redis.call('HSET', root .. ':claims', key, id)
redis.call('ZREM', on_demand(queue, state), id)
move(id, queue, state, 'queued', now)
redis.call('HSET', job(id), 'run_at', now, 'delay', 0)
if state ~= 'scheduled' then
  redis.call('HSET', job(id), 'attempts', 0)
  redis.call('HDEL', job(id), 'finished_at', 'started_at', 'worker')
end
redis.call('ZREM', root .. ':failures', key)
wake(queue)
return { 'queued', id, 'queued' }
