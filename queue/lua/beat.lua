-- Notes that a worker lives. ARGV: name, JSON. The time of the server goes with it.
hear(root .. ':workers', ARGV[2], ARGV[3])
return now
