"""What differs from provider to provider, whatever the dialect: addresses, credentials, the meaning of errors."""

from gephyr_core.providers.classification import Verdict, classify_error, classify_reply
from gephyr_core.providers.table import PROVIDERS, AuthScheme, Provider

__all__ = ["PROVIDERS", "AuthScheme", "Provider", "Verdict", "classify_error", "classify_reply"]
