"""Clients that nothing tells from others: what is made for one could be read by all, so nothing is kept for them.

That is so in an application whose host has guards of its own and does not say who asks (``GephyrApp``'s ``identify``).
What may still be kept are digests of encrypted items and signatures: only who has the item itself can ask for it.
"""

import re

from gephyr_core.envelope import Envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.pins import RequestRefused
from gephyr_core.routing.endpoints import Endpoint

_DIGEST = re.compile(r"[0-9a-f]{64}")
_REFERENCES = ("previous_response_id", "conversation")
_WISHES = ("store", "background")
"""Fields that, when true, ask for a response that can be fetched later."""


def is_digest(object_id: str) -> bool:
    """Whether a pin's name is the digest of an item (``gephyr_core.dialects.decoding.digest``) and no object's id."""
    return _DIGEST.fullmatch(object_id) is not None


def refuse_objects(endpoint: Endpoint) -> None:
    """Raise ``RequestRefused`` for a path of stored objects."""
    operation = endpoint.operation
    if operation.pinned or operation.name == "conversations":
        raise _refusal("id" if operation.pinned else None, endpoint.path)


def refuse_references(envelope: Envelope) -> None:
    """Raise ``RequestRefused`` for a request that refers to stored objects, or asks for one. Raises
    ``EnvelopeError`` where a field cannot be read."""
    for field in _REFERENCES:
        if field in envelope.fields and envelope.value(field) is not None:
            raise _refusal(field, field)
    for field in _WISHES:
        if field in envelope.fields and envelope.value(field) is True:
            raise _refusal(field, field)


def _refusal(param: str | None, what: str) -> RequestRefused:
    message = (
        f"{what}: nothing is stored for callers that cannot be told apart; "
        "the application that holds this gateway has to name them (GephyrApp's `identify`)"
    )
    return RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param=param))
