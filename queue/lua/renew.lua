-- Renews a lease. ARGV: id, token, lease (ms). Returns 'held', 'cancel' (an operator asks for the job to end) or 'lost'.
local id = ARGV[2]
local fields = redis.call('HMGET', job(id), 'token', 'state', 'queue', 'cancel_asked')
if fields[1] ~= ARGV[3] or fields[2] ~= 'running' then return 'lost' end
redis.call('ZADD', set(fields[3], 'running'), now + tonumber(ARGV[4]), id)
redis.call('HDEL', job(id), 'suspect_since')
return fields[4] and 'cancel' or 'held'
