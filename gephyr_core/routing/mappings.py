"""Mappings of ``[models]`` that lead to a provider of which there is no account."""

import difflib
from collections.abc import Iterator, Sequence

import attrs

from gephyr_core.config import AccountConfig, Config, provider_kind
from gephyr_core.config.problems import Path
from gephyr_core.providers import PROVIDERS
from gephyr_core.routing.models import ModelPattern

_NEAR = 0.75
"""How alike two names are where one may be the other, mistyped (``difflib``, 1: the same)."""


@attrs.frozen
class Serving:
    """What an account serves, whether it is enabled or not."""

    account: str
    provider: str
    models: tuple[str, ...]
    """As in ``accounts[].models``; empty: every name."""


def serving(account: AccountConfig) -> Serving:
    """Return what a configured account serves."""
    return Serving(account.id, account.provider, account.models)


def mappings_without_account(config: Config, added: Sequence[Serving]) -> Iterator[tuple[Path, str]]:
    """Yield place and text of every target whose provider no account has, of *config* or *added* by command.

    Without any account nothing is yielded: that is told by itself. A target that an account lists among its ``models``
    is the name of a model, as in :class:`~gephyr_core.routing.models.ModelTable`, and never a mistake.
    """
    accounts = [*map(serving, config.accounts), *added]
    if accounts:
        yield from _faults(config, accounts)


def mappings_left_by(config: Config, added: Sequence[Serving], account: str) -> Iterator[tuple[Path, str]]:
    """Yield likewise the targets that *account* is the last to serve the provider of."""
    accounts = [*map(serving, config.accounts), *added]
    before = [path for path, _ in _faults(config, accounts)]
    after = _faults(config, [one for one in accounts if one.account != account])
    yield from ((path, message) for path, message in after if path not in before)


def _faults(config: Config, accounts: Sequence[Serving]) -> Iterator[tuple[Path, str]]:
    pool = _Pool(config, accounts)
    for name, targets in {**config.models.routes, "default": config.models.default}.items():
        for index, target in enumerate(targets):
            if message := pool.fault_of(target):
                yield ("models", name, *((index,) if len(targets) > 1 else ())), message


class _Pool:
    def __init__(self, config: Config, accounts: Sequence[Serving]) -> None:
        self._present = list(dict.fromkeys(account.provider for account in accounts))
        self._known = {*PROVIDERS, *config.providers}
        self._listed = [ModelPattern(text) for account in accounts for text in account.models]
        kinds = {account.provider: PROVIDERS.get(provider_kind(config, account.provider)) for account in accounts}
        open_to_all = [account.provider for account in accounts if not account.models]
        self._many_makers = [name for name in open_to_all if (kind := kinds[name]) is not None and kind.many_makers]

    def fault_of(self, target: str) -> str:
        """Say what is wrong with a target; empty where nothing is."""
        provider, slash, model = target.partition("/")
        if not slash or not model or provider in self._present:
            return ""
        if any(pattern.matches(target) for pattern in self._listed):
            return ""
        present = {name.lower(): name for name in self._present}
        close = difflib.get_close_matches(provider.lower()[:64], present, 1, _NEAR)
        near = [f"{present[name]}/{model}" for name in close]
        if provider not in self._known:
            # The name of a model, then, unless it is plainly a provider's mistyped and nobody serves such names.
            if self._many_makers or not near:
                return ""
        else:
            near = near or [f"{name}/{target}" for name in self._many_makers[:1]]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"no account of provider {provider!r}{hint}"
