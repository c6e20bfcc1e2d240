-- Put before every script. KEYS[1] is the root of all keys; the scripts derive the others from it, which Redis Cluster would not allow
-- without a declaration. Redis Cluster is refused. The braces of the root are part of the names and have no other use. ARGV[1] has three numbers: milliseconds that shift the server's
-- clock (tests), how many ended jobs are kept of each queue and state, and how many of these may be on demand.
--
--   ROOT:job:ID         hash: the record
--   ROOT:QUEUE:STATE    zset of ids by: queued, scheduled - when to run; running - the lease's end; done, dead, cancelled - the end
--   ROOT:QUEUE:STATE:on-demand  zset: those of an ended state that visitors caused
--   ROOT:claims         hash: unique key -> id of the job that is under way
--   ROOT:failures       zset: unique key by when its last job died
--   ROOT:paused         set of queues
--   ROOT:workers        hash: name -> when it was heard of, and JSON; the vanished are in it for a week
--   ROOT:processes      hash: name -> when it was heard of, and JSON
--   ROOT:ticks:PRODUCER zset: tick (seconds) by when it was claimed
--   ROOT:hours:HOUR     hash: QUEUE:STATE -> how many ended so in that hour since 1970; gone after 26 hours
--   ROOT:runs:HOUR      hash: done:KIND, failed:KIND -> how many attempts ended so in that hour; BUCKET:KIND -> how many took so long
--                       (see run_times.rs); max:KIND -> the longest in milliseconds; gone after 26 hours
--   ROOT:actions        list, newest first: when, and JSON of what an operator did
--   ROOT:wake           channel: something may be there to take
--
-- No script unpacks a reply whose length grows with the number of jobs, and none scans more than a page.
local root = KEYS[1]
local shift, max_ended, max_on_demand = string.match(ARGV[1], '^(-?%d+) (%d+) (%d+)$')
shift, max_ended, max_on_demand = tonumber(shift), tonumber(max_ended), tonumber(max_on_demand)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + shift
-- Of so many keys it is known that their last job died.
local MAX_FAILURES = 10000

local function job(id) return root .. ':job:' .. id end
local function set(queue, state) return root .. ':' .. queue .. ':' .. state end
local function on_demand(queue, state) return set(queue, state) .. ':on-demand' end
local function is_under_way(state) return state == 'queued' or state == 'scheduled' or state == 'running' end
local function wake(queue) redis.call('PUBLISH', root .. ':wake', queue) end

-- The values of a hash of those who tell that they live: of those who were heard of in the last `silent` milliseconds, and of the others.
-- Who was not heard of for `keep` milliseconds is forgotten.
local function heard_of(key, silent, keep)
  local living, lost, texts = {}, {}, redis.call('HGETALL', key)
  for i = 1, #texts, 2 do
    local age = math.abs(now - tonumber(string.match(texts[i + 1], '^%d+') or 0))
    if age <= silent then
      living[#living + 1] = texts[i + 1]
    elseif age > keep then
      redis.call('HDEL', key, texts[i])
    else
      lost[#lost + 1] = texts[i + 1]
    end
  end
  return living, lost
end

-- Notes that somebody lives. Somebody new may push out who was heard of last of all, so that at most 500 are remembered.
local function hear(key, name, text)
  if redis.call('HSET', key, name, now .. ' ' .. text) == 0 or redis.call('HLEN', key) <= 500 then return end
  local oldest, since, texts = name, now, redis.call('HGETALL', key)
  for i = 1, #texts, 2 do
    local seen = tonumber(string.match(texts[i + 1], '^%d+') or 0)
    if seen < since then oldest, since = texts[i], seen end
  end
  if oldest ~= name then redis.call('HDEL', key, oldest) end
end

-- The bucket of a time in milliseconds: see run_times.rs, which does the same.
local function bucket(ms)
  if ms < 8 then return ms end
  local doublings, base = 3, 8
  while ms >= base * 2 and doublings < 31 do doublings, base = doublings + 1, base * 2 end
  return 8 * (doublings - 2) + math.min(math.floor((ms - base) * 8 / base), 7)
end

-- Counts an attempt of a job that ended: how (done or failed), and how long it took where `started` says when it began.
local function count_run(id, how, started)
  local name = redis.call('HGET', job(id), 'name') or '?'
  local key = root .. ':runs:' .. string.format('%d', math.floor(now / 3600000))
  if redis.call('HINCRBY', key, how .. ':' .. name, 1) == 1 then redis.call('EXPIRE', key, 26 * 3600) end
  if not started then return end
  local ran = math.max(now - tonumber(started), 0)
  redis.call('HINCRBY', key, string.format('%d', bucket(ran)) .. ':' .. name, 1)
  if ran >= tonumber(redis.call('HGET', key, 'max:' .. name) or 0) then redis.call('HSET', key, 'max:' .. name, string.format('%d', ran)) end
end

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
  redis.call('ZREM', on_demand(queue, state), id)
  redis.call('DEL', job(id))
end

-- Forgets the oldest of a set of ended jobs until it holds `most`, at most so many a call.
local function trim(key, queue, state, most, limit)
  local over = math.min(redis.call('ZCARD', key) - most, limit)
  if over <= 0 then return 0 end
  for _, id in ipairs(redis.call('ZRANGE', key, 0, over - 1)) do
    -- An older program that queues a job again leaves it in the set of those on demand.
    if redis.call('HGET', job(id), 'state') == state then forget(id, queue, state) else redis.call('ZREM', key, id) end
  end
  return over
end

-- Ends a job: it holds its key no longer, and of what ended like it only the newest are kept.
local function finish(id, queue, from, to)
  local key = free(id)
  move(id, queue, from, to, now)
  redis.call('HSET', job(id), 'finished_at', now)
  redis.call('HDEL', job(id), 'token', 'suspect_since', 'cancel_asked')
  local hour = root .. ':hours:' .. string.format('%d', math.floor(now / 3600000))
  if redis.call('HINCRBY', hour, queue .. ':' .. to, 1) == 1 then redis.call('EXPIRE', hour, 26 * 3600) end
  if key and to == 'dead' then
    redis.call('ZADD', root .. ':failures', now, key)
    redis.call('ZREMRANGEBYRANK', root .. ':failures', 0, -MAX_FAILURES - 1)
  end
  if key and to == 'done' then redis.call('ZREM', root .. ':failures', key) end
  trim(set(queue, to), queue, to, max_ended, 2)
  if redis.call('HEXISTS', job(id), 'on_demand') == 1 then
    redis.call('ZADD', on_demand(queue, to), now, id)
    trim(on_demand(queue, to), queue, to, max_on_demand, 2)
  end
end
