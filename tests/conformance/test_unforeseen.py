"""Faults of the front ends' own code: the client is answered, nobody else notices, and the log says where."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.conformance.conftest import Serve
from tests.conformance.front_ends import account
from tests.conformance.samples import CHAT
from tests.conformance.talk import CutError, FrontEnd
from tests.conformance.upstream import Reply
from tests.faulting import SECRET, fault_at_call

pytestmark = [pytest.mark.anyio, pytest.mark.semantic]
FRONT = (
    *("gephyr.server.connection", "gephyr.server.request", "gephyr.server.response", "gephyr.server.head"),
    *("gephyr.asgi.exchange", "gephyr.asgi.scope"),
)
PATHS = {
    "/v1/chat/completions": (b'{"model":"m","messages":[]}', b'{"choices":[{"message":{"content":"hi"}}]}', "openai"),
    "/v1/messages": (
        b'{"model":"m","max_tokens":1,"messages":[]}',
        b'{"content":[],"stop_reason":"end_turn"}',
        "anthropic",
    ),
}


async def outcome(front: FrontEnd, path: str) -> Any:
    """What a client gets: a status and its JSON, or None where its connection was cut."""
    try:
        response = await front.ask("POST", path, PATHS[path][0])
    except CutError:
        return None
    return response.status, json.loads(response.body)


@pytest.mark.parametrize("path", PATHS)
async def test_a_fault_of_the_front_end_costs_its_own_request_only(serve: Serve, path: str) -> None:
    """At one call of its functions after another. What the client gets is whole, or an error in its dialect; it never
    waits in vain, and is not cut off."""
    _, reply, provider = PATHS[path]
    answered = 0
    async with serve(account("a", provider)) as front:
        front.may_fail = True
        front.upstream.replies["a"] = Reply([reply])
        for number in range(1, 1000):
            with capture_logs() as logs, fault_at_call(number, FRONT) as hit:
                got = await outcome(front, path)
            faults = [line for line in logs if line["event"] == "the gateway itself failed"]
            assert bool(faults) is bool(hit), (hit, logs)
            assert SECRET not in str(logs) + str(got)
            if got is not None and got[0] != 200:
                assert got[0] == 500, hit
                assert "the gateway failed on this request" in got[1]["error"]["message"]
                answered += 1
            if not hit:
                break
            assert got is not None, hit
            assert faults[0]["error"] == "ZeroDivisionError"
            assert faults[0]["place"].startswith(("gephyr/server/", "gephyr/asgi/", "gephyr/runtime/"))
            assert (await outcome(front, path))[0] == 200
            assert await front.in_use() == (0, 0)
    assert answered


async def test_a_stream_that_the_front_end_breaks_is_never_taken_for_a_whole_one(serve: Serve) -> None:
    """The client gets the whole stream, a 500, or a stream that ends with an error or is cut."""
    broken = 0
    async with serve(account("a")) as front:
        front.may_fail = True
        front.upstream.replies["a"] = Reply([CHAT.stream], CHAT.stream_headers)
        for number in range(1, 1000):
            with capture_logs() as logs, fault_at_call(number, FRONT) as hit:
                try:
                    response = await front.ask("POST", CHAT.stream_path, CHAT.stream_body)
                except CutError:
                    response = None
            if not hit:
                break
            assert [line["error"] for line in logs if line["event"] == "the gateway itself failed"], hit
            whole = response is not None and response.status == 200 and response.body == CHAT.stream
            if not whole:
                assert response is None or b"the gateway failed on this request" in response.body, hit
                broken += 1
            assert (await front.ask("POST", CHAT.stream_path, CHAT.stream_body)).body == CHAT.stream
            assert await front.in_use() == (0, 0)
    assert broken > 5
