"""The quarterly bulletin: what it says, the files it is written to, and reading published ones."""
