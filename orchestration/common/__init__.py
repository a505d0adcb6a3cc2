"""Shared code that every package may import: errors, settings, quarters, rounding, text, locks."""
