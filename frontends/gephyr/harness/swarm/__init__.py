"""The search for a broken invariant: many short runs with everything combined at random."""

from gephyr.harness.swarm.search import Found, search
from gephyr.harness.swarm.toml import written

__all__ = ["Found", "search", "written"]
