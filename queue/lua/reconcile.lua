-- Mends what a lost key left behind, a page of every set a call, so that no unique key is held for ever: a claim without its job
-- is freed, a job that is under way is put back into its set and gets back its claim, an id without its record is dropped.
-- ARGV: ids a page, cursor of the claims, and for each set of jobs under way: queue, state, cursor.
-- Returns how many were mended, and the cursors of the next pages in the same order.
local page, mended, cursors = ARGV[2], 0, {}

local claims = root .. ':claims'
local found = redis.call('HSCAN', claims, ARGV[3], 'COUNT', page)
cursors[1] = found[1]
for i = 1, #found[2], 2 do
  local key, id = found[2][i], found[2][i + 1]
  local fields = redis.call('HMGET', job(id), 'payload', 'key', 'state', 'queue', 'run_at', 'lease')
  local state, queue = fields[3], fields[4]
  if not fields[1] or fields[2] ~= key or not queue or not is_under_way(state) then
    redis.call('HDEL', claims, key)
    mended = mended + 1
  elseif not redis.call('ZSCORE', set(queue, state), id) then
    -- A living worker renews before this lease is over; the job of a vanished one is rescued after it.
    local score = state == 'running' and now + tonumber(fields[6] or 0) or tonumber(fields[5] or now)
    redis.call('ZADD', set(queue, state), score, id)
    if state ~= 'running' then wake(queue) end
    mended = mended + 1
  end
end

for i = 4, #ARGV, 3 do
  local queue, state = ARGV[i], ARGV[i + 1]
  found = redis.call('ZSCAN', set(queue, state), ARGV[i + 2], 'COUNT', page)
  cursors[#cursors + 1] = found[1]
  for n = 1, #found[2], 2 do
    local id = found[2][n]
    local fields = redis.call('HMGET', job(id), 'payload', 'key', 'state', 'queue')
    if not fields[1] or not fields[2] then
      forget(id, queue, state)
      mended = mended + 1
    elseif fields[3] ~= state or fields[4] ~= queue then
      redis.call('ZREM', set(queue, state), id)
      mended = mended + 1
    elseif redis.call('HSETNX', claims, fields[2], id) == 1 then
      mended = mended + 1
    end
  end
end
return { mended, cursors }
