"""What every package may use: errors, settings, quarters, rounding, safe text, locks."""
