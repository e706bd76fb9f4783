"""An agent is interrupted in any phase of its request: the provider sees it at once, the account is free once more."""

import pytest

from tests.acceptance.speech import ANTHROPIC
from tests.acceptance.stub import Answer, json_answer, sse_answer
from tests.agents.asking import Gateway
from tests.sdk.servers import Stub

PHASES: dict[str, Answer] = {
    "awaiting-head": {"status": 0, "then": "stall"},
    "prelude": sse_answer(*ANTHROPIC.prelude, then="stall"),
    "relaying": sse_answer(*ANTHROPIC.prelude, ANTHROPIC.content, then="stall"),
    "collecting": json_answer(ANTHROPIC.whole, framing="chunked", then="stall"),
}


@pytest.mark.parametrize("phase", PHASES)
def test_whoever_leaves_takes_the_call_along(gateway: Gateway, stub: Stub, phase: str) -> None:
    stub.script("claude", PHASES[phase], ANTHROPIC.answer())
    asked = {**ANTHROPIC.request, "model": "claude-demo", "stream": phase != "collecting"}
    with gateway.connected() as line:
        line.send("POST", "/v1/messages", asked)
        stub.order("wait_requests", count=1)
        if phase == "relaying":
            line.until(b"hello")
        elif phase != "awaiting-head":
            stub.order("wait_sent", bytes=1)
        assert gateway.in_use() == (1, 1)
        line.leave()
        gateway.wait_in_use(0, 0)
    assert gateway.ask("POST", "/v1/messages", {**asked, "stream": False}).status == 200
    assert gateway.in_use() == (0, 0)
    assert stub.happened("asked", "left") == ["asked", "left", "asked"]


def test_whoever_leaves_before_the_connection_stands_takes_it_along(gateway: Gateway, stub: Stub) -> None:
    with gateway.connected() as line:
        line.send("POST", "/v1/messages", {**ANTHROPIC.request, "model": "hanging"})
        stub.order("wait_connections", kind="silent", count=1)
        assert gateway.in_use() == (1, 1)
        line.leave()
        gateway.wait_in_use(0, 0)
        stub.order("wait_open", kind="silent", count=0)
    assert stub.happened("connected", "closed")[-2:] == ["connected", "closed"]


def test_whoever_leaves_the_queue_is_never_called_for(gateway: Gateway, stub: Stub) -> None:
    stub.script("narrow", PHASES["relaying"])
    asked = {**ANTHROPIC.request, "model": "narrow", "stream": True}
    with gateway.connected() as served, gateway.connected() as queued:
        served.send("POST", "/v1/messages", asked)
        served.until(b"hello")
        queued.send("POST", "/v1/messages", asked)
        gateway.wait_in_use(1, 2)
        queued.leave()
        gateway.wait_in_use(1, 1)
        served.leave()
        gateway.wait_in_use(0, 0)
    assert len(stub.take()) == 1


def test_whoever_leaves_while_sending_the_body_is_never_called_for(gateway: Gateway, stub: Stub) -> None:
    with gateway.connected() as line:
        line.send("POST", "/v1/messages", headers={"Content-Length": "1000", "Expect": "100-continue"})
        assert line.until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        gateway.wait_in_use(0, 1)
        line.leave()
        gateway.wait_in_use(0, 0)
    assert stub.take() == []
