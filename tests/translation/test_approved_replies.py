"""What a client of each dialect is told of every kind of reply, whole and as a stream: the lines that were approved."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.reply import Delta
from gephyr_core.errors import ErrorKind, Problem
from tests.approved import check_table
from tests.translation.neutral_replies import CONTEXT, CONTEXTS, replies, streams
from tests.translation.recorded import DIALECTS
from tests.translation.translating import TRANSLATORS


def events(stream: bytes) -> list[str]:
    """The data of a stream's events, a line each; the kind of an event only where the data does not tell it."""
    lines = []
    for line in stream.decode().splitlines():
        if line.startswith("data:"):
            lines.append(line[5:].strip())
        elif line and not line.startswith("event:"):
            lines.append(f"? {line}")
    return lines


def written(dialect: str, deltas: Iterable[Delta]) -> tuple[bytes, bytes]:
    """A stream, and what a failure afterwards would add."""
    writer = TRANSLATORS[dialect].delta_writer(CONTEXT)
    told = b"".join([writer.write(delta) for delta in deltas])
    return told, writer.failure(Problem(ErrorKind.SERVER, "it broke"))


def unusual(value: Any, usual: Any) -> Any:
    """What of a value differs from the usual one: a field that is as usual is left out, one that is missing is told."""
    if not (isinstance(value, dict) and isinstance(usual, dict)):
        return value
    found = {
        name: unusual(one, usual.get(name)) for name, one in value.items() if name not in usual or usual[name] != one
    }
    return found | {f"no {name}": True for name in usual if name not in value}


def whole_lines(dialect: str) -> Iterator[str]:
    """Whole replies: the first as it is, of the others what differs from it."""
    first = next(reply for _, reply in replies())
    yield TRANSLATORS[dialect].write_reply(first, CONTEXT).decode()
    usual = json.loads(TRANSLATORS[dialect].write_reply(first, CONTEXT))
    for name, reply in replies():
        before = b""
        for about, context in CONTEXTS.items():
            told = TRANSLATORS[dialect].write_reply(reply, context)
            if told != before:
                yield f"## {name}{', ' + about if about and before else ''}"
                yield json.dumps(unusual(json.loads(told), usual), ensure_ascii=False)
            before = before or told


def stream_lines(dialect: str) -> Iterator[str]:
    """Streams of whole replies, and others. An event that another one of its type resembles tells what differs."""
    usual: dict[str, Any] = {}
    both = [*((name, list(deltas_of(reply))) for name, reply in replies()), *streams()]
    for name, deltas in both:
        told, after = written(dialect, deltas)
        yield f"## {name}"
        for line in events(told):
            event = json.loads(line) if line.startswith("{") else line
            kind = event.get("type", "chunk") if isinstance(event, dict) else line
            like = usual.setdefault(kind, event)
            yield line if like is event else f"{kind}: {json.dumps(unusual(event, like), ensure_ascii=False)}"
        yield from (f"after a failure: {line}" for line in events(after))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_reply_is_told_as_was_approved(dialect: str) -> None:
    check_table(f"replies-of-{dialect}", whole_lines(dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_stream_is_told_as_was_approved(dialect: str) -> None:
    check_table(f"streams-of-{dialect}", stream_lines(dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_that_breaks_anywhere_has_one_end(dialect: str) -> None:
    """A failure after the end adds nothing; before, it adds the dialect's own error."""
    for _, deltas in streams():
        for cut in range(1, len(deltas)):
            _, after = written(dialect, deltas[:cut])
            assert len(events(after)) >= 1
        assert written(dialect, deltas)[1] == b""
