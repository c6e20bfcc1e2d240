-- The workers that were seen lately; the others are forgotten. ARGV: forget after (ms). Returns the texts that beat.lua wrote.
local all = {}
local texts = redis.call('HGETALL', root .. ':workers')
for i = 1, #texts, 2 do
  local seen = tonumber(string.match(texts[i + 1], '^%d+') or 0)
  if math.abs(now - seen) > tonumber(ARGV[2]) then
    redis.call('HDEL', root .. ':workers', texts[i])
  else
    all[#all + 1] = texts[i + 1]
  end
end
return all
