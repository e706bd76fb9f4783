"""A reply's deltas, written as a Messages stream for a client."""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.arguments import decoded
from gephyr_core.conversation.parts import HostedCall as Hosted
from gephyr_core.conversation.parts import Refusal, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Signed,
    Started,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.conversation.sequence import Sequencer
from gephyr_core.conversation.signatures import written
from gephyr_core.dialects.anthropic import hosted
from gephyr_core.dialects.anthropic.errors import error_object
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.anthropic.reply_blocks import HostedBlocks, block_of, reply_id, tool_call_id
from gephyr_core.dialects.anthropic.stops import stop_fields
from gephyr_core.dialects.anthropic.usage import usage_delta, usage_object
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import Problem
from gephyr_core.records import Usage
from gephyr_core.sse import encode

_text = msgspec.json.Encoder().encode
_AFTER = b"}}\n\n"
_NONE = -1


def _event(name: str, **fields: Any) -> bytes:
    return encode(encode_json({"type": name, **fields}), name)


@attrs.define
class AnthropicDeltaWriter:
    """See :class:`gephyr_core.dialects.translator.DeltaWriter`. One block at a time; a text or reasoning that turns out
    empty is no block, since a client would send it back and be refused."""

    _context: ReplyContext
    _hosted: HostedBlocks = attrs.field(init=False)
    _sequence: Sequencer = attrs.field(factory=Sequencer)
    _flowing: int = _NONE
    """The part whose block is open and takes what is added to it."""
    _before: bytes = b""
    """What stands before the text of a delta of that block."""
    _pending: Text | Refusal | Thinking | None = None
    """A part that has begun and said nothing so far."""
    _call: Hosted | None = None
    """A call of a provider's own tool, whose arguments are being collected."""
    _arguments: list[str] = attrs.field(factory=list)
    _tool_call: ToolCall | None = None
    """The call of a client's tool that is being written."""
    _freeform: bool = False
    """The open call's input is no JSON: it is wrapped when it is complete."""
    _signature: Signature | None = None
    _thinking: bool = False
    """The open block is reasoning."""
    _blocks: int = 0
    """Blocks that have ended."""
    _called: bool = False
    _refused: bool = False
    _started: bool = False
    _over: bool = False
    _do: dict[type[Delta], Callable[[Any], bytes]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._hosted = HostedBlocks(self._context)
        self._do = {
            TextAdded: self._added,
            ThinkingAdded: self._added,
            ArgumentsAdded: self._argued,
            Started: self._begin,
            PartStarted: self._part_started,
            Signed: self._signed,
            Cited: self._cited,
            PartEnded: self._part_ended,
            Ended: self._ended,
            Failed: self._failed,
        }

    def write(self, delta: Delta) -> bytes:
        """Write one delta."""
        if type(delta) is TextAdded and delta.index == self._flowing:
            return b"%b%b}}\n\n" % (self._before, _text(delta.text))
        if self._over:
            return b""
        written = [self._do[type(due)](due) for due in self._sequence.feed(delta)]
        return b"".join(written)

    def failure(self, problem: Problem) -> bytes:
        """An ``error`` event."""
        if self._over:
            return b""
        self._over, self._flowing = True, _NONE
        return encode(encode_json(error_object(problem)), "error")

    # -- blocks -----------------------------------------------------------------------------------------------------

    def _part_started(self, delta: PartStarted) -> bytes:
        part, head = delta.part, self._closed() if self._started else self._begin(Started("", ""))
        if isinstance(part, Thinking) and part.redacted:
            return head + self._whole(delta)
        match part:
            case Text() | Refusal() | Thinking():
                self._pending = part
                self._refused = self._refused or isinstance(part, Refusal)
                if isinstance(part, Thinking):
                    self._signature = part.signature
                if part.text:
                    head += self._added(TextAdded(delta.index, part.text))
                for citation in part.citations if isinstance(part, Text) else ():
                    head += self._cited(Cited(delta.index, citation))
                return head
            case ToolCall():
                return head + self._call_started(delta.index, part)
            case Hosted():
                self._call, self._arguments = part, [part.arguments]
                return head
            case _:
                return head + self._whole(delta)

    def _call_started(self, index: int, call: ToolCall) -> bytes:
        """Begin a call. Its block is opened by its first arguments: a call that was cut off before them is none."""
        self._tool_call, self._pending = call, None
        self._freeform, self._arguments = call.freeform, []
        return self._argued(ArgumentsAdded(index, call.arguments)) if call.arguments else b""

    def _call_opened(self, index: int, call: ToolCall) -> bytes:
        self._called = True
        call_id = tool_call_id(call, index, self._context)
        block = {"type": "tool_use", "id": call_id, "name": self._context.name_of(call), "input": {}}
        return self._open(index, block, "input_json_delta", "partial_json")

    def _open(self, index: int, block: dict[str, Any], kind: str, field: str) -> bytes:
        self._flowing = index
        self._before = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":%b' % (
            self._blocks,
            b'{"type":"%b","%b":' % (kind.encode(), field.encode()),
        )
        return _event("content_block_start", index=self._blocks, content_block=block)

    def _opened(self, index: int) -> bytes:
        """Open the block of a part that is about to say something."""
        part, self._pending = self._pending, None
        if part is None:
            return b""
        if isinstance(part, Thinking):
            self._thinking = True
            empty = {"type": "thinking", "thinking": "", "signature": ""}
            return self._open(index, empty, "thinking_delta", "thinking")
        return self._open(index, {"type": "text", "text": "", "citations": None}, "text_delta", "text")

    def _added(self, delta: TextAdded | ThinkingAdded) -> bytes:
        if not delta.text:
            return b""
        opened = self._opened(delta.index)
        return b"%b%b%b%b" % (opened, self._before, _text(delta.text), _AFTER)

    def _argued(self, delta: ArgumentsAdded) -> bytes:
        self._arguments.append(delta.text)
        if self._call is not None or self._freeform:
            return b""
        opened = b""
        if self._flowing == _NONE and self._tool_call is not None:
            opened = self._call_opened(delta.index, self._tool_call)
        return b"%b%b%b%b" % (opened, self._before, _text(delta.text), _AFTER)

    def _cited(self, delta: Cited) -> bytes:
        citation = hosted.citation_object(delta.citation)
        if citation is None:
            return b""
        opened = self._opened(delta.index)
        return opened + self._delta({"type": "citations_delta", "citation": citation})

    def _signed(self, delta: Signed) -> bytes:
        self._signature = delta.signature
        return b""

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._blocks, delta=delta)

    def _part_ended(self, delta: PartEnded) -> bytes:
        call, self._call = self._call, None
        if call is not None:
            call = attrs.evolve(call, arguments="".join(self._arguments) or "{}")
            return self._whole(PartStarted(delta.index, call))
        head = b""
        signature, self._signature = self._signature, None
        if isinstance(self._pending, Thinking) and signature is not None:
            head = self._opened(delta.index)
        self._pending = None
        tool_call, self._tool_call = self._tool_call, None
        if tool_call is not None:
            head += self._call_ended(delta.index, tool_call)
        if self._flowing == _NONE:
            return head
        if self._thinking and signature is not None:
            head += self._delta({"type": "signature_delta", "signature": written(signature, NAME)})
        if self._freeform:
            wrapped = encode_json({"input": "".join(self._arguments)}).decode()
            head += self._delta({"type": "input_json_delta", "partial_json": wrapped})
        return head + self._close()

    def _call_ended(self, index: int, call: ToolCall) -> bytes:
        """What is left to tell of a call, or to report of one that is not whole."""
        if self._freeform:
            return self._call_opened(index, call)
        if self._flowing == _NONE:
            self._context.leave_out_broken(call)
        elif decoded("".join(self._arguments)) is None:
            reason = "its arguments are no JSON object, as where a limit cuts a reply off: told as far as they came"
            self._context.report.changed(call.path or "output", f"the call of {call.name!r} is not whole: {reason}")
        return b""

    def _closed(self) -> bytes:
        """End the part that its provider left open."""
        is_open = self._flowing != _NONE or self._call is not None or self._tool_call is not None
        return self._part_ended(PartEnded(max(self._flowing, 0))) if is_open else b""

    def _close(self) -> bytes:
        stopped = _event("content_block_stop", index=self._blocks)
        self._blocks += 1
        self._flowing, self._thinking, self._freeform = _NONE, False, False
        return stopped

    def _whole(self, delta: PartStarted) -> bytes:
        """Write a part that came whole."""
        block = block_of(delta.part, delta.index, self._context, self._hosted)
        if block is None:
            return b""
        if block["type"] == "text":  # The SDKs join what comes in deltas; a text at the start is not looked at by all.
            self._pending = Text("")
            return self._added(TextAdded(delta.index, block["text"])) + self._close()
        if "input" not in block:
            return _event("content_block_start", index=self._blocks, content_block=block) + self._close()
        given = encode_json(block["input"]).decode()  # Claude Code takes what comes in deltas alone.
        opened = _event("content_block_start", index=self._blocks, content_block={**block, "input": {}})
        return opened + self._delta({"type": "input_json_delta", "partial_json": given}) + self._close()

    # -- the message ------------------------------------------------------------------------------------------------

    def _begin(self, delta: Started) -> bytes:
        self._started = True
        message: dict[str, Any] = {
            "id": reply_id(self._context),
            "type": "message",
            "role": "assistant",
            "model": delta.model or self._context.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(delta.usage or Usage()),
        }
        return _event("message_start", message=message)

    def _ended(self, delta: Ended) -> bytes:
        head = self._closed() if self._started else self._begin(Started("", ""))
        self._over = True
        stop = stop_fields(delta.stop, called=self._called, refused=self._refused)
        head += _event("message_delta", delta=stop, usage=usage_delta(delta.usage))
        return head + _event("message_stop")

    def _failed(self, delta: Failed) -> bytes:
        return self.failure(Problem(delta.kind, delta.message, code=delta.code))
