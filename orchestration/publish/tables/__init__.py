"""Published tables for BI tools outside this machine."""
