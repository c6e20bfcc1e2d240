-- Queues jobs, each unless its key is held. ARGV of each job: id, queue, name, key, payload, words, cause, max_attempts, delay (ms),
-- bound, whether a visitor caused it (1 or 0).
local function push(at)
  local id, queue, key, delay = ARGV[at], ARGV[at + 1], ARGV[at + 3], tonumber(ARGV[at + 8])
  local holder = redis.call('HGET', root .. ':claims', key)
  if holder then
    local state = redis.call('HGET', job(holder), 'state')
    if is_under_way(state) then return { 'already', holder, state } end
  end
  local state = redis.call('HGET', job(id), 'state')
  if state then return { 'already', id, state } end
  local waiting = redis.call('ZCARD', set(queue, 'queued')) + redis.call('ZCARD', set(queue, 'scheduled'))
  if waiting >= tonumber(ARGV[at + 9]) then return { 'full', tostring(waiting), '' } end
  state = delay > 0 and 'scheduled' or 'queued'
  redis.call('HSET', root .. ':claims', key, id)
  redis.call('HSET', job(id), 'id', id, 'queue', queue, 'name', ARGV[at + 2], 'key', key, 'payload', ARGV[at + 4], 'words', ARGV[at + 5],
    'cause', ARGV[at + 6], 'max_attempts', ARGV[at + 7], 'attempts', 0, 'state', state, 'created_at', now, 'run_at', now + delay, 'delay', delay)
  if ARGV[at + 10] == '1' then redis.call('HSET', job(id), 'on_demand', 1) end
  redis.call('ZADD', set(queue, state), now + delay, id)
  wake(queue)
  return { 'queued', id, state }
end

local all = {}
for at = 2, #ARGV, 11 do all[#all + 1] = push(at) end
return all
