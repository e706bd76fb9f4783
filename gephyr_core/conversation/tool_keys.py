"""The names by which a request's tools are told apart here: a client may have two of one name."""

import hashlib
from collections.abc import Callable, Iterable

import attrs

from gephyr_core.conversation.prompt import ClientTool, HostedTool, Tool, called
from gephyr_core.conversation.report import Report


def _kind(tool: ClientTool) -> str:
    return tool.type


@attrs.define
class ToolKeys:
    """Gives each tool of a request a name of its own. The first of a name keeps it; the same tools always get the same
    names, whatever tools follow."""

    report: Report
    kind_of: Callable[[ClientTool], str] = _kind
    """What tells typed tools of one name apart."""
    _keys: dict[tuple[str, str], str] = attrs.field(factory=dict)
    """By kind (empty for functions) and the client's own name."""
    _wanted: dict[str, int] = attrs.field(factory=dict)
    """How many tools wanted a name."""

    def knows(self, tool: Tool) -> bool:
        """Whether a tool of this kind and name is there."""
        return self._identity(tool) in self._keys

    def add(self, tools: Iterable[Tool]) -> list[Tool]:
        """Return the tools with names of their own."""
        return [self._keyed(tool) for tool in tools]

    def of(self, kind: str, name: str) -> str | None:
        """The name by which the first tool of a kind and a client's name is known here; None where there is none."""
        return self._keys.get((kind, name))

    def _identity(self, tool: Tool) -> tuple[str, str]:
        if isinstance(tool, ClientTool):
            return self.kind_of(tool), tool.function.own_name or tool.function.name
        return ("hosted", tool.type) if isinstance(tool, HostedTool) else ("", tool.own_name or tool.name)

    def _keyed(self, tool: Tool) -> Tool:
        identity, wanted = self._identity(tool), called(tool)
        if isinstance(tool, HostedTool):
            self._keys.setdefault(identity, wanted)
            return tool
        number = self._wanted[wanted] = self._wanted.get(wanted, 0) + 1
        key = wanted
        if number > 1:
            told_apart = "\0".join((*identity, str(number))).encode("utf-8", "surrogatepass")
            key = f"{wanted}_{hashlib.sha256(told_apart).hexdigest()[:8]}"
            self.report.changed(tool.path, f"another tool is called {wanted!r}: this one is {key!r} there")
        self._keys.setdefault(identity, key)
        if key == wanted:
            return tool
        if isinstance(tool, ClientTool):
            own_name = tool.function.own_name or wanted
            return attrs.evolve(tool, function=attrs.evolve(tool.function, name=key, own_name=own_name))
        return attrs.evolve(tool, name=key, own_name=tool.own_name or wanted)


def own_names(tools: Iterable[Tool]) -> dict[str, str]:
    """The names of tools here to the client's own, where they differ."""
    functions = [tool.function if isinstance(tool, ClientTool) else tool for tool in tools]
    return {one.name: one.own_name for one in functions if not isinstance(one, HostedTool) and one.own_name}
