"""Tools' names as a provider is told them: such as it takes, and no two alike."""

from collections.abc import Iterable

import attrs

from gephyr_core.conversation.prompt import HostedTool, Tool, called


@attrs.define
class ToolNames:
    """Names of one request's tools. The same for its tools, its choice, its history and its reply."""

    changed: dict[str, str] = attrs.field(factory=dict, kw_only=True)
    """The provider's to those here, where they differ."""
    _written: dict[str, str] = attrs.field(factory=dict, init=False)
    _taken: dict[str, None] = attrs.field(factory=dict, init=False)

    def fitted(self, name: str) -> str:
        """The name as the provider takes it: itself, or one that is made of it and its digest."""
        raise NotImplementedError

    def reserve(self, tools: Iterable[Tool], taken: Iterable[str] = ()) -> None:
        """Let names that the provider takes stay as they are, before others are made. *taken*: names of the provider's
        own tools."""
        self._taken.update(dict.fromkeys(taken))
        names = [called(tool) for tool in tools if not isinstance(tool, HostedTool)]
        fitting = [name for name in names if self.fitted(name) == name]
        for name in (*fitting, *names):
            self.of(name)

    def of(self, name: str) -> str:
        """The provider's name of a tool."""
        written = self._written.get(name)
        if written is None:
            written, number = self.fitted(name), 1
            while written in self._taken:
                number += 1
                written = self.fitted(f"{name} {number}")  # No provider takes a space: a digest stands there.
            self._written[name] = written
            self._taken[written] = None
            if written != name:
                self.changed[written] = name
        return written
