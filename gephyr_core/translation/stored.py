"""Responses and conversations that Gephyr keeps itself, for providers that have no such thing.

A response is kept with all input that led to it, so that ``previous_response_id`` is answered by putting that input and
the output in front of the new one. What a client sees of kept objects has the shapes of OpenAI's API reference
(Responses, Conversations).
"""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from gephyr_core.envelope import Envelope, read_envelope
from gephyr_core.records import StoredObject

RESPONSE_PREFIX = "resp_gephyr"
CONVERSATION_PREFIX = "conv_gephyr"
_PREFIXES = (RESPONSE_PREFIX, CONVERSATION_PREFIX)
MOST_BYTES = 32 * 1024 * 1024
"""Of one object; a larger one is not kept."""
_LARGEST_PAGE = 100
_DEFAULT_PAGE = 20
_AS_GIVEN = {"order": ["asc"]}


class _Kept(msgspec.Struct):
    """What is kept: the object as clients see it, and its items."""

    object: dict[str, Any]
    items: list[Any]
    """Of a response: its input, whole. Of a conversation: everything said in it."""


_DECODER = msgspec.json.Decoder(_Kept)
_ENCODE = msgspec.json.encode


def is_kept(object_id: object) -> bool:
    """Whether an id is one of Gephyr's own."""
    return isinstance(object_id, str) and object_id.startswith(_PREFIXES)


def kept_reference(envelope: Envelope) -> tuple[str, str] | None:
    """Return the kept object that a request goes on from, and the field that names it. Raises ``EnvelopeError``."""
    if not any(prefix.encode() in envelope.body for prefix in _PREFIXES):
        return None
    for field in ("previous_response_id", "conversation"):
        value = envelope.value(field)
        if isinstance(value, dict):
            value = value.get("id")
        if isinstance(value, str) and is_kept(value):
            return value, field
    return None


def items_of(input_: object) -> list[Any]:
    """Return a request's ``input`` as a list of items."""
    if isinstance(input_, str):
        return [{"type": "message", "role": "user", "content": input_}]
    return list(input_) if isinstance(input_, list) else []


def spliced(envelope: Envelope, record: StoredObject, field: str) -> bytes:
    """Return a request with the history of the object that *field* names in front of its input."""
    kept = _DECODER.decode(record.data)
    history = kept.items + (list(kept.object.get("output") or ()) if record.kind == "response" else [])
    items = [_without_id(item) for item in history] + items_of(envelope.value("input"))
    return envelope.with_fields({"input": items}, without=(field,))


def response_record(owner: str, response: bytes, input_: object, *, now: float, lifetime: float) -> StoredObject | None:
    """Return what is kept of a response; None when it is too large."""
    whole = msgspec.json.decode(response, type=dict[str, Any])
    data = _ENCODE(_Kept(whole, items_of(input_)))
    if len(data) > MOST_BYTES:
        return None
    return StoredObject(owner, str(whole["id"]), "response", data, now, now + lifetime)


def new_conversation(owner: str, body: bytes, *, key: str, now: float, lifetime: float) -> StoredObject:
    """Return a conversation as a client asked for it. Raises ``EnvelopeError``."""
    envelope = read_envelope(body) if body.strip() else Envelope({}, b"")
    conversation = {
        "id": CONVERSATION_PREFIX + key,
        "object": "conversation",
        "created_at": int(now),
        "metadata": envelope.value("metadata") or {},
    }
    items = _numbered(items_of(envelope.value("items")), key)
    data = _ENCODE(_Kept(conversation, items))
    return StoredObject(owner, CONVERSATION_PREFIX + key, "conversation", data, now, now + lifetime)


def with_items(record: StoredObject, items: Sequence[Any], *, key: str, now: float, lifetime: float) -> StoredObject:
    """Return a conversation that has gone on; the oldest items go where it grows too large."""
    kept = _DECODER.decode(record.data)
    everything = kept.items + _numbered(items, key)
    data = _ENCODE(_Kept(kept.object, everything))
    while len(data) > MOST_BYTES and everything:
        everything = everything[len(everything) // 4 + 1 :]
        data = _ENCODE(_Kept(kept.object, everything))
    return attrs.evolve(record, data=data, expires_at=now + lifetime)


def output_of(response: bytes) -> list[Any]:
    """Return a response's output items."""
    return list(msgspec.json.decode(response, type=dict[str, Any]).get("output") or ())


# -- what clients are told -------------------------------------------------------------------------------------------


@attrs.frozen
class KeptAnswer:
    """The answer to a request about a kept object, and what it changes."""

    body: bytes
    change: StoredObject | None = None


def answer(
    operation: str, record: StoredObject, *, path: str, query: dict[str, list[str]], body: bytes, key: str, now: float
) -> KeptAnswer | None:
    """Answer *operation* (``responses.get``, ``conversations.items``, ...); None where there is no such item.

    Raises ``EnvelopeError`` for a body that cannot be read.
    """
    kept = _DECODER.decode(record.data)
    lifetime = record.expires_at - record.created_at
    match operation:
        case "responses.get" | "responses.cancel" | "conversations.get":
            return KeptAnswer(_ENCODE(kept.object))
        case "responses.delete" | "conversations.delete":
            gone = {"id": record.object_id, "object": f"{record.kind}.deleted", "deleted": True}
            return KeptAnswer(_ENCODE(gone), attrs.evolve(record, expires_at=now))
        case "responses.input_items" | "conversations.items":
            return KeptAnswer(_page(_numbered(kept.items, record.object_id), query))
        case "conversations.update":
            conversation = {**kept.object, "metadata": read_envelope(body).value("metadata") or {}}
            data = _ENCODE(_Kept(conversation, kept.items))
            return KeptAnswer(_ENCODE(conversation), attrs.evolve(record, data=data))
        case "conversations.items.create":
            items = _numbered(items_of(read_envelope(body).value("items")), key)
            return KeptAnswer(_page(items, _AS_GIVEN), with_items(record, items, key=key, now=now, lifetime=lifetime))
    return _one_item(operation, record, kept, path.rpartition("/")[2])


def _one_item(operation: str, record: StoredObject, kept: _Kept, item_id: str) -> KeptAnswer | None:
    items = _numbered(kept.items, record.object_id)
    item = next((item for item in items if item.get("id") == item_id), None)
    if item is None:
        return None
    if operation == "conversations.items.get":
        return KeptAnswer(_ENCODE(item))
    remaining = [other for other in items if other is not item]
    return KeptAnswer(_ENCODE(kept.object), attrs.evolve(record, data=_ENCODE(_Kept(kept.object, remaining))))


def _page(items: list[dict[str, Any]], query: dict[str, list[str]]) -> bytes:
    """A list as OpenAI pages it: newest first unless ``order=asc``, ``limit`` and ``after``."""
    ordered = items if query.get("order") == ["asc"] else items[::-1]
    after = query.get("after", [""])[0]
    start = next((index + 1 for index, item in enumerate(ordered) if item["id"] == after), 0) if after else 0
    asked = query.get("limit", [""])[0]
    limit = min(max(int(asked), 1), _LARGEST_PAGE) if asked.isdecimal() and len(asked) < 9 else _DEFAULT_PAGE
    page = ordered[start : start + limit]
    return _ENCODE(
        {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + limit < len(ordered),
        }
    )


def _numbered(items: Sequence[Any], key: str) -> list[dict[str, Any]]:
    """Items as clients see them: each with an id."""
    seen = []
    for index, item in enumerate(items):
        if isinstance(item, dict):
            seen.append(item if item.get("id") else {"type": "message", **item, "id": f"item_{key}_{index}"})
    return seen


def _without_id(item: Any) -> Any:
    """An item as it stands in a request. Reasoning keeps its id, which belongs to its signature."""
    if not isinstance(item, dict) or item.get("type") == "reasoning":
        return item
    return {name: value for name, value in item.items() if name not in {"id", "status"}}
