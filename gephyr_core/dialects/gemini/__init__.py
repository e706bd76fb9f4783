"""The Gemini generateContent dialect."""

from gephyr_core.dialects.gemini.dialect import Gemini

__all__ = ["Gemini"]
