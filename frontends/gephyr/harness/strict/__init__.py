"""Simulated providers that check what they are sent as the real ones do, and play a tool-using conversation."""

from gephyr.harness.strict.provider import StrictProvider

__all__ = ["StrictProvider"]
