-- Queues a job unless its key is held. ARGV: id, queue, name, key, payload, words, cause, max_attempts, delay (ms), bound.
local id, queue, key, delay = ARGV[2], ARGV[3], ARGV[5], tonumber(ARGV[10])
local holder = redis.call('HGET', root .. ':claims', key)
if holder then
  local state = redis.call('HGET', job(holder), 'state')
  if state == 'queued' or state == 'scheduled' or state == 'running' then return { 'already', holder, state } end
end
local waiting = redis.call('ZCARD', set(queue, 'queued')) + redis.call('ZCARD', set(queue, 'scheduled'))
if waiting >= tonumber(ARGV[11]) then return { 'full', tostring(waiting), '' } end
local state = delay > 0 and 'scheduled' or 'queued'
redis.call('HSET', root .. ':claims', key, id)
redis.call('HSET', job(id), 'id', id, 'queue', queue, 'name', ARGV[4], 'key', key, 'payload', ARGV[6], 'words', ARGV[7],
  'cause', ARGV[8], 'max_attempts', ARGV[9], 'attempts', 0, 'state', state, 'created_at', now, 'run_at', now + delay, 'delay', delay)
redis.call('ZADD', set(queue, state), now + delay, id)
wake(queue)
return { 'queued', id, state }
