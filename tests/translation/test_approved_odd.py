"""What odd values in requests, replies and streams become: each place once, as was approved.

A fate is an error's text, or a digest of all that was read. Values that meet the same fate stand together.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects import DIALECTS as OWN
from tests.approved import check_table
from tests.translation.feature_cases_more import CASES
from tests.translation.neutral_replies import CONTEXT, replies, streams
from tests.translation.recorded import DIALECTS
from tests.translation.translating import TRANSLATORS, read_deltas, write_reply, write_stream

GONE = object()
ODD: dict[str, Any] = {
    "gone": GONE,
    **{
        json.dumps(value): value
        for value in (
            None,
            True,
            0,
            -1,
            7,
            1.5,
            "",
            "x",
            "auto",
            [],
            ["x"],
            [{}],
            {},
            {"type": "x"},
            {"type": "text", "text": "t"},
        )
    },
}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places in a value, of arrays the first two."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, one in value.items():
            yield from places(one, (*path, name))
    elif isinstance(value, list):
        for at, one in enumerate(value[:2]):
            yield from places(one, (*path, at))


def changed(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    made = copy.deepcopy(value)
    home: Any = made
    for step in path[:-1]:
        home = home[step]
    if odd is GONE:
        del home[path[-1]]
    else:
        home[path[-1]] = copy.deepcopy(odd)  # what reads it may take it apart
    return made


def digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:8]


def fates(samples: Iterator[tuple[str, Any]], read: Callable[[Any], str], seen: dict[str, None]) -> Iterator[str]:
    """A line for each place that was not *seen* before, in a sample where it is."""
    for about, sample in samples:
        for path in places(sample):
            kind = sample.get("type", "") if isinstance(sample, dict) else ""
            place = ".".join([kind, *("0" if isinstance(step, int) else str(step) for step in path)]).strip(".")
            if place in seen:
                continue
            seen[place] = None
            found: dict[str, list[str]] = {}
            for name, odd in ODD.items():
                found.setdefault(read(changed(sample, path, odd)), []).append(name)
            told = "; ".join(f"{fate}: {' '.join(names)}" for fate, names in found.items())
            yield f"{place} ({about}): {told}"


@pytest.mark.parametrize("dialect", CASES)
def test_odd_requests_are_read_as_was_approved(dialect: str) -> None:
    def read(body: Any) -> str:
        report = Report()
        try:
            prompt = TRANSLATORS[dialect].read_request(body, report, model="m", stream=False)
        except (FieldError, UntranslatableError) as error:
            return f"refused {str(error)[:110]}"
        return digest((prompt, list(report.entries)))

    check_table(f"odd-requests-{dialect}", fates(iter(CASES[dialect].items()), read, {}))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_odd_replies_are_read_as_was_approved(dialect: str) -> None:
    """By the translator, and by who relays them untranslated."""

    def read(body: Any) -> str:
        report, data = Report(), json.dumps(body).encode()
        own = digest(OWN[dialect].read_whole(data, generates=True))
        try:
            reply = TRANSLATORS[dialect].read_reply(data, report)
        except ValueError as error:
            return f"no reply {str(error)[:60]}, {own}"
        return f"{digest((reply, list(report.entries)))} {own}"

    samples = ((name, json.loads(write_reply(dialect, reply, CONTEXT))) for name, reply in replies())
    check_table(f"odd-replies-{dialect}", fates(samples, read, {}))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_odd_events_are_read_as_was_approved(dialect: str) -> None:
    """One event of a stream is odd, the others are as usual."""
    lines: list[str] = []
    seen: dict[str, None] = {}
    for name, deltas in [("usual", deltas) for _, deltas in list(streams())[-1:]] + list(streams())[:6]:
        told = write_stream(dialect, deltas, CONTEXT).decode()
        events = [event for event in told.split("\n\n") if event]
        for at, event in enumerate(events):
            head, _, data = event.rpartition("data: ")
            if not data.startswith("{"):
                continue

            def read(body: Any, at: int = at, head: str = head, events: list[str] = events) -> str:
                stream = [*events[:at], f"{head}data: {json.dumps(body)}", *events[at + 1 :]]
                data = ("\n\n".join(stream) + "\n\n").encode()
                reader = OWN[dialect].stream_reader(max_line=1 << 20)
                kinds = [reader.classify(one).value for one in reader.split(data)]
                own = (kinds, reader.error, reader.terminal_seen, reader.usage, reader.reply_id, reader.objects)
                return f"{digest(read_deltas(dialect, data))} {digest(own)}"

            lines += fates(iter([(f"{name} {at}", json.loads(data))]), read, seen)
    check_table(f"odd-events-{dialect}", lines)
