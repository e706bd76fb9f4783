"""What a translation asks of a dialect: requests, replies and streams to and from ``conversation``."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import attrs
import msgspec

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import HostedCall, HostedResult, Part, Signature, ToolCall
from gephyr_core.conversation.prompt import HostedTool, Prompt
from gephyr_core.conversation.reply import Delta, Reply
from gephyr_core.conversation.report import Report
from gephyr_core.errors import Problem
from gephyr_core.http import Header

FOREIGN = "-"
"""Stands for organisations that signed nothing of what is written."""


@attrs.frozen
class Destination:
    """Whom a request is written for."""

    dialect: str
    provider: str
    """The provider's name, for messages."""
    model: str
    capabilities: Capabilities = attrs.field(factory=Capabilities)
    organization: str = ""
    """Digest of the account's organisation; empty where it is not known, ``FOREIGN`` where it signed nothing."""
    default_max_tokens: int = 32768
    """For a dialect that demands a limit, where neither the client nor the model's capabilities say one."""
    hosted_tools: Literal["drop", "refuse"] = "drop"
    """What becomes of a hosted tool that is not there, where the client offers other tools too."""

    def accepts(self, signature: Signature | None) -> bool:
        """Whether the destination would take *signature* for its own. What is not known is not held against it."""
        if signature is None or signature.origin.dialect != self.dialect or self.organization == FOREIGN:
            return False
        origin = signature.origin
        same_organization = not (origin.organization and self.organization) or origin.organization == self.organization
        return same_organization and (not origin.model or origin.model == self.model)


def not_available(tool: HostedTool, destination: Destination) -> str:
    """Why *destination* cannot be given a hosted tool that it does not have."""
    return f"hosted tool {tool.type!r} is not available on provider {destination.provider!r}"


@attrs.frozen
class StandIn:
    """A schema for the whole reply in place of a forced call of a tool: the reply's text is the call. Or in place of a
    schema whose root the provider does not take."""

    name: str = ""
    """The client's name of the tool whose arguments the text is. Empty: the text says which tool is called,
    ``{"call": {"name": ..., "arguments": ...}}``."""
    freeform: tuple[str, ...] = ()
    """Names (the client's) of freeform tools: their arguments are ``{"input": ...}``."""
    of_value: bool = False
    """The text is no call, but ``{"value": ...}``, and the client is told the value."""


@attrs.frozen
class Written:
    """A request in a provider's dialect."""

    body: dict[str, Any]
    headers: tuple[Header, ...] = ()
    """Headers the dialect demands (``anthropic-version``, ``anthropic-beta``)."""
    tool_names: Mapping[str, str] = attrs.field(factory=dict)
    """Names that had to be changed: the provider's to the client's."""
    freeform: tuple[str, ...] = ()
    """Names (the client's) of freeform tools carried as functions whose only argument is the string ``input``."""
    structured: str = ""
    """Name of the forced tool that stands in for structured output: its arguments are the reply's text."""
    structured_wrapped: bool = False
    """The arguments are ``{"value": ...}``, for a schema whose root is no object."""
    stand_in: StandIn | None = None
    """What stands in for what the client demands of the reply and the model cannot be asked for."""


@attrs.frozen
class ReplyContext:
    """What writing a reply needs to know about the request."""

    key: str
    """Letters and digits, unique for the request and the same for each of its attempts; ids are made of it."""
    created: int
    """Seconds since the epoch."""
    model: str
    """The model the client asked for; told where the provider does not name one."""
    request: Mapping[str, msgspec.Raw] = attrs.field(factory=dict)
    """The client's request, for the dialect that repeats parts of it in its replies."""
    include_usage: bool = True
    names: Mapping[str, str] = attrs.field(factory=dict)
    """Names of tools here to the client's own, where they differ."""
    client_tools: Mapping[str, str] = attrs.field(factory=dict)
    """Names of the client's typed tools to their type: a call of one may have a shape of its own."""
    freeform: tuple[str, ...] = ()
    """Names of the client's freeform tools."""
    search: str = ""
    """The name of the hosted tool by which the client has tools searched."""
    stored: bool = False
    """Gephyr keeps the reply, and it can be referred to by its id."""
    report: Report = attrs.field(factory=Report, eq=False, repr=False)
    """Takes in what the client's dialect has no place for."""

    def name_of(self, call: ToolCall) -> str:
        """The client's own name of the tool that is called."""
        return self.names.get(call.name, call.name)

    def leave_out_broken(self, call: ToolCall) -> None:
        """Report that the client is not told of a call whose arguments are no object, where its dialect wants one. An
        object that is made of what came of them could run the tool with half of what the model wanted."""
        reason = "its arguments are no JSON object, as where a limit cuts a reply off"
        self.report.dropped(call.path or "output", f"the call of {call.name!r} is left out: {reason}")

    def leave_out(self, part: Part) -> None:
        """Report that the client is not told of *part*, for which its dialect has no shape. It is never told as text: a
        program would take that for the model's answer."""
        if isinstance(part, HostedCall | HostedResult):
            what = f"what the provider's own tool ({part.kind}) did"
        else:
            what = f"a part that is a {type(part).__name__.lower()}"
        self.report.dropped(part.path or "output", f"{what} has no place in the client's dialect")


class DeltaReader(Protocol):
    """Reads one attempt's stream. State is bounded by the reply."""

    @property
    def finished(self) -> bool:
        """Whether the provider has told why the reply stopped, where only usage and the stream's end may follow."""

    def read(self, event: bytes) -> list[Delta]:
        """Read one whole event, framed as it came. Never raises: what is unreadable is a ``Failed``, what means nothing
        (comments, pings) is empty. After ``Ended`` or ``Failed`` nothing comes any more."""

    def finish(self) -> list[Delta]:
        """The stream ended cleanly: close what is open. ``Ended`` if it had told why it stopped, else ``Failed``."""


class DeltaWriter(Protocol):
    """Writes one client's stream."""

    def write(self, delta: Delta) -> bytes:
        """Write what *delta* means, which may be nothing yet. ``Failed`` gives the dialect's own error event."""

    def failure(self, problem: Problem) -> bytes:
        """The one terminal event that ends the stream after a failure; empty when a terminal was written."""


class ClientTranslator(Protocol):
    """The half of a dialect's translator that faces clients. Stateless; one instance each."""

    name: str

    def read_request(self, body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
        """Read a client's request. Takes *body* apart. *model*, *stream*: as the path or the envelope said.

        Raises ``FieldError`` for a field that is not what the dialect wants, ``UntranslatableError`` for one that no
        dialect can do.
        """

    def write_reply(self, reply: Reply, context: ReplyContext) -> bytes:
        """Write a whole reply for a client."""

    def delta_writer(self, context: ReplyContext) -> DeltaWriter:
        """Return a writer for one client's stream."""

    def write_count_reply(self, tokens: int) -> bytes:
        """Write the answer to a request that counts tokens."""


class Translator(ClientTranslator, Protocol):
    """One dialect's way to and from the neutral model: for clients, and for providers."""

    def write_request(self, prompt: Prompt, destination: Destination, report: Report) -> Written:
        """Write a request for a provider. Raises ``UntranslatableError`` for what cannot be said there.

        The same turns always give the same bytes, whatever comes after them: providers cache by prefix.
        """

    def lacks(self, tool: HostedTool, destination: Destination, *, alone: bool) -> str:
        """Why *destination* cannot be given a hosted tool; empty where it can. *alone*: no other kind of tool is
        offered."""

    def read_reply(self, body: bytes, report: Report) -> Reply:
        """Read a whole reply with status 200. Raises ``ValueError`` when it is none."""

    def delta_reader(self, report: Report) -> DeltaReader:
        """Return a reader for one attempt's stream."""

    def write_count(self, prompt: Prompt, destination: Destination, report: Report) -> Written | None:
        """Write a request that counts the prompt's tokens; None where the dialect cannot ask."""

    def read_count(self, body: bytes) -> int:
        """Read the answer to it. Raises ``ValueError`` when it is none."""
