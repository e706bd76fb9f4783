"""Whole replies of the Responses and Conversations endpoints, read as far as the gateway looks at them."""

from typing import Any

import msgspec

from gephyr_core.dialects.base import WholeReply
from gephyr_core.dialects.decoding import decode_reply, mapping, text
from gephyr_core.dialects.openai_errors import stream_error
from gephyr_core.dialects.openai_responses.objects import (
    KEPT,
    Response,
    is_failed,
    response_objects,
    responses_usage,
)


class _Beside(msgspec.Struct, gc=False):
    """Whatever else an endpoint answers."""

    object: Any = None
    id: Any = None
    usage: Any = None
    error: Any = None


_RESPONSE = msgspec.json.Decoder(Response)
_BESIDE = msgspec.json.Decoder(_Beside)


def read_whole(body: bytes, *, generates: bool) -> WholeReply:
    """See :meth:`gephyr_core.dialects.base.Dialect.read_whole`. A response has output, or a status: that of one in the
    background is ``queued``, that of one with nothing to say ``completed``.

    A failed response is an error where an answer was asked for, and the answer where a stored response was.
    """
    reply = decode_reply(_RESPONSE, body)
    if reply is None and not generates:
        beside = decode_reply(_BESIDE, body)
        reply = None if beside is None else Response(beside.object, beside.id, usage=beside.usage, error=beside.error)
    if reply is None:
        return WholeReply(lack="the reply is no JSON object as the dialect has it")
    usage = responses_usage(mapping(reply.usage))
    objects = list(dict.fromkeys(response_objects(reply))) if reply.object in KEPT else []
    is_response = reply.object == "response" or text(reply.status) is not None
    if reply.error and not is_response:
        return WholeReply(usage, error=stream_error(reply.error), is_error_body=True)
    if generates and is_failed(reply):
        return WholeReply(usage, objects, error=stream_error(reply.error))
    if generates and not (reply.output or text(reply.status)):
        return WholeReply(usage, objects, lack="the reply has neither output nor a status")
    return WholeReply(usage, objects)
