"""The limits of an exchange, at the limit and one beyond it; and what it tells of objects that are kept or not."""

import msgspec
import pytest

from gephyr_core.commands import CallUpstream, CancelQuestions, EndResponse, Load, ReadBody, SendBody, StartResponse
from gephyr_core.config import ModelsConfig, UpstreamConfig
from gephyr_core.events import Loaded, RequestBody, RequestEnded
from gephyr_core.http import header
from tests.core.play import Play, account
from tests.core.test_exchange_fetching import ask, gemini
from tests.core.test_exchange_stored import ask_store, chat_only, keep

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


@pytest.mark.parametrize(("tokens", "streamed"), [(21_333, False), (21_334, True)])
def test_a_reply_that_may_take_ten_minutes_is_collected_from_a_stream(tokens: int, streamed: bool) -> None:
    """Anthropic's SDK draws the line there."""
    play = Play(account(provider="anthropic"), models=ModelsConfig(routes={"m": ("anthropic/claude-opus-4-7",)}))
    body = {"model": "m", "max_tokens": tokens, "messages": [{"role": "user", "content": "hi"}]}
    play.start("/v1/chat/completions")
    play.expect(ReadBody)
    play.feed(RequestBody(1, msgspec.json.encode(body)))
    play.expect()
    calls = [one for one in play.feed(RequestEnded(1)) if isinstance(one, CallUpstream)]
    assert [msgspec.json.decode(call.body).get("stream", False) for call in calls] == [streamed]


def test_what_is_not_kept_is_refused_by_the_field_that_asks_for_it() -> None:
    refusal = chat_only(stored_responses="refuse").refused(b'{"model":"x","input":"a","store":true}', "/v1/responses")
    assert msgspec.json.decode(refusal.body)["error"]["param"] == "store"


def test_what_is_kept_is_told_as_json_and_never_as_a_stream() -> None:
    play = chat_only()
    record, told = keep(play)
    load = ask_store(play, f"/v1/responses/{told['id']}")
    play.feed(Loaded(load.exchange, load.question, record))
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, header(start.headers, b"content-type")) == (200, b"application/json")
    load = ask_store(play, f"/v1/responses/{told['id']}?stream=true")
    play.feed(Loaded(load.exchange, load.question, record))
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, msgspec.json.decode(sent.data)["error"]["param"]) == (400, "stream")
