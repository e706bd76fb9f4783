"""The simulated world: clients, providers and faults in virtual time, around the real gateway."""

from gephyr.harness.world.settings import ClientSettings, Fault, ProviderSettings, Spread
from gephyr.harness.world.world import EPOCH, Outcome, Violation, World

__all__ = ["EPOCH", "ClientSettings", "Fault", "Outcome", "ProviderSettings", "Spread", "Violation", "World"]
