"""Tokens of a process without a data directory: they live as long as it does."""

import structlog

from gephyr.runtime.store_tokens import StoredToken

_log = structlog.get_logger()


class MemoryTokens:
    """A :class:`gephyr.runtime.store_tokens.TokenStore` in memory."""

    def __init__(self) -> None:
        self._tokens: dict[str, StoredToken] = {}
        self._warned = False

    def tokens(self) -> list[StoredToken]:
        """Return the tokens, by account."""
        return [self._tokens[account] for account in sorted(self._tokens)]

    def begin_refresh(self, account: str, now: float) -> None:  # noqa: ARG002
        """Warn of what will be lost, once."""
        if not self._warned:
            self._warned = True
            _log.warning(
                "refresh tokens that are renewed will be lost when this process ends: set server.data_dir",
                account=account,
            )

    def keep_token(self, token: StoredToken) -> None:
        """Keep a token in place of the account's older one."""
        self._tokens[token.account] = token

    def abandon_refresh(self, account: str) -> None:
        """Do nothing."""

    def interrupted_refreshes(self) -> list[str]:
        """Return nothing."""
        return []

    def forget_token(self, account: str) -> None:
        """Remove the account's token."""
        self._tokens.pop(account, None)
