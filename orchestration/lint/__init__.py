"""A bulletin checked against itself, as a command and inside a run."""
