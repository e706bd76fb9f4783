"""The Anthropic Messages dialect."""

from gephyr_core.dialects.anthropic.dialect import Anthropic

__all__ = ["Anthropic"]
