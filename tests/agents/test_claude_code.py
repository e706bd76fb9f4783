"""What Claude Code needs of a gateway (its vendor's gateway protocol, and its users' reports)."""

import json

import pytest

from tests.acceptance.speech import ANTHROPIC
from tests.acceptance.stub import json_answer, sse_answer
from tests.agents.asking import KEY, OTHER_KEY, Gateway, events, sent_body, sent_headers
from tests.sdk.servers import Stub

MESSAGE = {**ANTHROPIC.request, "model": "claude-demo"}
TARGET = "/v1/messages?beta=true"


def test_its_probe_is_answered_without_a_key_and_without_a_call(gateway: Gateway, stub: Stub) -> None:
    answer = gateway.ask("HEAD", "/", headers={})
    assert (answer.status, answer.body) == (200, b"")
    assert stub.take() == []


def test_messages_are_found_with_a_query_and_the_query_goes_on(gateway: Gateway, stub: Stub) -> None:
    stub.script("claude", ANTHROPIC.answer())
    answer = gateway.ask("POST", TARGET, MESSAGE)
    assert (answer.status, answer.json) == (200, ANTHROPIC.whole)
    [seen] = stub.take()
    assert seen["target"] == "/claude/v1/messages?beta=true"


@pytest.mark.parametrize(
    "keys",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"x-api-key": KEY},
        {"Authorization": f"Bearer {KEY}", "x-api-key": OTHER_KEY},
        {"Authorization": "Bearer of-a-subscription", "x-api-key": KEY},
    ],
)
def test_either_key_is_taken_and_only_the_accounts_own_goes_on(
    gateway: Gateway, stub: Stub, keys: dict[str, str]
) -> None:
    stub.script("claude", ANTHROPIC.answer())
    assert gateway.ask("POST", TARGET, MESSAGE, keys).status == 200
    [seen] = stub.take()
    assert sent_headers(seen, "x-api-key") == ["credential-of-claude"]
    assert sent_headers(seen, "authorization") == []


def test_versions_betas_and_unknown_fields_go_on_verbatim(gateway: Gateway, stub: Stub) -> None:
    """And the body byte for byte, with what Claude Code's newer versions put there."""
    stub.script("claude", ANTHROPIC.answer())
    body = json.dumps(
        MESSAGE
        | {
            "system": [
                {"type": "text", "text": "x-anthropic-billing-header: cc_version=2"},
                {"type": "text", "text": "é"},
            ],
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "high"},
            "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
            "tools": [{"name": "t", "input_schema": {"type": "object"}, "strict": True, "defer_loading": True}],
            "never_heard_of": {"deep": [1, 2.50, None]},
        },
        indent=1,
        ensure_ascii=False,
    ).encode()
    headers = {
        "x-api-key": KEY,
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,never-heard-of-2031-01-01, interleaved-thinking-2025-05-14",
        "anthropic-dangerous-direct-browser-access": "true",
        "x-stainless-lang": "js",
        "x-app": "cli",
    }
    assert gateway.ask("POST", TARGET, body, headers).status == 200
    [seen] = stub.take()
    assert sent_body(seen) == body
    for name in headers.keys() - {"x-api-key"}:
        assert sent_headers(seen, name) == [headers[name]]


def test_session_keys_stay_with_the_gateway_and_the_user_agent_is_signed(gateway: Gateway, stub: Stub) -> None:
    stub.script("claude", ANTHROPIC.answer())
    ours = ("x-claude-code-session-id", "x-claude-code-agent-id", "x-claude-code-parent-agent-id")
    agent = {"User-Agent": "claude-cli/2.1.257 (external, cli)"}
    headers = {"x-api-key": KEY, **agent, **dict.fromkeys(ours, "9f")}
    assert gateway.ask("POST", TARGET, MESSAGE, headers).status == 200
    [seen] = stub.take()
    assert [sent_headers(seen, name) for name in ours] == [[], [], []]
    [told] = sent_headers(seen, "user-agent")
    assert told.startswith("claude-cli/2.1.257 (external, cli) gephyr/")


def test_a_404_for_counting_goes_to_the_client_and_leaves_the_account_in_use(gateway: Gateway, stub: Stub) -> None:
    error = {"type": "error", "error": {"type": "not_found_error", "message": "Not Found"}}
    stub.script("claude", json_answer(error, 404), ANTHROPIC.answer())
    counted = gateway.ask("POST", "/v1/messages/count_tokens?beta=true", {"model": "claude-demo", "messages": []})
    assert (counted.status, counted.json) == (404, error)
    assert gateway.ask("POST", TARGET, MESSAGE).status == 200
    assert [seen["target"] for seen in stub.take()] == [
        "/claude/v1/messages/count_tokens?beta=true",
        "/claude/v1/messages?beta=true",
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_about_the_request_keeps_status_wording_and_headers(
    gateway: Gateway, stub: Stub, *, stream: bool
) -> None:
    """Claude Code compacts when it reads this text."""
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": "req_1"}
    headers = {"request-id": "req_1", "x-should-retry": "false", "anthropic-ratelimit-requests-remaining": "7"}
    stub.script("claude", json_answer(error, 400, headers))
    answer = gateway.ask("POST", TARGET, {**MESSAGE, "stream": stream})
    assert (answer.status, answer.body) == (400, json.dumps(error).encode())
    assert {name: answer.headers[name] for name in headers} == headers
    assert len(stub.take()) == 1


def test_silence_is_bridged_by_pings(bridging: Gateway, stub: Stub) -> None:
    """The first ping comes after ``message_start``, with real usage; and no event after the pings is lost."""
    stub.script("claude", ANTHROPIC.answer(stream=True, hold=1))
    with bridging.connected() as line:
        line.send("POST", TARGET, {**MESSAGE, "stream": True})
        opening = line.until(b"event: ping\n")
        stub.order("go_on")
        rest = line.until(b"event: message_stop\n")
    assert b"text/event-stream" in opening.partition(b"\r\n\r\n")[0]
    [start] = [json.loads(each[6:]) for each in opening.splitlines() if each.startswith(b"data: ")]
    assert start["type"] == "message_start"
    assert start["message"]["usage"] == {"input_tokens": 1, "output_tokens": 1}
    assert b"hello" in rest


def test_a_provider_that_falls_silent_ends_the_stream_with_one_error(impatient: Gateway, stub: Stub) -> None:
    """Its events so far are not lost."""
    stub.script("claude", sse_answer(*ANTHROPIC.prelude, ANTHROPIC.content, then="stall"))
    told = events(impatient.ask("POST", TARGET, {**MESSAGE, "stream": True}).body)
    assert [event["type"] for event in told] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "error",
    ]
    assert told[-1]["error"]["type"] == "timeout_error"


def test_silence_before_the_head_is_bridged_too(bridging: Gateway, stub: Stub) -> None:
    with bridging.connected() as line:
        stub.script("claude", {"status": 0, "then": "stall"})
        line.send("POST", TARGET, {**MESSAGE, "stream": True})
        assert line.until(b"event: ping\n").startswith(b"HTTP/1.1 200 ")


def test_a_provider_that_dies_ends_the_stream_with_one_error_event(gateway: Gateway, stub: Stub) -> None:
    stub.script("claude", sse_answer(*ANTHROPIC.prelude, ANTHROPIC.content, then="reset"))
    answer = gateway.ask("POST", TARGET, {**MESSAGE, "stream": True})
    told = [event["type"] for event in events(answer.body)]
    assert told == ["message_start", "content_block_start", "content_block_delta", "error"]


def test_models_are_discovered(gateway: Gateway, stub: Stub) -> None:
    """With one credential header, no redirect, in Anthropic's shape."""
    headers = {"Authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"}
    answer = gateway.ask("GET", "/v1/models?limit=1000", headers=headers)
    assert answer.status == 200
    assert answer.json["data"][0].keys() >= {"id", "type", "display_name", "created_at", "lifecycle"}
    assert "claude-demo" in [model["id"] for model in answer.json["data"]]
    assert answer.json["has_more"] is False
    assert stub.take() == []


@pytest.mark.parametrize("target", ["/api/event_logging/batch", "/protocol", "/managed/settings"])
def test_side_routes_are_unknown_and_reach_no_provider(gateway: Gateway, stub: Stub, target: str) -> None:
    assert gateway.ask("POST", target, {"events": []}).status == 404
    assert stub.take() == []
