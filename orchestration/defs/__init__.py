"""Dagster definitions, thin: each hands over to the package's plain functions."""
