"""Model names to targets: which model is asked of which provider, in which order."""

from collections.abc import Iterable, Mapping, Sequence

import attrs


@attrs.frozen
class Target:
    """One place a request can be served: a model, at one provider or at whichever serves it."""

    model: str
    provider: str | None = None

    def __str__(self) -> str:
        return self.model if self.provider is None else f"{self.provider}/{self.model}"


class ModelPattern:
    """A model name that may hold ``*``, which stands for any characters, slashes included."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.exact = "*" not in text
        self._parts = text.split("*")

    def matches(self, model: str) -> bool:
        """Whether *model* fits. Takes time linear in its length: it is the client's to choose."""
        if self.exact:
            return model == self.text
        first, *middle, last = self._parts
        position, end = len(first), len(model) - len(last)
        if position > end or not model.startswith(first) or not model.endswith(last):
            return False
        for part in middle:  # each at its earliest place leaves the most room for those after it
            found = model.find(part, position, end)
            if found < 0:
                return False
            position = found + len(part)
        return True

    @property
    def specificity(self) -> int:
        """The more characters are fixed, the more specific."""
        return len(self.text) - self.text.count("*")


class ModelTable:
    """The ``[models]`` table of a configuration, together with the models its accounts list."""

    def __init__(
        self,
        routes: Mapping[str, Sequence[str]],
        default: Sequence[str],
        providers: Iterable[str],
        account_models: Iterable[str],
    ) -> None:
        """*providers*: names that count as a ``provider/`` prefix. *account_models*: every entry of every account."""
        self._providers = frozenset(providers)
        self._exact = {name: tuple(route) for name, route in routes.items() if "*" not in name}
        wildcards = [(ModelPattern(name), tuple(route)) for name, route in routes.items() if "*" in name]
        self._wildcards = sorted(wildcards, key=lambda entry: -entry[0].specificity)
        self._default = tuple(default)
        patterns = [ModelPattern(text) for text in account_models]
        self._listed = frozenset(pattern.text for pattern in patterns if pattern.exact)
        self._account_wildcards = [pattern for pattern in patterns if not pattern.exact]

    def resolve(self, name: str) -> tuple[Target, ...]:
        """Return the targets of a model name, in the order they are tried.

        An exact mapping or an exact entry of an account wins, then the most specific wildcard mapping, then the
        reading as ``provider/model``, then an account's wildcard, then the default; else the name means itself.
        """
        if name in self._exact:
            return self._targets(self._exact[name])
        if name in self._listed:
            return (Target(name),)
        for pattern, route in self._wildcards:
            if pattern.matches(name):
                return self._targets(route)
        prefixed = self._prefixed(name)
        if prefixed is not None:
            return (prefixed,)
        if self._default and not any(pattern.matches(name) for pattern in self._account_wildcards):
            return self._targets(self._default)
        return (Target(name),)

    @property
    def default(self) -> tuple[Target, ...]:
        """The targets of names that nothing else says anything of."""
        return self._targets(self._default)

    def matches_wildcard(self, name: str) -> bool:
        """Whether a wildcard, of a mapping or of an account, matches *name*."""
        patterns = [*(pattern for pattern, _ in self._wildcards), *self._account_wildcards]
        return any(pattern.matches(name) for pattern in patterns)

    def _targets(self, route: Iterable[str]) -> tuple[Target, ...]:
        return tuple(self._target(text) for text in route)

    def _target(self, text: str) -> Target:
        if text in self._listed:
            return Target(text)
        return self._prefixed(text) or Target(text)

    def _prefixed(self, text: str) -> Target | None:
        provider, slash, model = text.partition("/")
        return Target(model, provider) if slash and model and provider in self._providers else None
