-- Takes jobs back from workers that vanished. A lease that has run out makes its worker a suspect; only a suspect that has not
-- renewed for half a lease more is given up, so that a clock which jumps ahead robs nobody: the living renew meanwhile.
-- Where the clock jumped back, leases and times to run are brought near again. ARGV: queue...
-- Returns how many were queued again, and how many died.
local queued, dead = 0, 0
for i = 2, #ARGV do
  local queue = ARGV[i]
  for _, id in ipairs(redis.call('ZREVRANGE', set(queue, 'running'), 0, 99)) do
    local lease = tonumber(redis.call('HGET', job(id), 'lease') or 0)
    local ends = tonumber(redis.call('ZSCORE', set(queue, 'running'), id))
    if ends > now + lease + 1000 then redis.call('ZADD', set(queue, 'running'), now + lease, id) end
  end
  for _, id in ipairs(redis.call('ZREVRANGE', set(queue, 'scheduled'), 0, 99)) do
    local delay = tonumber(redis.call('HGET', job(id), 'delay') or 0)
    local at = tonumber(redis.call('ZSCORE', set(queue, 'scheduled'), id))
    if at > now + delay + 1000 then
      redis.call('ZADD', set(queue, 'scheduled'), now + delay, id)
      redis.call('HSET', job(id), 'run_at', now + delay)
    end
  end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', set(queue, 'running'), '-inf', now, 'LIMIT', 0, 100)) do
    local fields = redis.call('HMGET', job(id), 'suspect_since', 'lease', 'attempts', 'max_attempts', 'worker', 'cancel_asked')
    local since = tonumber(fields[1] or 0)
    if not fields[3] then
      forget(id, queue, 'running')
    elseif since == 0 or since > now then
      redis.call('HSET', job(id), 'suspect_since', now)
    elseif since <= now - tonumber(fields[2]) / 2 then
      -- Nobody knows how long the attempt took.
      count_run(id, 'failed')
      note_error(id, 'the worker ' .. (fields[5] or '?') .. ' vanished')
      if fields[6] then
        finish(id, queue, 'running', 'cancelled')
      elseif tonumber(fields[3]) >= tonumber(fields[4]) then
        finish(id, queue, 'running', 'dead')
        dead = dead + 1
      else
        move(id, queue, 'running', 'queued', now)
        redis.call('HSET', job(id), 'run_at', now)
        redis.call('HDEL', job(id), 'token', 'suspect_since')
        wake(queue)
        queued = queued + 1
      end
    end
  end
end
return { queued, dead }
