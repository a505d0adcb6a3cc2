"""The `hotline` command: its commands, what they print, and the job they run."""
