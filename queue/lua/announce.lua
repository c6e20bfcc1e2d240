-- Notes that a process lives. ARGV: name, JSON. The time of the server goes with it.
hear(root .. ':processes', ARGV[2], ARGV[3])
return now
