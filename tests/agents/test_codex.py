"""What Codex CLI needs of a provider with ``wire_api = "responses"``."""

import json
from typing import Any

import pytest
import zstandard

from tests.acceptance.speech import RESPONSES
from tests.acceptance.stub import Answer, json_answer, sse_answer
from tests.agents.asking import BEARER, OTHER_KEY, Gateway, events, sent_body, sent_headers
from tests.sdk.servers import Stub
from tests.waiting import WAIT

TARGET = "/v1/responses"
ASKED: dict[str, Any] = {
    "model": "gpt-codex",
    "instructions": "You are Codex.",
    "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "conversation-1",
}


def test_a_websocket_is_refused_with_the_status_that_means_http(gateway: Gateway, stub: Stub) -> None:
    """Codex goes on over HTTP after a 426, and slowly or not at all after others. The connection stays usable."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "OpenAI-Beta": "responses_websockets=2026-02-06",
    }
    with gateway.connected() as line:
        line.send("GET", TARGET, headers=upgrade)
        head = line.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 426 ")
        assert b"\r\nupgrade: " in head.lower()
        line.until(b"}}")
        line.send("HEAD", "/")
        assert line.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert stub.take() == []


def test_a_websocket_needs_a_key_first(gateway: Gateway) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
    assert gateway.ask("GET", TARGET, headers=headers).status == 401


def test_its_headers_go_on_and_the_turn_state_comes_back(gateway: Gateway, stub: Stub) -> None:
    headers = {
        "thread-id": "0200",
        "x-codex-turn-state": "opaque",
        "x-codex-turn-metadata": '{"turn_id":"7"}',
        "x-codex-never-heard-of": "1",
        "OpenAI-Beta": "responses=experimental",
        "originator": "codex_cli_rs",
    }
    told = [["Content-Type", "text/event-stream"], ["x-codex-turn-state", "next"], ["x-models-etag", '"e"']]
    stub.script("codex", {**RESPONSES.answer(stream=True), "headers": told})
    session = {"session_id": "0199", "session-id": "0199"}
    answer = gateway.ask("POST", TARGET, ASKED, {**BEARER, **headers, **session})
    assert answer.status == 200
    assert (answer.headers["x-codex-turn-state"], answer.headers["x-models-etag"]) == ("next", '"e"')
    [seen] = stub.take()
    assert {name: sent_headers(seen, name.lower()) for name in headers} == {
        name: [value] for name, value in headers.items()
    }
    assert [sent_headers(seen, name) for name in session] == [[], []]
    assert sent_headers(seen, "authorization") == ["Bearer credential-of-codex"]


def test_a_compressed_body_reaches_the_provider_decoded(gateway: Gateway, stub: Stub) -> None:
    body = json.dumps({**ASKED, "instructions": "Do. " * 10_000}).encode()
    stub.script("codex", RESPONSES.answer(stream=True))
    headers = {**BEARER, "Content-Encoding": "zstd", "Content-Type": "application/json"}
    answer = gateway.ask("POST", TARGET, zstandard.compress(body), headers)
    assert answer.status == 200
    [seen] = stub.take()
    assert sent_body(seen) == body
    assert sent_headers(seen, "content-encoding") == []


def test_the_stream_comes_byte_for_byte_up_to_the_completed_event(gateway: Gateway, stub: Stub) -> None:
    stub.script("codex", RESPONSES.answer(stream=True, rechunk=7))
    answer = gateway.ask("POST", TARGET, ASKED)
    assert answer.body == "".join([*RESPONSES.prelude, RESPONSES.content, *RESPONSES.ending]).encode()
    assert [event["type"] for event in events(answer.body)][-1] == "response.completed"


@pytest.mark.parametrize("end", ["reset", "close", "end", "stall"])
def test_however_the_provider_dies_there_is_exactly_one_failed_event(impatient: Gateway, stub: Stub, end: str) -> None:
    stub.script("codex", sse_answer(*RESPONSES.prelude, RESPONSES.content, then=end))
    told = events(impatient.ask("POST", TARGET, ASKED).body)
    assert [event["type"] for event in told] == [
        "response.created",
        "response.output_text.delta",
        "response.failed",
    ]
    assert told[-1]["response"]["id"] == told[0]["response"]["id"]
    assert [event["sequence_number"] for event in told] == [0, 1, 2]


def test_a_limit_tells_the_real_reset(gateway: Gateway, stub: Stub) -> None:
    """Codex shows the provider's own text, and does not retry. Whoever asks next is told without a call."""
    error = {"error": {"message": "Please try again in 1h.", "type": "tokens", "code": "rate_limit_exceeded"}}
    _script(stub, "sealing-limited", json_answer(error, 429, {"retry-after": "3600"}))
    asked = {**ASKED, "model": "sealing-limited"}
    first, second = gateway.ask("POST", TARGET, asked), gateway.ask("POST", TARGET, asked)
    assert (first.status, first.json) == (429, error)
    assert second.status == 429
    assert second.json["error"]["code"] == "rate_limit_exceeded"
    assert first.headers["retry-after"] == "3600"
    assert 3600 - WAIT < int(second.headers["retry-after"]) <= 3600
    assert len(stub.take()) == 2


@pytest.mark.parametrize(("model", "stream"), [("sealing", False), ("sealing-streamed", True)])
def test_encrypted_reasoning_never_crosses_accounts(gateway: Gateway, stub: Stub, model: str, *, stream: bool) -> None:
    """Both organisations make a turn; each conversation goes on where it began, whichever's turn it is."""
    asked = {**ASKED, "model": model, "stream": stream}
    one, two = f"gAAAA-{model}-1", f"gAAAA-{model}-2"
    makers = {}
    for secret in (one, two):
        _script(stub, model, _sealed(secret, stream=stream))
        assert gateway.ask("POST", TARGET, asked).status == 200
        [seen] = stub.take()
        makers[secret] = seen["account"]
    assert sorted(makers.values()) == [f"{model}-a", f"{model}-b"]
    _script(stub, model, RESPONSES.answer(stream=stream))
    for secret in (one, one, two, two, one):
        body = json.dumps({**asked, "input": [*ASKED["input"], _item(secret)]}).encode()
        assert gateway.ask("POST", TARGET, body).status == 200
        [seen] = stub.take()
        assert (seen["account"], sent_body(seen)) == (makers[secret], body)
    stub.script(makers[one], json_answer({"error": {"message": "slow down"}}, 429, {"retry-after": "30"}))
    limited = gateway.ask("POST", TARGET, {**asked, "input": [_item(one)]})
    assert (limited.status, limited.headers["retry-after"]) == (429, "30")
    assert [seen["account"] for seen in stub.take()] == [makers[one]]


def test_reasoning_of_unknown_origin_is_refused_where_two_organisations_could_have_made_it(
    gateway: Gateway, stub: Stub
) -> None:
    """Another key's, for example."""
    _script(stub, "sealing-unknown", _sealed("gAAAA-mine", stream=False))
    asked = {**ASKED, "model": "sealing-unknown", "stream": False}
    assert gateway.ask("POST", TARGET, asked).status == 200
    stub.take()
    again = {**asked, "input": [_item("gAAAA-mine")]}
    answer = gateway.ask("POST", TARGET, again, {"Authorization": f"Bearer {OTHER_KEY}"})
    assert answer.status == 400
    assert answer.json["error"]["param"] == "input[0].encrypted_content"
    assert stub.take() == []
    assert gateway.ask("POST", TARGET, again).status == 200


def _script(stub: Stub, model: str, answer: Answer) -> None:
    """Let both organisations say the same."""
    for account in ("a", "b"):
        stub.script(f"{model}-{account}", answer)


def _item(secret: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": secret}


def _sealed(secret: str, *, stream: bool) -> Answer:
    """A reply with reasoning that only its maker can read."""
    whole = {**RESPONSES.whole, "store": False, "output": [_item(secret)]}
    if not stream:
        return json_answer(whole)
    done = {"type": "response.output_item.done", "output_index": 0, "item": _item(secret), "sequence_number": 1}
    completed = {"type": "response.completed", "response": whole, "sequence_number": 2}
    told = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in (done, completed)]
    return sse_answer(*RESPONSES.prelude, *told)
