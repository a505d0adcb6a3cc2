"""Checks a bulletin against itself, for `hotline lint-bulletin` and within a run."""
