-- Forgets a job that does not run. ARGV: id. Returns 1, or 0 when there is none or it runs.
local id = ARGV[2]
local fields = redis.call('HMGET', job(id), 'state', 'queue')
if not fields[1] or fields[1] == 'running' then return 0 end
free(id)
forget(id, fields[2], fields[1])
return 1
