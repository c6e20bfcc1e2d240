-- The workers that were heard of lately, and those that vanished. ARGV: for how long a worker may be silent, and is remembered (ms).
-- Returns two lists of the texts that beat.lua wrote.
local living, lost = heard_of(root .. ':workers', tonumber(ARGV[2]), tonumber(ARGV[3]))
return { living, lost }
