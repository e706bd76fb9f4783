"""For tests of applications: a real gateway in this process, with simulated providers that can be given troubles."""

from gephyr.testing.accounts import SimulatedAccount
from gephyr.testing.gateway import RunningGateway

__all__ = ["RunningGateway", "SimulatedAccount"]
