-- Put before every script. KEYS[1] is the root of all keys; its hash tag keeps them in one slot of a Redis Cluster, which is
-- what makes the keys that the scripts derive from it legal there. ARGV[1] shifts the server's clock, in milliseconds (tests).
--
--   ROOT:job:ID         hash: the record
--   ROOT:QUEUE:STATE    zset of ids by: queued, scheduled - when to run; running - the lease's end; done, dead, cancelled - the end
--   ROOT:claims         hash: unique key -> id of the job that is under way
--   ROOT:failures       zset: unique key by when its last job died
--   ROOT:paused         set of queues
--   ROOT:workers        hash: name -> JSON
--   ROOT:ticks:PRODUCER zset: tick (seconds) by when it was claimed
--   ROOT:hours:HOUR     hash: QUEUE:STATE -> how many ended so in that hour since 1970; gone after 26 hours
--   ROOT:actions        list, newest first: when, and JSON of what an operator did
--   ROOT:wake           channel: something may be there to take
--
-- No script unpacks a reply whose length grows with the number of jobs, and none scans.
local root = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + tonumber(ARGV[1])

local function job(id) return root .. ':job:' .. id end
local function set(queue, state) return root .. ':' .. queue .. ':' .. state end
local function wake(queue) redis.call('PUBLISH', root .. ':wake', queue) end

-- Moves a job from one state to another; `score` is what the new state's set is ordered by.
local function move(id, queue, from, to, score)
  redis.call('ZREM', set(queue, from), id)
  redis.call('ZADD', set(queue, to), score, id)
  redis.call('HSET', job(id), 'state', to)
end

-- Frees the unique key of a job, if it is the one that holds it.
local function free(id)
  local key = redis.call('HGET', job(id), 'key')
  if key and redis.call('HGET', root .. ':claims', key) == id then redis.call('HDEL', root .. ':claims', key) end
  return key
end

-- Adds the error of an attempt to the record: a line of JSON. The oldest go when there are more than 20.
local function note_error(id, message)
  local fields = redis.call('HMGET', job(id), 'errors', 'attempts')
  local line = cjson.encode({ attempt = tonumber(fields[2]), at = now, message = message })
  local errors = (fields[1] or '') .. line .. '\n'
  local _, lines = string.gsub(errors, '\n', '')
  if lines > 20 then errors = string.sub(errors, string.find(errors, '\n', 1, true) + 1) end
  redis.call('HSET', job(id), 'errors', errors)
end

-- Forgets a record.
local function forget(id, queue, state)
  redis.call('ZREM', set(queue, state), id)
  redis.call('DEL', job(id))
end

-- Ends a job: it holds its key no longer, and of what ended like it only the newest are kept.
local function finish(id, queue, from, to, max_ended)
  local key = free(id)
  move(id, queue, from, to, now)
  redis.call('HSET', job(id), 'finished_at', now)
  redis.call('HDEL', job(id), 'token', 'suspect_since', 'cancel_asked')
  local hour = root .. ':hours:' .. string.format('%d', math.floor(now / 3600000))
  if redis.call('HINCRBY', hour, queue .. ':' .. to, 1) == 1 then redis.call('EXPIRE', hour, 26 * 3600) end
  if key and to == 'dead' then redis.call('ZADD', root .. ':failures', now, key) end
  if key and to == 'done' then redis.call('ZREM', root .. ':failures', key) end
  if redis.call('ZCARD', set(queue, to)) > max_ended then
    for _, old in ipairs(redis.call('ZRANGE', set(queue, to), 0, 1)) do
      if redis.call('ZCARD', set(queue, to)) > max_ended then forget(old, queue, to) end
    end
  end
end
