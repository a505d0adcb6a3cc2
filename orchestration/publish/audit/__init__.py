"""What auditors read: evidence, trace, report, documentation; nothing here changes a figure."""
