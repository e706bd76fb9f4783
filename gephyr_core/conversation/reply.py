"""A reply, whole or as it streams, in no dialect."""

import enum

import attrs
import msgspec

from gephyr_core.conversation.parts import Citation, Part, Signature
from gephyr_core.errors import ErrorKind
from gephyr_core.records import Usage


class StopReason(enum.Enum):
    """Why a reply ended; the table is ``docs/mapping.md#stop-reasons``."""

    END = "end"
    STOP_SEQUENCE = "stop_sequence"
    MAX_TOKENS = "max_tokens"
    CONTEXT_FULL = "context_full"
    TOOL_CALL = "tool_call"
    PAUSED = "paused"
    """The provider's own tool loop stopped half-way; the client may ask it to go on."""
    REFUSAL = "refusal"
    """The model will not."""
    FILTERED = "filtered"
    """The output was cut by a filter."""
    PROMPT_BLOCKED = "prompt_blocked"
    BAD_TOOL_CALL = "bad_tool_call"
    """The model called a tool in a way that the provider could not read: a failure, not a reply."""
    OTHER = "other"


_CUT = (
    *(StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL, StopReason.PAUSED),
    *(StopReason.FILTERED, StopReason.PROMPT_BLOCKED),
)


@attrs.frozen
class Stop:
    """Why, and what there is to tell about it."""

    reason: StopReason
    sequence: str = ""
    """The stop sequence that was met, where the provider tells it."""
    detail: str = ""
    """The provider's own word (``RECITATION``), or its explanation."""

    @property
    def is_cut(self) -> bool:
        """Whether the reply ends before its end: its last text, and a call whose arguments are no object yet, are not
        whole. Nobody may run such a call."""
        return self.reason in _CUT


@attrs.frozen
class Reply:
    """A whole reply."""

    id: str
    """The provider's id; empty where it gave none."""
    model: str
    parts: tuple[Part, ...]
    stop: Stop
    usage: Usage = attrs.field(factory=Usage)
    service_tier: str = ""


# -- a reply as it streams --------------------------------------------------------------------------------------------
# The order is: one Started; for each part PartStarted, what is added to it, PartEnded; one Ended or Failed. Parts are
# numbered from 0 in the order in which they start, and may overlap (Chat interleaves parallel calls).


class Started(msgspec.Struct, frozen=True, gc=False):
    """The reply begins."""

    id: str
    model: str
    usage: Usage | None = None
    """What is known of it already: Anthropic tells the input at once."""


class PartStarted(msgspec.Struct, frozen=True):
    """A part begins. It carries what is known of it: a call's id and name (maybe its signature), with arguments ``""``
    that are to come.
    Images, hosted results and redacted thinking come whole."""

    index: int
    part: Part


class TextAdded(msgspec.Struct, frozen=True, gc=False):
    """More text of a ``Text`` or ``Refusal``."""

    index: int
    text: str


class ThinkingAdded(msgspec.Struct, frozen=True, gc=False):
    """More text of a ``Thinking``."""

    index: int
    text: str


class ArgumentsAdded(msgspec.Struct, frozen=True, gc=False):
    """More of the arguments of a ``ToolCall`` or ``HostedCall``, cut anywhere."""

    index: int
    text: str


class Signed(msgspec.Struct, frozen=True):
    """The part's signature."""

    index: int
    signature: Signature


class Cited(msgspec.Struct, frozen=True):
    """A citation of a ``Text``."""

    index: int
    citation: Citation


class PartEnded(msgspec.Struct, frozen=True, gc=False):
    """The part is complete, or the reply is cut off in it. A complete call that had no arguments has got ``{}`` by
    now."""

    index: int


class Ended(msgspec.Struct, frozen=True):
    """The reply is complete."""

    stop: Stop
    usage: Usage


class Failed(msgspec.Struct, frozen=True):
    """The provider's own error inside the stream, or a reply that is none (``BAD_TOOL_CALL``)."""

    kind: ErrorKind
    message: str
    code: str | None = None


Delta = Started | PartStarted | TextAdded | ThinkingAdded | ArgumentsAdded | Signed | Cited | PartEnded | Ended | Failed
