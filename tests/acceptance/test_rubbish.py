"""A provider that answers rubbish: 502 or 504 in the dialect, within the limits, and never memory without bound."""

import base64
import gzip
import json
from typing import Any

import pytest

from tests.acceptance.client import connected
from tests.acceptance.gateway import Gateway, Mapping, account, configuration, gateway
from tests.acceptance.speech import SPEECHES, Speech
from tests.acceptance.stub import Answer, Stub, json_answer, sse_answer

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)]

_LIMIT = 256 * 1024
"""Bytes of a reply, and of an event of a stream."""
_ON_THE_WAY = 16 * 1024 * 1024
"""Bytes that the systems of both sides may hold on a loopback connection: they tell nothing about the gateway."""
_PAGE = "<!DOCTYPE html><html><body><h1>Welcome to nginx!</h1></body></html>"
_ENDLESS: dict[str, Any] = {"repeat": 100_000, "then": "stall"}
_PATIENCE = 36.0
"""Seconds of silence after which a provider is given up; in all it has half as much again. No keep-alive is due yet."""
_LATER = 600.0
"""Seconds, after which the account is asked again whatever it did."""
_TICK: dict[str, Any] = {"repeat": 10_000, "pause": 0.02, "then": "stall"}
"""A byte now and then, below every idle limit."""


def _raw(data: bytes, **more: Any) -> Answer:
    return {"raw64": base64.b64encode(data).decode(), **more}


def _gzip(data: bytes) -> Answer:
    headers = [["Content-Type", "application/json"], ["Content-Encoding", "gzip"]]
    return {"status": 200, "headers": headers, "body64": base64.b64encode(data).decode()}


_WHOLE: dict[str, tuple[Answer, int]] = {
    "html": ({"status": 200, "headers": [["Content-Type", "text/html"]], "body": _PAGE}, 502),
    "html-as-json": ({"status": 200, "headers": [["Content-Type", "application/json"]], "body": _PAGE}, 502),
    "half-a-reply": ({"status": 200, "headers": [["Content-Type", "application/json"]], "body": '{"id": "c'}, 502),
    "cut-off": (_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", then="close"), 502),
    "truncated-gzip": (_gzip(gzip.compress(b'{"object": "list"}' * 99)[:-20]), 502),
    "no-gzip": (_gzip(b'{"object": "list"}'), 502),
    "gzip-bomb": (_gzip(gzip.compress(b"0" * (64 * _LIMIT))), 502),
    "redirect": ({"status": 302, "headers": [["Location", "http://127.0.0.1:1/"]], "body": ""}, 502),
    "no-http": (_raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", then="stall"), 502),
    "endless-header": (_raw(b"HTTP/1.1 200 OK\r\nX-Long: ") | {"then": "stall"}, 504),
    "flooding-header": (_raw(b"X-Header: " + b"x" * 50_000 + b"\r\n", **_ENDLESS), 502),
    "flooding-body": (json_answer(["x" * 50_000], framing="chunked", **_ENDLESS), 502),
    "slow-body": (json_answer([], framing="chunked", **_TICK), 504),
}
"""What comes in answer to a request for a whole reply, and the status that its client gets."""

_STREAMED: dict[str, tuple[Answer, int]] = {
    "html": ({"status": 200, "headers": [["Content-Type", "text/html"]], "body": _PAGE}, 502),
    "empty": (sse_answer(), 502),
    "endless-event": (sse_answer("data: " + "x" * 50_000, **_ENDLESS), 502),
    "no-event": (sse_answer("data: x", then="stall"), 504),
    "bad-chunks": (_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n", then="stall"), 502),
}


@pytest.mark.parametrize("rubbish", _WHOLE)
async def test_rubbish_for_a_whole_reply_is_a_gateway_error_in_the_dialect(
    stub: Stub, speech: Speech, rubbish: str
) -> None:
    answer, status = _WHOLE[rubbish]
    await _check(stub, speech, answer, status, stream=False)


@pytest.mark.parametrize("rubbish", _STREAMED)
async def test_rubbish_for_a_stream_is_a_gateway_error_in_the_dialect(stub: Stub, speech: Speech, rubbish: str) -> None:
    answer, status = _STREAMED[rubbish]
    await _check(stub, speech, answer, status, stream=True)


async def _check(stub: Stub, speech: Speech, answer: Answer, status: int, *, stream: bool) -> None:
    await stub.script("a", answer, speech.answer(stream=stream))
    target, body = speech.stream_target if stream else speech.target, speech.body(stream=stream)
    async with gateway(_settings(stub, speech)) as world, connected(world.port) as client:
        client.send("POST", target, body)
        if status == 504:
            await _pass_the_limits(stub, world, sends_on="pause" in answer)
        response = await client.response()
        assert response.status == status, response.body
        _check_error(speech, status, json.loads(response.body))
        world.pass_time(_LATER)
        again = await client.ask("POST", target, body)
        assert (again.status, b"hello" in again.body) == (200, True), again.body
        assert world.in_use()["open_leases"] == 0
    [seen, _] = await stub.take()
    assert seen["sent"] < _ON_THE_WAY


async def _pass_the_limits(stub: Stub, world: Gateway, *, sends_on: bool) -> None:
    """Let the total time pass, and never as much in a silence as the provider may be silent for, if it *sends_on*."""
    await stub.order("wait_requests", count=1)
    for _ in range(2 if sends_on else 1):
        if sends_on:
            await stub.order("wait_sent", bytes=(await stub.count())["sent"] + 1)
        async with connected(world.port) as other:
            assert (await other.ask("HEAD", "/")).status == 200, "the gateway has read what was sent before"
        world.pass_time(0.9 * _PATIENCE if sends_on else 1.5 * _PATIENCE)


def _settings(stub: Stub, speech: Speech) -> Mapping:
    limits = {"first_byte_timeout": _PATIENCE, "idle_timeout": _PATIENCE, "total_timeout": 1.5 * _PATIENCE}
    limits |= {"max_reply_size": _LIMIT, "max_sse_line": _LIMIT}
    server = {"keepalive_interval": 60}
    return configuration([account("a", stub.url("a"), speech.provider)], upstream=limits, server=server)


def _check_error(speech: Speech, status: int, told: dict[str, Any]) -> None:
    """The error has the dialect's own form, as its SDK reads it."""
    error = told["error"]
    assert "provider" in error["message"]
    match speech.name:
        case "anthropic":
            assert told["type"] == "error"
            assert error["type"] == ("api_error" if status == 502 else "timeout_error")
        case "gemini":
            assert error["code"] == status
            assert error["status"] == ("UNAVAILABLE" if status == 502 else "DEADLINE_EXCEEDED")
        case _:
            assert error["type"] == "server_error"
            assert error.keys() >= {"message", "type", "param", "code"}
