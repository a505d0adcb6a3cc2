"""From exports to the raw lake: find files, map headers by contract, drop personal columns.

The meaning of a column doesn't belong here (see the dbt models).
"""
