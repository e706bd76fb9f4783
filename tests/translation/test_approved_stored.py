"""What becomes of responses and conversations that Gephyr keeps, at each request about them: the lines that were
approved."""

import json
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import pytest

from gephyr_core.envelope import EnvelopeError, read_envelope
from gephyr_core.records import StoredObject
from gephyr_core.translation import stored
from tests.approved import check_table

NOW, LATER, LIFETIME = 1_800_000_000.5, 1_800_000_100.25, 3600.0
SAID: dict[str, Any] = {"type": "message", "role": "user", "content": "one"}
ITEMS: list[Any] = [
    SAID,
    {"role": "assistant", "content": "two"},
    {**SAID, "id": "msg_3", "status": "completed", "content": "three"},
    {"type": "reasoning", "id": "rs_4", "status": "completed", "encrypted_content": "e", "summary": []},
    {"type": "function_call", "id": "", "call_id": "c5", "name": "f", "arguments": "{}"},
    "no item",
]
OUTPUT = [
    {"type": "reasoning", "id": "rs_out", "summary": []},
    {"type": "message", "id": "msg_out", "status": "completed", "role": "assistant", "content": []},
]
RESPONSE = {"id": "resp_gephyrK", "object": "response", "status": "completed", "output": OUTPUT}
CONVERSATION = json.dumps({"metadata": {"a": "b"}, "items": ITEMS}).encode()


def conversation(body: bytes = CONVERSATION) -> StoredObject:
    return stored.new_conversation("o", body, key="K", now=NOW, lifetime=LIFETIME)


def response(input_: Any = ITEMS) -> StoredObject:
    record = stored.response_record("o", json.dumps(RESPONSE).encode(), input_, now=NOW, lifetime=LIFETIME)
    assert record is not None
    return record


def lines_of(record: StoredObject | None) -> Iterator[str]:
    if record is None:
        yield "nothing"
    else:
        yield f"{record.owner} {record.kind} {record.object_id} {record.created_at} {record.expires_at}"
        yield record.data.decode()


def answered(operation: str, record: StoredObject, path: str = "", body: bytes = b"", **query: str) -> Iterator[str]:
    asked = {name: [value] for name, value in query.items()}
    yield f"## {operation} of a {record.kind} {path} {body.decode()} {json.dumps(query) if query else ''}"
    try:
        answer = stored.answer(operation, record, path=path, query=asked, body=body, key="N", now=LATER)
    except EnvelopeError as error:
        yield f"refused: {error}"
        return
    if answer is None:
        yield "no such item"
        return
    yield answer.body.decode()
    if answer.change is not None:
        yield from (f"changed: {line}" for line in lines_of(answer.change))


def kept() -> Iterator[str]:
    """What is kept of a response and of a conversation."""
    for name, input_ in {"items": ITEMS, "a text": "Say hi", "nothing": None, "an object": {"a": 1}}.items():
        yield f"## a response to {name}"
        yield from lines_of(response(input_))
    for body in (CONVERSATION, b"", b"  ", b"{}", b'{"items":"a text"}', b'{"metadata":null}'):
        yield f"## a conversation of {body.decode()}"
        yield from lines_of(conversation(body))
    yield "## a conversation that goes on"
    longer = stored.with_items(conversation(b"{}"), ITEMS, key="M", now=LATER, lifetime=9.0)
    yield from lines_of(stored.with_items(longer, OUTPUT, key="N", now=LATER, lifetime=LIFETIME))


def told() -> Iterator[str]:
    """What clients are told of them."""
    for kind, record in (("responses", response()), ("conversations", conversation())):
        for operation in ("get", "delete", "cancel", "no-such-operation"):
            yield from answered(f"{kind}.{operation}", record)
        listed = f"{kind}.input_items" if kind == "responses" else f"{kind}.items"
        yield from answered(listed, record)
        for order in ("asc", "desc", "x"):
            yield from answered(listed, record, order=order)
        numbered = json.loads(stored.answer(listed, record, path="", query={}, body=b"", key="", now=0).body)["data"]  # type: ignore[union-attr]
        for limit in ("0", "1", "2", "5", "99", "100", "101", "-1", "x", "1" * 9):
            yield from (line for line in answered(listed, record, limit=limit, order="asc") if line[:2] != "ch")
        for item in numbered:
            yield from answered(listed, record, after=item["id"], order="asc", limit="2")
        yield from answered(listed, record, after="nobody", limit="1")
        yield from answered(listed, record, after=numbered[1]["id"])
    for body in (b'{"metadata":{"c":"d"}}', b"{}", b"[]"):
        yield from answered("conversations.update", conversation(), body=body)
    for body in (
        b'{"items":[{"role":"user","content":"new"},{"id":"own","type":"message"}]}',
        b'{"items":"text"}',
        b"{",
    ):
        yield from answered("conversations.items.create", conversation(), body=body)
    for operation in ("conversations.items.get", "conversations.items.delete"):
        for item in ("msg_3", "item_K_0", "item_K_5", "rs_4"):
            yield from answered(operation, conversation(), f"/v1/conversations/conv_gephyrK/items/{item}")


def gone_on_from() -> Iterator[str]:
    """The requests that go on from them."""
    for record, field in ((response(), "previous_response_id"), (conversation(), "conversation")):
        for input_ in ("more", [SAID], None):
            asked = {"model": "m", field: record.object_id, "input": input_}
            yield f"## {field} with {json.dumps(input_)}"
            yield stored.spliced(read_envelope(json.dumps(asked).encode()), record, field).decode()
    for named in (
        {"previous_response_id": "resp_gephyr1"},
        {"previous_response_id": "resp_1"},
        {"conversation": "conv_gephyr1"},
        {"conversation": {"id": "conv_gephyr1"}},
        {"conversation": {"id": 7}, "input": "conv_gephyr"},
        {"conversation": 7, "input": "resp_gephyr1"},
        {"previous_response_id": "resp_gephyr1", "conversation": "conv_gephyr1"},
        {"conversation": "resp_gephyr1"},
        {"user": "resp_gephyr1"},
        {"previous_response_id": None, "conversation": "conv_gephyr1"},
    ):
        yield f"{json.dumps(named)}: {stored.kept_reference(read_envelope(json.dumps(named).encode()))}"


@pytest.mark.parametrize("lines", [kept, told, gone_on_from])
def test_what_is_kept_told_and_gone_on_from_is_as_approved(lines: Any) -> None:
    check_table(f"stored-{lines.__name__.replace('_', '-')}", lines())


def test_a_page_has_at_most_a_hundred_items_and_twenty_unless_asked() -> None:
    """The newest come first unless the client asks otherwise (OpenAI's API reference, "List input items")."""
    record = response([{**SAID, "id": f"m{number}"} for number in range(150)])

    def page(**query: str) -> Any:
        asked = {name: [value] for name, value in query.items()}
        answer = stored.answer("responses.input_items", record, path="", query=asked, body=b"", key="", now=NOW)
        assert answer is not None
        return json.loads(answer.body)

    assert [len(page(limit=limit)["data"]) for limit in ("99", "100", "101", "12345678", "123456789")] == [
        *(99, 100, 100, 100, 20)
    ]
    assert [item["id"] for item in page()["data"]] == [f"m{number}" for number in range(149, 129, -1)]
    assert page(limit="1")["first_id"] == "m149"
    assert page(order="asc", limit="50", after="m99")["has_more"] is False
    assert page(order="asc", limit="50", after="m98")["has_more"] is True


def test_what_is_too_large_is_not_kept_and_of_a_conversation_the_newest_stays() -> None:
    """A response of just the size that is kept is kept; a conversation that grows loses what is oldest."""
    bare = len(response([SAID]).data)
    text = "x" * (stored.MOST_BYTES - bare + len(SAID["content"]))
    body = json.dumps(RESPONSE).encode()
    for said, is_kept in ((text, True), (f"{text}x", False)):
        record = stored.response_record("o", body, [{**SAID, "content": said}], now=NOW, lifetime=LIFETIME)
        assert (record is not None) is is_kept
    record = attrs.evolve(conversation(b"{}"), created_at=1.0)
    for key in "abcde":
        piece = "x" * (stored.MOST_BYTES // 4)
        record = stored.with_items(record, [{**SAID, "content": piece}], key=key, now=LATER, lifetime=LIFETIME)
    items = msgspec.json.decode(record.data)["items"]
    assert [item["id"] for item in items] == ["item_c_0", "item_d_0", "item_e_0"]
    assert (record.created_at, record.expires_at) == (1.0, LATER + LIFETIME)
    alone = stored.with_items(record, [{**SAID, "content": "x" * stored.MOST_BYTES}], key="f", now=0, lifetime=1)
    assert msgspec.json.decode(alone.data)["items"] == []
