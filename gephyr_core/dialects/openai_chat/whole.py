"""Whole replies of Chat Completions and its kin, read as far as the gateway looks at them."""

from typing import Any

import msgspec

from gephyr_core.dialects.base import StreamError, WholeReply
from gephyr_core.dialects.decoding import decode_reply, digest, mapping
from gephyr_core.dialects.openai_chat.reasoning import PROVEN, proofs_of
from gephyr_core.dialects.openai_chat.stops import read_break
from gephyr_core.dialects.openai_chat.stream import chat_usage, is_content
from gephyr_core.dialects.openai_errors import stream_error
from gephyr_core.dialects.signed_blocks import holds


class _Choice(msgspec.Struct, gc=False):
    """What it says is decoded where it does not tell why it ended."""

    finish_reason: Any = None
    error: Any = None


class _Reply(msgspec.Struct, gc=False):
    """What Chat, Completions, embeddings and moderations have in common."""

    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    object: Any = None
    message: Any = None
    """The three of an error that stands at the top (Mistral, vLLM)."""
    type: Any = None
    code: Any = None


class _Spoken(msgspec.Struct, gc=False):
    choices: list[Any]


_REPLY = msgspec.json.Decoder(_Reply)
_SPOKEN = msgspec.json.Decoder(_Spoken)


def read_whole(body: bytes, *, generates: bool) -> WholeReply:
    """See :meth:`gephyr_core.dialects.base.Dialect.read_whole`. A choice has a message or a text, or says why it ended.

    One good choice is enough: each of several is a reply of its own.
    """
    reply = decode_reply(_REPLY, body)
    if reply is None:
        return WholeReply(lack="the reply is no JSON object as the dialect has it")
    usage = chat_usage(mapping(reply.usage))
    if reply.error:
        return WholeReply(usage, error=stream_error(reply.error), is_error_body=True)
    if reply.object == "error":
        told = {"message": reply.message, "type": reply.type, "code": reply.code}
        return WholeReply(usage, error=stream_error(told))
    if not generates:
        return WholeReply(usage)
    choices = reply.choices or []
    signed, finished = holds(body, PROVEN), False
    errors = []
    for choice in choices:
        error = _error(choice)
        if error is None and choice.finish_reason:
            if not signed:
                return WholeReply(usage)
            finished = True
        errors.append(error)
    spoken = decode_reply(_SPOKEN, body) if choices else None
    said = [] if spoken is None else spoken.choices
    if finished or any(is_content(choice) and error is None for choice, error in zip(said, errors, strict=False)):
        return WholeReply(usage, [digest(proof) for proof in proofs_of(said)])
    broken = next((error for error in errors if error is not None), None)
    lack = "" if broken else "the reply has no choice with content or a finish reason"
    return WholeReply(usage, error=broken, lack=lack)


def _error(choice: _Choice) -> StreamError | None:
    """The error that a choice tells of: OpenRouter's, or by its finish reason."""
    if choice.error:
        return stream_error(choice.error)
    reason = choice.finish_reason
    broken = read_break(reason) if isinstance(reason, str) else None
    return None if broken is None else StreamError(broken.kind, broken.message, broken.code)
