"""The checks before publication, and the record of their results. Nothing is published here."""
