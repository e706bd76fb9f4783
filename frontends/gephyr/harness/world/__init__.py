"""The simulated world: clients, providers and faults in virtual time, around the real gateway."""

from gephyr.harness.world.settings import ClientSettings, Fault, ProviderSettings, Spread

__all__ = ["ClientSettings", "Fault", "ProviderSettings", "Spread"]
