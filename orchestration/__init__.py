"""The pipeline of the hotline warehouse: from raw exports to published quarterly figures."""

from importlib.metadata import version

__version__ = version("hotline-warehouse")
