"""Spoilt requests, replies and streams: an error of the kind that is meant for them, or a translation; nothing else."""

import contextlib
import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_objects, json_values

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.reply import Delta
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.sse import SseFramer, parse
from gephyr_core.translation.writing import write_prompt
from tests.translation.laws import broken_law
from tests.translation.mutations import encoded, mutated, mutated_events
from tests.translation.recorded import DIALECTS, Recording, recordings
from tests.translation.translating import DESTINATIONS, TRANSLATORS, read_deltas, write_reply, write_stream

over_dialects = pytest.mark.parametrize("dialect", DIALECTS)
_MOST = 40
"""A translation may be this many times as long as what was translated, and a few hundred bytes more."""


def request_translates(dialect: str, body: bytes) -> None:
    """Read and write a request; what is raised is one of the two that become a 400."""
    try:
        value = msgspec.json.decode(body)
        prompt = TRANSLATORS[dialect].read_request(value, Report(), model="m", stream=True)
    except (msgspec.DecodeError, FieldError, UntranslatableError):
        return
    for target in DIALECTS:
        with contextlib.suppress(UntranslatableError):
            written = write_prompt(prompt, DESTINATIONS[target], Report()).body
            assert isinstance(msgspec.json.decode(msgspec.json.encode(written)), dict)


def reply_translates(dialect: str, body: bytes) -> None:
    """Read and write a whole reply; what is none is a ValueError."""
    try:
        reply = TRANSLATORS[dialect].read_reply(body, Report())
    except ValueError:
        return
    for target in DIALECTS:
        written = write_reply(target, reply)
        json.loads(written)
        assert len(written) < _MOST * len(body) + 5000


def stream_translates(dialect: str, stream: bytes) -> None:
    """Read and write a stream; the deltas keep their order."""
    deltas: list[Delta] = read_deltas(dialect, stream)
    assert broken_law(deltas) == ""
    for target in DIALECTS:
        written = write_stream(target, deltas)
        assert len(written) < _MOST * len(stream) + 5000


def sample(dialect: str, count: int, *, streamed: bool | None = None) -> Iterator[tuple[Recording, random.Random]]:
    """Small recordings, each with its own source of choices."""
    every = [
        recording
        for recording in recordings(dialect)
        if (streamed is None or recording.streamed == streamed)
        and len(recording.request) + len(recording.reply) < 20_000
    ]
    for number in range(count):
        yield every[number * 7919 % len(every)], random.Random(number)


@pytest.mark.recordings
@over_dialects
def test_a_spoilt_request_is_translated_or_a_400(dialect: str) -> None:
    """Recorded requests with wrong types, missing and misplaced fields."""
    for recording, choices in sample(dialect, 400):
        request_translates(dialect, encoded(mutated(recording.body(), choices, choices.randint(1, 3))))


@pytest.mark.recordings
@over_dialects
def test_a_spoilt_reply_is_translated_or_none(dialect: str) -> None:
    """Recorded replies, likewise."""
    for recording, choices in sample(dialect, 300, streamed=False):
        reply_translates(dialect, encoded(mutated(json.loads(recording.reply), choices, choices.randint(1, 3))))


@pytest.mark.recordings
@over_dialects
def test_a_spoilt_stream_ends_in_good_order(dialect: str) -> None:
    """Recorded streams with events spoilt, lost, doubled and out of order."""
    for recording, choices in sample(dialect, 200, streamed=True):
        raw = SseFramer.events(recording.reply.replace(b"\r\n", b"\n"))
        events = [(event.event, event.data) for event in map(parse, raw) if event.data]
        decoded = [(name, json.loads(data) if data[:1] == "{" else data) for name, data in events]
        spoilt = mutated_events(decoded, choices)
        stream_translates(dialect, b"".join(framed(name, data) for name, data in spoilt))


def framed(name: str, data: Any) -> bytes:
    """One event; text such as ``[DONE]`` stands as it is."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + (data.encode("utf-8", "replace") if isinstance(data, str) else encoded(data)) + b"\n\n"


@over_dialects
@given(body=json_objects | json_values.map(lambda value: {"messages": value, "input": value, "contents": value}))
def test_any_json_is_a_request_or_a_400(dialect: str, body: Any) -> None:
    """Whatever a client sends, as long as it is an object."""
    request_translates(dialect, encoded(body))


@over_dialects
@given(
    value=json_values
    | st.fixed_dictionaries(
        {"choices": json_values, "output": json_values, "content": json_values, "candidates": json_values}
    )
)
def test_any_json_is_a_reply_or_none(dialect: str, value: Any) -> None:
    """Whatever a provider answers."""
    reply_translates(dialect, json.dumps(value).encode())


@over_dialects
@given(
    events=st.lists(st.binary(max_size=60) | json_values.map(encoded).map(lambda data: b"data: " + data), max_size=6)
)
def test_any_bytes_are_a_stream(dialect: str, events: list[bytes]) -> None:
    """Whatever a provider streams."""
    stream_translates(dialect, b"".join(event + b"\n\n" for event in events))
