"""Whole replies of the Messages endpoints, read as far as the gateway looks at them."""

from typing import Any

import msgspec

from gephyr_core.dialects.anthropic.errors import stream_error
from gephyr_core.dialects.anthropic.stream import is_empty
from gephyr_core.dialects.anthropic.usage import merged
from gephyr_core.dialects.base import WholeReply
from gephyr_core.dialects.decoding import decode_reply, digest, mapping, text


class _Reply(msgspec.Struct, gc=False):
    type: Any = None
    content: list[Any] | None = None
    stop_reason: Any = None
    usage: Any = None
    error: Any = None


class _Beside(msgspec.Struct, gc=False):
    """A reply that is no message: a count."""

    type: Any = None
    error: Any = None


_SECRETS = {"thinking": "signature", "redacted_thinking": "data"}
"""Members that only their maker takes, by the type of their block."""
_REPLY = msgspec.json.Decoder(_Reply)
_BESIDE = msgspec.json.Decoder(_Beside)


def read_whole(body: bytes, *, generates: bool) -> WholeReply:
    """See :meth:`gephyr_core.dialects.base.Dialect.read_whole`. Without content, it says why it stopped: ``end_turn``
    with nothing to say, ``max_tokens`` where none was allowed."""
    reply = decode_reply(_REPLY, body) if generates else decode_reply(_BESIDE, body)
    if reply is None:
        return WholeReply(lack="the reply is no JSON object as the dialect has it")
    if reply.error or reply.type == "error":
        return WholeReply(error=stream_error(reply.error), is_error_body=reply.type == "error" and bool(reply.error))
    if isinstance(reply, _Beside):
        return WholeReply()
    content = reply.content or []
    usage = merged(None, mapping(reply.usage))
    if not reply.stop_reason and all(is_empty(block) for block in content):
        return WholeReply(usage, lack="the reply has neither content nor a stop reason")
    secrets = [
        text(block.get(_SECRETS.get(str(block.get("type")), ""))) for block in content if isinstance(block, dict)
    ]
    return WholeReply(usage, [digest(secret) for secret in secrets if secret])
