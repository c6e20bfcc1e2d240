-- Forgets what ended long ago, at most 200 of each queue and state a call. ARGV: keep (ms), max_ended, queue...
-- Returns how many were forgotten.
local before, max_ended, gone = now - tonumber(ARGV[2]), tonumber(ARGV[3]), 0
for i = 4, #ARGV do
  for _, state in ipairs({ 'done', 'dead', 'cancelled' }) do
    local key = set(ARGV[i], state)
    local old = redis.call('ZRANGEBYSCORE', key, '-inf', before, 'LIMIT', 0, 200)
    local over = math.min(redis.call('ZCARD', key) - #old - max_ended, 200)
    for _, id in ipairs(old) do forget(id, ARGV[i], state) end
    if over > 0 then
      for _, id in ipairs(redis.call('ZRANGE', key, 0, over - 1)) do forget(id, ARGV[i], state) end
    end
    gone = gone + #old + math.max(over, 0)
  end
end
redis.call('ZREMRANGEBYSCORE', root .. ':failures', '-inf', before)
return gone
