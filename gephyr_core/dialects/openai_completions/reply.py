"""Replies as legacy Completions: text, and why it ended. There is no place for reasoning, images or citations."""

from collections.abc import Callable
from typing import Any

import attrs

from gephyr_core.conversation.parts import Part, Refusal, Text, Thinking
from gephyr_core.conversation.reply import Delta, Ended, Failed, PartStarted, Reply, Started, StopReason, TextAdded
from gephyr_core.dialects.openai_chat.message_objects import reply_model
from gephyr_core.dialects.openai_chat.stops import REFUSED, finish_reason
from gephyr_core.dialects.openai_chat.stream import DONE
from gephyr_core.dialects.openai_chat.usage import usage_object
from gephyr_core.dialects.openai_errors import error_object
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext
from gephyr_core.errors import Problem
from gephyr_core.sse import encode


def write_reply(reply: Reply, context: ReplyContext) -> bytes:
    """Write a whole reply. A refusal's text is text here."""
    text = "".join(part.text for part in reply.parts if isinstance(part, Text | Refusal))
    for part in reply.parts:
        _leave_out(part, context)
    if reply.stop.reason is StopReason.REFUSAL and not text:
        text = reply.stop.detail or REFUSED
    reason = finish_reason(reply.stop, called=False)
    choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": reason}
    return encode_json({**_opening(context, reply.model), "choices": [choice], "usage": usage_object(reply.usage)})


def _leave_out(part: Part, context: ReplyContext) -> None:
    if not isinstance(part, Text | Refusal | Thinking):
        context.leave_out(part)


def _opening(context: ReplyContext, model: str) -> dict[str, Any]:
    return {
        "id": f"cmpl-{context.key}",
        "object": "text_completion",
        "created": context.created,
        "model": reply_model(context, model),
    }


@attrs.define
class CompletionsDeltaWriter:
    """See :class:`gephyr_core.dialects.translator.DeltaWriter`."""

    _context: ReplyContext
    _head: bytes = b""
    _tail: bytes = b""
    _wrote: bool = False
    """There was text."""
    _over: bool = False
    _do: dict[type[Delta], Callable[[Any], bytes]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._do = {
            TextAdded: self._text_added,
            Started: self._begin,
            PartStarted: self._part_started,
            Ended: self._ended,
            Failed: self._failed,
        }

    def write(self, delta: Delta) -> bytes:
        """Write one delta."""
        do = self._do.get(type(delta))
        return b"" if self._over or do is None else do(delta)

    def failure(self, problem: Problem) -> bytes:
        """An error chunk and no ``[DONE]``, or the SDK would take the reply for whole."""
        if self._over:
            return b""
        self._over = True
        return encode(encode_json({"error": error_object(problem)}))

    def _text_added(self, delta: TextAdded) -> bytes:
        self._wrote = True
        return b"%b%b%b" % (self._head, encode_json(delta.text), self._tail)

    def _begin(self, delta: Started) -> bytes:
        """Nothing is told before there is text, but what every chunk begins with is known."""
        self._head = b'data: %b,"choices":[{"text":' % encode_json(_opening(self._context, delta.model))[:-1]
        usage = b',"usage":null' if self._context.include_usage else b""
        self._tail = b',"index":0,"logprobs":null,"finish_reason":null}]%b}\n\n' % usage
        return b""

    def _part_started(self, delta: PartStarted) -> bytes:
        part = delta.part
        if isinstance(part, Text | Refusal) and part.text:
            return self._text_added(TextAdded(delta.index, part.text))
        _leave_out(part, self._context)
        return b""

    def _ended(self, delta: Ended) -> bytes:
        self._over = True
        refused = delta.stop.reason is StopReason.REFUSAL and not self._wrote
        text = (delta.stop.detail or REFUSED) if refused else ""
        reason = finish_reason(delta.stop, called=False).encode()
        ending = self._tail.replace(b'"finish_reason":null', b'"finish_reason":"%b"' % reason)
        written = b"%b%b%b" % (self._head, encode_json(text), ending)
        if self._context.include_usage:
            head = self._head.partition(b',"choices":')[0]
            written += b'%b,"choices":[],"usage":%b}\n\n' % (head, encode_json(usage_object(delta.usage)))
        return written + encode(DONE.encode())

    def _failed(self, delta: Failed) -> bytes:
        return self.failure(Problem(delta.kind, delta.message, code=delta.code))
