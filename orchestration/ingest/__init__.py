"""Exports → raw lake: find, decode, map headers by contract, drop personal columns. No more."""
