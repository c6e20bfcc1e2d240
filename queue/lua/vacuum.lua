-- Forgets what ended long ago, at most 600 of each queue and state a call. ARGV: keep (ms), queue...
-- Returns how many were forgotten.
local before, gone = now - tonumber(ARGV[2]), 0
for i = 3, #ARGV do
  for _, state in ipairs({ 'done', 'dead', 'cancelled' }) do
    local key = set(ARGV[i], state)
    local old = redis.call('ZRANGEBYSCORE', key, '-inf', before, 'LIMIT', 0, 200)
    for _, id in ipairs(old) do forget(id, ARGV[i], state) end
    gone = gone + #old + trim(key, ARGV[i], state, max_ended, 200)
      + trim(on_demand(ARGV[i], state), ARGV[i], state, max_on_demand, 200)
  end
end
redis.call('ZREMRANGEBYSCORE', root .. ':failures', '-inf', before)
return gone
