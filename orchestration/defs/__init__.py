"""Thin Dagster definitions: each calls plain functions of the other packages."""
