"""The quarterly bulletin: what it says, the files it is written to, reading and checking it."""
