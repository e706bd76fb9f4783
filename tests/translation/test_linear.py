"""Twice as much costs about twice the work, in every reader and writer: one request must not hold up all others.

Work is counted in lines of Python that run, which no clock and no other process can change. What a single line does to
a whole list or string is not seen here: ``python -m benchmarks.linear`` shows that.
"""

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import msgspec
import pytest

from benchmarks.growth import DIALECTS, MULTIPLY, REPLIES, REQUESTS, SCHEMAS
from benchmarks.linear import Work, framer_work, read, reply_work, request_work, write
from gephyr_core.conversation.parts import Citation, Text
from gephyr_core.conversation.prompt import Role, Turn
from gephyr_core.conversation.reply import Reply, Stop, StopReason
from gephyr_core.conversation.turns import merged
from tests.translation.translating import write_reply

STEP = 16
MOST = 0.05
"""By how much of itself the work for another step may grow from one step to the next. Linear work does not grow at all;
one comparison with each of those before it, in a hundred lines for each, is twice as much as this."""
MOST_WRITTEN = 60
"""Times its length that a schema may have when it is written out."""
SLACK = 60
"""Lines that do not count: of small things that happen to be needed at one size and not at the other."""


def lines_of(work: Work) -> int:
    """How many lines of Python run."""
    count = 0

    def on_line(_frame: FrameType, event: str, _arg: object) -> "Callable[..., object] | None":
        nonlocal count
        count += event == "line"
        return on_line

    before = sys.gettrace()
    sys.settrace(on_line)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def grows_too_fast(work: Callable[[int], Iterator[tuple[str, Work]]]) -> list[str]:
    """What costs more with each step than with the one before."""
    sizes = [dict(work(STEP * number)) for number in (1, 2, 3)]
    found = []
    for name in sizes[-1]:
        if all(name in size for size in sizes) and not name.endswith("envelope"):  # which reads a beginning only
            sizes[0][name]()  # what is done once in a process is done
            first, second, third = (lines_of(size[name]) for size in sizes)
            if third - second > (1 + MOST) * (second - first) + SLACK:
                found.append(f"{name}: {first}, {second}, {third} lines")
    return found


@pytest.mark.parametrize("growth", [growth for growth in REQUESTS if growth.partition(" (")[0] not in SCHEMAS])
@pytest.mark.parametrize("client", DIALECTS)
def test_a_request_is_read_and_written_in_linear_time(client: str, growth: str) -> None:
    """By every writer, for whatever grows in it."""
    assert grows_too_fast(lambda count: request_work(client, growth, count)) == []


@pytest.mark.parametrize("place", ["tool", "reply"])
@pytest.mark.parametrize("growth", [growth for growth in SCHEMAS if growth not in MULTIPLY])
def test_a_schema_is_written_in_linear_time(growth: str, place: str) -> None:
    """By every writer; all clients write the same schemas."""
    assert grows_too_fast(lambda count: request_work("anthropic", f"{growth} ({place})", count)) == []


@pytest.mark.parametrize("place", ["tool", "reply"])
@pytest.mark.parametrize("growth", MULTIPLY)
def test_a_schema_that_multiplies_is_cut(growth: str, place: str) -> None:
    """References and alternatives could make gigabytes of a page."""
    body = REQUESTS[f"{growth} ({place})"](300).body("anthropic")
    prompt = read("anthropic", body)
    assert prompt is not None
    for target in DIALECTS:
        assert len(write(target, prompt)) < MOST_WRITTEN * len(body)


@pytest.mark.parametrize("growth", REPLIES)
@pytest.mark.parametrize("provider", DIALECTS)
def test_a_reply_is_read_and_written_in_linear_time(provider: str, growth: str) -> None:
    """Whole, and as a stream."""
    assert grows_too_fast(lambda count: reply_work(provider, growth, count)) == []


def test_a_stream_is_framed_in_linear_time() -> None:
    """Also if it comes byte by byte."""
    assert grows_too_fast(framer_work) == []


def test_what_is_quadratic_is_noticed() -> None:
    """The measure itself: a loop within a loop fails, one behind the other does not."""

    def squared(count: int) -> Iterator[tuple[str, Work]]:
        yield "squared", lambda: [number for _ in range(count) for number in range(count)]

    def doubled(count: int) -> Iterator[tuple[str, Work]]:
        yield "doubled", lambda: [*[number for number in range(count)], *[number for number in range(count)]]  # noqa: C416

    assert grows_too_fast(squared) != []
    assert grows_too_fast(doubled) == []


def test_very_many_turns_of_one_role_are_joined() -> None:
    """One tuple for each more would be copied ten thousand million times: that takes minutes, and no line of ours."""
    turns = [Turn(Role.USER, (Text("Hi"),))] * 100_000
    (joined,) = merged(turns)
    assert joined.parts == (Text("Hi"),) * 100_000


def test_what_citations_quote_is_no_multiple_of_the_text() -> None:
    """Where every citation is of nearly all of a text, the passages would be as long as its square."""
    text = "é" * 100_000
    pages = tuple(Citation(f"https://a.test/{number}", start=number, end=100_000) for number in range(300))
    reply = Reply("r", "m", (Text(text, citations=pages),), Stop(StopReason.END))
    written = write_reply("gemini", reply)
    assert len(written) < 12 * len(text)
    supports = msgspec.json.decode(written)["candidates"][0]["groundingMetadata"]["groundingSupports"]
    assert [support["segment"].get("startIndex", 0) for support in supports] == [2 * number for number in range(300)]
    assert supports[0]["segment"]["text"] == text
