-- How jobs stand by their unique keys. ARGV: key... Returns for each: id and state of the job that is under way ('' if none),
-- and when its last job died, unless one has succeeded since (-1: it did not die).
local all = {}
for i = 2, #ARGV do
  local key = ARGV[i]
  local id = redis.call('HGET', root .. ':claims', key) or ''
  local state = id ~= '' and redis.call('HGET', job(id), 'state') or ''
  if not is_under_way(state) then id, state = '', '' end
  local failed = redis.call('ZSCORE', root .. ':failures', key)
  all[#all + 1] = { id, state, failed and tonumber(failed) or -1 }
end
return all
