"""Client keys, compared as digests."""

import hmac
from collections.abc import Sequence

ANONYMOUS = ""
"""The owner of what is made where no key was needed."""


class Authenticator:
    """Knows the digests of the client keys and where none is needed."""

    def __init__(self, mode: str, key_digests: Sequence[str]) -> None:
        """*mode*: ``strict``, ``all_except_health`` or ``off``."""
        self._mode = mode
        self._digests = tuple(key_digests)

    def owner(self, credentials: Sequence[str]) -> str | None:
        """Return the digest of the first presented key that is known, None when there is none.

        Every comparison takes the same time wherever the first difference stands.
        """
        if self._mode == "off":
            return credentials[0] if credentials else ANONYMOUS
        for presented in credentials:
            for known in self._digests:
                if hmac.compare_digest(presented, known):
                    return known
        return None

    def is_free(self, operation: str, *, from_loopback: bool) -> bool:
        """Whether an operation needs no key: the probe always, health from this machine or by configuration."""
        if operation == "probe" or self._mode == "off":
            return True
        return operation == "health" and (from_loopback or self._mode == "all_except_health")
