"""The limits of an exchange, at the limit and one beyond it."""

import msgspec
import pytest

from gephyr_core.commands import CancelQuestions, EndResponse, Load, SendBody, StartResponse
from gephyr_core.config import UpstreamConfig
from gephyr_core.events import Loaded
from tests.core.play import Play, account
from tests.core.test_exchange_fetching import ask, gemini
from tests.core.test_exchange_stored import ask_store, chat_only

MIB = 1024 * 1024


def outcome(size: int, status: int, limit: int) -> str:
    """What the record says of a reply of *size* bytes."""
    play = Play(account(), upstream=UpstreamConfig(max_reply_size=limit))
    call = play.request()
    play.head(call, status)
    play.expect()
    play.body(call, b'{"choices":[{"message":{"content":"hi"}}]}'.ljust(size))
    if not play.unclaimed:
        play.end(call)
    play.unclaimed = []
    return play.records[0].attempts[0].outcome


@pytest.mark.parametrize(
    ("size", "status", "limit", "label"),
    [
        (60, 200, 60, "ok"),
        (61, 200, 60, "too_large"),
        (60, 500, 60, "status"),
        (MIB, 500, 2 * MIB, "status"),
        (MIB + 1, 200, 2 * MIB, "ok"),
    ],
)
def test_a_reply_is_taken_up_to_its_limit(size: int, status: int, limit: int, label: str) -> None:
    """The configured one; an error has none of more than 1 MiB."""
    assert outcome(size, status, limit) == label


@pytest.mark.parametrize(("size", "limit"), [(21, 20), (MIB + 1, 2 * MIB)])
def test_an_error_beyond_the_limit_is_told_by_its_status(size: int, limit: int) -> None:
    play = Play(account(), upstream=UpstreamConfig(max_reply_size=limit))
    call = play.request()
    play.head(call, 500)
    play.expect()
    play.body(call, b" " * size)
    play.unclaimed = []
    (attempt,) = play.records[0].attempts
    assert attempt.detail == f"status 500: the reply exceeds {min(limit, MIB)} bytes"


def test_a_silent_store_is_given_ten_seconds() -> None:
    play = chat_only()
    ask_store(play, "/v1/responses/resp_gephyr_00")
    play.wait()
    play.unclaimed = []
    assert play.now == 1000.0 + 10.0


def test_an_address_is_given_five_seconds_beyond_the_fetchers_own_limit() -> None:
    """So that its own words for the failure come first."""
    play = gemini()
    ask(play, "https://example.com/" + "a" * 300)
    play.wait()
    _, start, sent, _ = play.expect(CancelQuestions, StartResponse, SendBody, EndResponse)
    assert play.now == 1000.0 + play.config.translation.fetch_timeout + 5.0
    message = msgspec.json.decode(sent.data)["error"]["message"]
    assert start.status == 400
    assert "/" + "a" * 180 + " could not be fetched: it did not come in time" in message


def test_a_response_that_is_not_kept_is_named_by_its_field() -> None:
    """OpenAI's code for it belongs to the field ``previous_response_id``; a path has none."""
    play = chat_only()
    load = ask_store(play, "/v1/responses/resp_gephyr_00")
    assert isinstance(load, Load)
    play.feed(Loaded(load.exchange, load.question, None))
    _, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    error = msgspec.json.decode(sent.data)["error"]
    assert (error["param"], error["code"]) == ("id", None)
