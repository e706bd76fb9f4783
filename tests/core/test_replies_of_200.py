"""Replies of status 200 that are none fail over where nothing was sent, passed on and translated alike."""

import json
from typing import Any

import pytest

from gephyr_core.commands import (
    CallUpstream,
    CancelUpstream,
    DetachUpstream,
    EndResponse,
    Save,
    SendBody,
    StartResponse,
)
from gephyr_core.config import ModelsConfig
from gephyr_core.http import header
from tests.core.play import JSON, SSE, Play, account
from tests.core.replies_of_200 import (
    EMPTY,
    EMPTY_STREAMS,
    ERROR_EVENTS,
    ERRORS,
    LEGAL,
    LEGAL_STREAMS,
    RUBBISH,
    SIDES,
    Side,
)

TARGETS = {
    "openai-chat": "openai/gpt-5",
    "openai-responses": "openai/gpt-5",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-2.5-pro",
}
CLIENTS = ("openai-chat", "anthropic", "gemini")
PAIRS = [(name, name) for name in SIDES] + [
    (client, provider) for client in CLIENTS for provider in TARGETS if client != provider
]
"""Client and provider: each dialect passed on, and each translated for three kinds of clients."""


def accounts_for(client: str, provider: str, names: tuple[str, ...]) -> Play:
    """Accounts of a provider's dialect, which the client's model is served by."""
    kind = SIDES[provider].provider
    if client == provider:
        return Play(*(account(name, kind) for name in names))
    dialect = {"dialect": provider} if kind == "openai" else {}
    routes = ModelsConfig(routes={"m": (TARGETS[provider],)})
    return Play(*(account(name, kind, **dialect) for name in names), models=routes)


def asked(play: Play, side: Side, *, stream: bool) -> CallUpstream:
    """Ask for an answer, whole or streamed."""
    body = side.body | ({"stream": True} if stream and "model" in side.body else {})
    return play.request(json.dumps(body).encode(), side.stream_path if stream else side.path)


def told(play: Play) -> tuple[int, Any, Any]:
    """The status, the head and the body that the client was told, which ends the response."""
    commands = [
        command for command in play.unclaimed if not isinstance(command, CancelUpstream | DetachUpstream | Save)
    ]
    play.unclaimed = []
    assert [type(command) for command in commands] == [StartResponse, SendBody, EndResponse]
    return commands[0].status, commands[0].headers, commands[1].data


def ends(play: Play, call: CallUpstream) -> None:
    """The provider's body ends, if the call is not over by now."""
    if not play.unclaimed:
        play.end(call)


def answers(play: Play, call: CallUpstream, body: bytes, *, stream: bool) -> None:
    """A provider answers with status 200."""
    play.head(call, headers=SSE if stream else JSON)
    play.expect()
    if body:
        play.body(call, body)
    ends(play, call)


def goes_on(play: Play, call: CallUpstream) -> CallUpstream:
    """The next account is asked."""
    commands = [command for command in play.unclaimed if not isinstance(command, CancelUpstream | DetachUpstream)]
    play.unclaimed = []
    [second] = commands
    assert isinstance(second, CallUpstream)
    assert {call.account, second.account} == {"a", "b"}
    return second


CASES = [
    *((pair, json.dumps(body).encode(), False) for pair in PAIRS for body, _ in ERRORS[pair[1]].values()),
    *((pair, json.dumps(body).encode(), False) for pair in PAIRS for body in EMPTY[pair[1]]),
    *((pair, body, False) for pair in PAIRS for body in RUBBISH),
    *((pair, body, True) for pair in PAIRS for body in EMPTY_STREAMS[pair[1]]),
    *((pair, body, True) for pair in PAIRS for body, _ in ERROR_EVENTS[pair[1]].values()),
    *((pair, json.dumps(body).encode(), True) for pair in PAIRS for body, _ in ERRORS[pair[1]].values()),
]


@pytest.mark.parametrize(("pair", "body", "stream"), CASES)
def test_what_is_no_reply_is_hidden_by_the_next_account(pair: tuple[str, str], body: bytes, stream: bool) -> None:
    """The client gets the one good reply, and nothing of the other."""
    client, provider = SIDES[pair[0]], SIDES[pair[1]]
    play = accounts_for(*pair, ("a", "b"))
    call = asked(play, client, stream=stream)
    answers(play, call, body, stream=stream)
    second = goes_on(play, call)
    play.head(second, headers=SSE if stream else JSON)
    play.expect()
    play.body(second, provider.good_stream if stream else json.dumps(provider.good).encode())
    sent = [command.data for command in play.unclaimed if isinstance(command, SendBody)]
    play.unclaimed = [command for command in play.unclaimed if isinstance(command, EndResponse)]
    if not play.unclaimed:
        play.end(second)
        sent += [command.data for command in play.unclaimed if isinstance(command, SendBody)]
    play.unclaimed = []
    assert b"Well" in b"".join(sent)
    [record] = play.records
    assert (record.outcome, record.status) == ("ok", 200)
    assert record.attempts[0].outcome in {"reply_error", "stream_error", "protocol"}
    play.finish()


LAST = [
    *((name, json.dumps(body).encode(), False, status) for name in SIDES for body, status in ERRORS[name].values()),
    *((name, body, True, status) for name in SIDES for body, status in ERROR_EVENTS[name].values()),
    *((name, body, False, 502) for name in SIDES for body in RUBBISH),
    *((name, body, True, 502) for name in SIDES for body in EMPTY_STREAMS[name]),
]


@pytest.mark.parametrize(("name", "body", "stream", "status"), LAST)
def test_where_no_account_is_left_the_client_is_told_by_the_status(
    name: str, body: bytes, stream: bool, status: int
) -> None:
    """In its dialect, so that its SDK raises the class that the error is; never a word about the operator's key."""
    play = accounts_for(name, name, ("a",))
    answers(play, asked(play, SIDES[name], stream=stream), body, stream=stream)
    code, headers, data = told(play)
    if (name, status) == ("gemini", 529):
        status = 503
    assert code == status
    assert header(headers, b"content-type") == b"application/json"
    error = json.loads(data)
    assert "error" in (error[0] if isinstance(error, list) else error)
    assert b"OPERATOR" not in data
    play.finish()


@pytest.mark.parametrize(("pair", "reply"), [(pair, reply) for pair in PAIRS for reply in LEGAL[pair[1]]])
def test_a_reply_that_says_why_it_says_nothing_is_one(pair: tuple[str, str], reply: Any) -> None:
    """Filtered, blocked, cut at once, or with nothing to add: no other account would do better."""
    play = accounts_for(*pair, ("a", "b"))
    answers(play, asked(play, SIDES[pair[0]], stream=False), json.dumps(reply).encode(), stream=False)
    status, _, data = told(play)
    assert status == 200
    if pair[0] == pair[1]:
        assert json.loads(data) == reply
    assert play.records[0].outcome == "ok"


@pytest.mark.parametrize(("pair", "stream"), [(pair, stream) for pair in PAIRS for stream in LEGAL_STREAMS[pair[1]]])
def test_a_stream_that_says_why_it_says_nothing_is_one(pair: tuple[str, str], stream: bytes) -> None:
    """Passed on as it came; and collected, where a whole reply was asked for."""
    play = accounts_for(*pair, ("a", "b"))
    call = asked(play, SIDES[pair[0]], stream=True)
    answers(play, call, stream, stream=True)
    got, play.unclaimed = list(play.unclaimed), []
    if not any(isinstance(command, EndResponse) for command in got):
        got += play.end(call)
        play.unclaimed = []
    if pair[0] == pair[1]:
        assert b"".join(command.data for command in got if isinstance(command, SendBody)) == stream
    assert (play.records[0].outcome, len(play.records[0].attempts)) == ("ok", 1)
    play.finish()
    play = accounts_for(*pair, ("a", "b"))
    answers(play, asked(play, SIDES[pair[0]], stream=False), stream, stream=True)
    status, _, _ = told(play)
    assert status == 200


@pytest.mark.parametrize(
    ("name", "body", "wait"),
    [
        ("openai-chat", {"error": {"code": 429, "message": "Please try again in 20s."}}, 20),
        (
            "openai-chat",
            {"error": {"code": 429, "message": "x", "metadata": {"headers": {"X-RateLimit-Reset": "1030000"}}}},
            30,
        ),
        (
            "gemini",
            {
                "error": {
                    "code": 429,
                    "message": "x",
                    "status": "RESOURCE_EXHAUSTED",
                    "details": [{"retryDelay": "34s"}],
                }
            },
            34,
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_the_time_to_come_back_is_learned_from_the_error_itself(name: str, body: Any, wait: int, stream: bool) -> None:
    """The client is told it, and the account is left alone for so long, as after a real 429."""
    play = accounts_for(name, name, ("a",))
    play.now = 1_000_000_000.0
    text = json.dumps(body).replace("1030000", str(int((play.now + 30) * 1000)))
    call = asked(play, SIDES[name], stream=stream)
    answers(play, call, b"data: " + text.encode() + b"\n\n" if stream else text.encode(), stream=stream)
    status, headers, _ = told(play)
    assert (status, header(headers, b"retry-after")) == (429, b"%d" % wait)
    play.now += 1
    refusal = play.refused(json.dumps(SIDES[name].body).encode(), SIDES[name].path)
    assert refusal.status == 429


def test_a_retry_after_in_the_head_of_a_whole_error_counts() -> None:
    play = Play(account("a"))
    call = play.request()
    body = b'{"error":{"code":429,"message":"slow"}}'
    play.answer(call, body, headers=[*JSON, (b"retry-after", b"90")])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, sent.data) == (429, body)
    assert header(start.headers, b"retry-after") == b"90"


def test_an_error_in_a_200_is_weighed_like_one_with_its_status() -> None:
    """A limit wins over the rest, with the soonest time of all accounts."""
    play = Play(account("a"), account("b"), account("c"))
    play.answer(play.request(), b'{"error":{"code":429,"message":"Please try again in 50s."}}')
    play.answer(play.expect(CallUpstream), b'{"error":{"code":503,"message":"busy"}}', 503, [(b"retry-after", b"70")])
    play.answer(play.expect(CallUpstream), b'{"error":{"code":503,"message":"Please try again in 60s."}}')
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, json.loads(sent.data)["error"]["message"]) == (429, "Please try again in 50s.")
    assert header(start.headers, b"retry-after") == b"50"


def test_an_unknown_model_in_a_200_tries_the_next_target() -> None:
    play = Play(account("a"), models=ModelsConfig(routes={"m": ("new", "old")}))
    play.answer(play.request(), b'{"error":{"code":404,"message":"The model `new` does not exist"}}')
    assert b'"old"' in play.expect(CallUpstream).body


def test_the_requests_own_fault_is_told_at_once() -> None:
    """No other account would take it: the error goes on as it came, with the status that it names."""
    play = Play(account("a"), account("b"))
    body = b'{"error":{"code":400,"message":"messages: too short"}}'
    play.answer(play.request(), body)
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, sent.data) == (400, body)


FAILED = (
    b'{"id":"resp_1","object":"response","status":"failed","error":{"code":"server_error","message":"x"},"output":[]}'
)


@pytest.mark.parametrize("field", [b'"store":true', b'"background":true', b'"conversation":"conv_1"'])
def test_what_must_not_be_done_twice_is_not_asked_again(field: bytes) -> None:
    """A 200 says that the request was accepted. A failed response is stored all the same: it is handed on, and can be
    fetched again where it was made."""
    play = Play(account("a"), account("b"))
    body = b'{"model":"m","input":"hi",%b}' % field.replace(b'"conversation":"conv_1"', b'"store":true')
    call = play.request(body, "/v1/responses", credentials=("k1",))
    play.answer(call, FAILED)
    save, start, sent, _ = play.expect(Save, StartResponse, SendBody, EndResponse)
    assert (start.status, sent.data) == (200, FAILED)
    assert (save.record.object_id, save.record.account) == ("resp_1", call.account)
    assert (play.records[0].outcome, play.records[0].error) == ("provider_error", "server")
    play.answer(play.request(body, "/v1/responses", credentials=("k1",)), b'{"error":{"code":429,"message":"slow"}}')
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 429


def test_a_stored_response_that_failed_is_what_was_asked_for() -> None:
    play = Play(account("a"))
    call = play.request(b'{"model":"m","input":"hi"}', "/v1/responses", credentials=("k1",))
    play.answer(call, b'{"id":"resp_1","object":"response","status":"queued","output":[]}')
    play.expect(Save, StartResponse, SendBody, EndResponse)
    play.answer(play.request(b"", "/v1/responses/resp_1", method="GET", credentials=("k1",)), FAILED)
    *_, start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, sent.data) == (200, FAILED)
    play.answer(play.request(b"", "/v1/responses/resp_1", method="GET", credentials=("k1",)), b'{"error":{"code":429}}')
    start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 429


@pytest.mark.parametrize("whole", [False, True])
def test_the_stream_of_a_stored_response_that_failed_is_what_was_asked_for(whole: bool) -> None:
    """As events that end so, or (a stream was asked for and begun) made of the whole response."""
    play = Play(account("a"))
    call = play.request(b'{"model":"m","input":"hi"}', "/v1/responses", credentials=("k1",))
    play.answer(call, b'{"id":"resp_1","object":"response","status":"queued","output":[]}')
    play.expect(Save, StartResponse, SendBody, EndResponse)
    call = play.request(b"", "/v1/responses/resp_1?stream=true", method="GET", credentials=("k1",))
    if whole:
        play.wait()
        play.expect(StartResponse, SendBody)
    play.head(call, headers=SSE)
    play.expect()
    failed = b'event: response.failed\ndata: {"type":"response.failed","response":%b}\n\n' % FAILED
    got = list(play.body(call, FAILED if whole else failed))
    play.unclaimed = []
    if not any(isinstance(command, EndResponse) for command in got):
        got += play.end(call)
        play.unclaimed = []
    stream = b"".join(command.data for command in got if isinstance(command, SendBody))
    assert stream.count(b"event: response.failed") == 1
    assert b"server_error" in stream
    play.finish()


@pytest.mark.parametrize(
    ("path", "body", "reply"),
    [
        ("/v1/embeddings", {"model": "m", "input": "x"}, {"object": "list", "data": []}),
        ("/v1/moderations", {"input": "x"}, {"id": "modr", "results": []}),
        ("/v1/responses/compact", {"model": "m", "input": "x"}, {"object": "response.compaction", "output": []}),
        ("/v1/responses/input_tokens", {"model": "m", "input": "x"}, {"input_tokens": 0}),
    ],
)
def test_only_an_answer_needs_content(path: str, body: Any, reply: Any) -> None:
    """What else is asked for may be empty; an error is an error, and a page none of it."""
    play = Play(account("a"))
    play.answer(play.request(json.dumps(body).encode(), path), json.dumps(reply).encode())
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert (start.status, json.loads(sent.data)) == (200, reply)
    for wrong, status in ((b'{"error":{"code":503,"message":"x"}}', 503), (b"<html>", 502), (b"", 502), (b"[]", 502)):
        play = Play(account("a"))
        play.answer(play.request(json.dumps(body).encode(), path), wrong)
        start, _, _ = play.expect(StartResponse, SendBody, EndResponse)
        assert start.status == status
