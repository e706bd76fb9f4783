"""The troubles of one simulated account, without a gateway: which request meets which, and what is left of a reply."""

from typing import Any

import pytest

from gephyr.harness.providers.wire import Reply
from gephyr.testing.accounts import Kind, SimulatedAccount, Trouble


class Simulated:
    """Replies in the pieces that it was made with."""

    def __init__(self, *pieces: tuple[float, bytes]) -> None:
        self.pieces = pieces

    def respond(self, *_asked: object) -> Reply:
        headers = ((b"content-type", b"text/x"), (b"content-length", b"9"))
        return Reply(200, headers, iter(self.pieces))  # type: ignore[arg-type]


def call() -> Any:
    class Call:
        method, target, headers, body = "POST", "/x", (), b"asked"

    return Call()


@pytest.mark.parametrize("kind", [Kind.RESET, Kind.STALL])
@pytest.mark.parametrize(
    ("pieces", "left"),
    [
        ([(0.5, b"abcd"), (1.0, b"efg")], [(0.5, b"ab")]),
        ([(0.5, b"abcde")], [(0.5, b"ab")]),
        ([(0.5, b"a")], [(0.5, b"a")]),
        ([], [(0.0, b"")]),
    ],
)
def test_a_reply_breaks_off_in_its_first_piece(kind: Kind, pieces: Any, left: Any) -> None:
    one = SimulatedAccount("a", "openai", Simulated(*pieces))  # type: ignore[arg-type]
    whole, broken = one.reply(call(), None, 0.0), one.reply(call(), Trouble(kind), 0.0)
    assert list(whole.pieces) == pieces
    assert list(broken.pieces) == left
    assert (broken.status, broken.headers) == (200, ((b"content-type", b"text/x"),))


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_an_error_status_is_told_with_its_headers(provider: str) -> None:
    one = SimulatedAccount("a", provider, Simulated())  # type: ignore[arg-type]
    reply = one.reply(call(), Trouble(Kind.STATUS, 429, ((b"retry-after", b"7"),)), 0.0)
    assert reply.status == 429
    assert reply.headers == ((b"content-type", b"application/json"), (b"retry-after", b"7"))
    assert b"error" in b"".join(data for _, data in reply.pieces)


def test_troubles_come_in_their_order_as_often_as_was_said_and_those_for_good_alone() -> None:
    one = SimulatedAccount("a", "openai", Simulated())  # type: ignore[arg-type]
    one.fail(500)
    one.go_down()  # for good: in place of what was said before
    one.limit(retry_after=1.5, times=2)
    assert [one.next_trouble(call()) for _ in range(3)] == [Trouble(Kind.OUTAGE)] * 3
    one.recover()
    one.limit(retry_after=1.5, times=2)
    one.fail(503, times=1, headers=[(b"x", b"y")])
    one.stall(times=1)
    met = [one.next_trouble(call()) for _ in range(5)]
    limited = Trouble(Kind.STATUS, 429, ((b"retry-after", b"1.5"),))
    assert met == [limited, limited, Trouble(Kind.STATUS, 503, ((b"x", b"y"),)), Trouble(Kind.STALL), None]
    one.break_off()
    one.recover()
    assert one.next_trouble(call()) is None
    assert [(seen.method, seen.target) for seen in one.requests] == [("POST", "/x")] * 9
