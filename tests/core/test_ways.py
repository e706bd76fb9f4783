"""The way of a request, as the page on the architecture draws it, is the way that a request takes."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from play import SSE, Play, account

from gephyr_core.commands import DetachUpstream, EndResponse, SendBody, StartResponse

PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"
CHUNK = b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'


def drawn() -> list[tuple[str, str]]:
    """The files and functions of the drawing, in its order."""
    text = PAGE.read_text(encoding="utf-8").partition("## The way of a request")[2].partition("\n## ")[0]
    return re.findall(r"^    .{20} *([a-z_/]+\.py) +([\w.]+)", text, re.MULTILINE)


@contextmanager
def called() -> Iterator[list[tuple[str, str]]]:
    """The core's functions that are called, in their order."""
    calls: list[tuple[str, str]] = []

    def look(frame: FrameType, what: str, _argument: object) -> None:
        module = frame.f_globals.get("__name__", "")
        if what == "call" and module.startswith("gephyr_core."):
            file = module.removeprefix("gephyr_core.").replace(".", "/") + ".py"
            calls.append((file, frame.f_code.co_qualname))

    sys.setprofile(look)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def test_a_request_and_its_stream_take_the_way_that_is_drawn() -> None:
    play = Play(account())
    with called() as calls:
        call = play.stream_request()
        play.head(call, headers=SSE)
        play.body(call, CHUNK)
        play.expect(StartResponse, SendBody)
        play.body(call, CHUNK)
        play.expect(SendBody)
        play.body(call, b"data: [DONE]\n\n")
        play.expect(DetachUpstream, SendBody, EndResponse)
    way = drawn()
    assert len(way) > 30
    left = iter(calls)
    assert [step for step in way if step not in left] == []


def test_a_streamed_event_passes_few_functions() -> None:
    """It is what the gateway does most often: what is added there, everybody pays for."""
    play = Play(account())
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.body(call, CHUNK)
    play.expect(StartResponse, SendBody)
    with called() as calls:
        play.body(call, CHUNK)
    assert ("exchange/receiving.py", "relay") in calls
    assert len(calls) <= 9
