"""Replies that come in the other form than the client asked for, in its own dialect: a whole reply told as a stream,
and a stream collected to a whole reply. Their members stay, whatever they are.

The first lines of a table are the streams; then come odd values, each place once, as in ``test_approved_odd.py``.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gephyr_core.dialects import DIALECTS
from gephyr_core.sse import SseFramer
from gephyr_core.translation.collecting import NativeCollector
from tests.approved import check_table
from tests.translation.native_replies import NATIVE
from tests.translation.test_approved_odd import digest, fates
from tests.translation.test_approved_replies import events

_LINE = 1 << 20


def collected(dialect: str, stream: bytes) -> NativeCollector:
    own = DIALECTS[dialect]
    collector = NativeCollector(SseFramer(_LINE), own.stream_reader(max_line=_LINE), own.assembly())
    collector.feed(stream)
    collector.finish()
    return collector


def fate(dialect: str, stream: bytes) -> str:
    found = collected(dialect, stream)
    return f"{found.reply().decode()} {found.complete} {found.error}"


def told(dialect: str) -> Iterator[str]:
    for name, reply in NATIVE[dialect].items():
        yield f"## {name}"
        stream = DIALECTS[dialect].events_of(json.dumps(reply).encode())
        yield from events(stream)
        again = collected(dialect, stream)
        back = json.loads(again.reply())
        yield f"again: {'the same' if back == reply else json.dumps(back)}, {again.complete}, {again.error}"


def odd_replies(dialect: str) -> Iterator[str]:
    def read(body: Any) -> str:
        return digest(DIALECTS[dialect].events_of(json.dumps(body).encode()))

    return fates(iter(NATIVE[dialect].items()), read, {})


def odd_events(dialect: str) -> Iterator[str]:
    seen: dict[str, None] = {}
    for name, reply in NATIVE[dialect].items():
        pieces = DIALECTS[dialect].events_of(json.dumps(reply).encode()).split(b"\n\n")
        for at, piece in enumerate(pieces):
            head, mark, data = piece.rpartition(b"data: ")
            if not data.startswith(b"{"):
                continue

            def read(body: Any, at: int = at, before: bytes = head + mark, pieces: list[bytes] = pieces) -> str:
                changed = [*pieces[:at], before + json.dumps(body).encode(), *pieces[at + 1 :]]
                return digest(fate(dialect, b"\n\n".join(changed)))

            event = json.loads(data)
            if "response" in event:
                event["response"]["output"] = []  # some providers leave it out; and its places were looked at
            yield from fates(iter([(f"{name} {at}", event)]), read, seen)


@pytest.mark.parametrize("dialect", NATIVE)
def test_a_reply_in_the_other_form_is_as_approved(dialect: str) -> None:
    check_table(f"forms-{dialect}", [*told(dialect), "# odd replies", *odd_replies(dialect), "# odd events"])


@pytest.mark.parametrize("dialect", NATIVE)
def test_a_stream_with_an_odd_event_is_collected_as_approved(dialect: str) -> None:
    check_table(f"forms-{dialect}-collected", odd_events(dialect))
