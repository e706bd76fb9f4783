"""Everything of Gephyr that touches the world; the decisions are made in :mod:`gephyr_core`."""

from gephyr_core import __version__

__all__ = ["__version__"]
