-- The processes that were heard of lately; the others are forgotten. ARGV: forget after (ms). Returns the texts that announce.lua wrote.
local living = heard_of(root .. ':processes', tonumber(ARGV[2]), tonumber(ARGV[2]))
return living
