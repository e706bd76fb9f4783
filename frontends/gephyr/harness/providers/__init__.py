"""A simulated provider that speaks the OpenAI, Anthropic and Gemini APIs."""

from gephyr.harness.providers.provider import SimulatedProvider, SimulatedReply
from gephyr.harness.providers.settings import SimulatedSettings

__all__ = ["SimulatedProvider", "SimulatedReply", "SimulatedSettings"]
