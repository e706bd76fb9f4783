"""OAuth accounts: how their access tokens are had, kept and renewed."""

from gephyr.runtime.tokens.endpoint import TokenEndpoint
from gephyr.runtime.tokens.google import KeyFileError, ServiceAccountGrant
from gephyr.runtime.tokens.grants import Grant, RefreshGrant
from gephyr.runtime.tokens.login import BrowserLogin, LoginError
from gephyr.runtime.tokens.memory import MemoryTokens
from gephyr.runtime.tokens.refresher import TokenRefresh

__all__ = [
    "BrowserLogin",
    "Grant",
    "KeyFileError",
    "LoginError",
    "MemoryTokens",
    "RefreshGrant",
    "ServiceAccountGrant",
    "TokenEndpoint",
    "TokenRefresh",
]
