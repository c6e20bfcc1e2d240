-- Takes the next job: strictly by the order of the queues, then by when it was to run, then by id. The attempt counts from here
-- on, so that a job which kills its process runs out of attempts.
-- ARGV: token, worker, lease (ms), deadline (ms by the server's clock; 0: none), queue...
-- Returns the record, or nothing and the milliseconds until the next scheduled one (-1: none); and the server's time.
local token, worker, lease, deadline = ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local server_now = now - shift
local wait = -1
-- Whoever asked has given up. (Or the server's clock jumped ahead: then it asks again at once.)
if deadline > 0 and server_now > deadline then return { false, 0, server_now } end
for i = 6, #ARGV do
  local queue = ARGV[i]
  if redis.call('SISMEMBER', root .. ':paused', queue) == 0 then
    for _, id in ipairs(redis.call('ZRANGEBYSCORE', set(queue, 'scheduled'), '-inf', now, 'LIMIT', 0, 100)) do
      move(id, queue, 'scheduled', 'queued', redis.call('ZSCORE', set(queue, 'scheduled'), id))
    end
    for _ = 1, 100 do
      local first = redis.call('ZRANGE', set(queue, 'queued'), 0, 0)
      if #first == 0 then break end
      local id = first[1]
      -- An id whose record is gone (evicted, deleted by hand) is dropped. A state alone is no record.
      if redis.call('HEXISTS', job(id), 'payload') == 1 then
        move(id, queue, 'queued', 'running', now + lease)
        redis.call('HINCRBY', job(id), 'attempts', 1)
        redis.call('HSET', job(id), 'token', token, 'worker', worker, 'lease', lease, 'started_at', now)
        redis.call('HDEL', job(id), 'suspect_since', 'cancel_asked')
        return { redis.call('HGETALL', job(id)), 0, server_now }
      end
      forget(id, queue, 'queued')
    end
    local soonest = redis.call('ZRANGE', set(queue, 'scheduled'), 0, 0, 'WITHSCORES')
    if #soonest > 0 then
      local left = math.max(tonumber(soonest[2]) - now, 0)
      if wait < 0 or left < wait then wait = left end
    end
  end
end
return { false, wait, server_now }
