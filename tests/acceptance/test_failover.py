"""Acceptance (a): whatever way the first account fails before content, the client of an SDK gets one clean reply."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gephyr_core.records import RequestRecord
from tests.acceptance.client import KEY
from tests.acceptance.gateway import Gateway, account, configuration, gateway
from tests.acceptance.speech import ANTHROPIC, CHAT, Speech
from tests.acceptance.stub import Answer, Stub, json_answer, sse_answer

pytestmark = pytest.mark.anyio

_LIMITS = {"first_byte_timeout": 100.0, "total_timeout": 200.0}
"""The first byte of a whole reply may take its total time."""


def _status(status: int) -> Callable[[Speech], Answer]:
    return lambda _: json_answer({"error": {"type": "said", "message": "not now"}}, status)


FAILURES: dict[str, Callable[[Speech], Answer] | None] = {
    "refused": None,
    "tls": None,
    "429": _status(429),
    "529": _status(529),
    "500": _status(500),
    "reset": lambda _: {"status": 0, "then": "reset"},
    "error-event": lambda speech: sse_answer(*speech.prelude, speech.error),
    "stall": lambda _: {"status": 0, "then": "stall"},
}
"""How the first account fails; None where no connection comes about."""
CASES = [(failure, stream) for failure in FAILURES for stream in (False, True) if stream or failure != "error-event"]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{'stream' if case[1] else 'whole'}")
def case(request: pytest.FixtureRequest) -> tuple[str, bool]:
    found: tuple[str, bool] = request.param
    return found


async def test_an_openai_client_gets_one_clean_reply(stub: Stub, case: tuple[str, bool]) -> None:
    openai = pytest.importorskip("openai")
    failure, stream = case
    async with _two_accounts(stub, CHAT, failure, stream=stream) as world:
        async with openai.AsyncOpenAI(base_url=f"{world.url}/v1", api_key=KEY, max_retries=0) as client:
            reply = await client.chat.completions.create(**CHAT.request, stream=stream)
            if stream:
                chunks = [chunk async for chunk in reply]
                text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
                assert [chunk.choices[0].finish_reason for chunk in chunks].count("stop") == 1
                assert [chunk.choices[0].delta.role for chunk in chunks].count("assistant") == 1
            else:
                text = reply.choices[0].message.content
        assert text == "hello"


async def test_an_anthropic_client_gets_one_clean_reply(stub: Stub, case: tuple[str, bool]) -> None:
    anthropic = pytest.importorskip("anthropic")
    failure, stream = case
    async with _two_accounts(stub, ANTHROPIC, failure, stream=stream) as world:
        async with anthropic.AsyncAnthropic(base_url=world.url, api_key=KEY, max_retries=0) as client:
            reply: Any
            if stream:
                async with client.messages.stream(**ANTHROPIC.request) as events:
                    kinds = [event.type async for event in events]
                    reply = await events.get_final_message()
                assert (kinds.count("message_start"), kinds.count("message_stop")) == (1, 1)
            else:
                reply = await client.messages.create(**ANTHROPIC.request)
        assert [block.text for block in reply.content] == ["hello"]


@contextlib.asynccontextmanager
async def _two_accounts(stub: Stub, speech: Speech, failure: str, *, stream: bool) -> AsyncIterator[Gateway]:
    """A gateway whose first account fails, and afterwards what must hold of the calls that it made."""
    kind = failure if failure in {"refused", "tls"} else "http"
    accounts = [
        account("first", stub.url("first", kind), speech.provider, priority=1),
        account("second", stub.url("second"), speech.provider),
    ]
    fails = FAILURES[failure]
    if fails is not None:
        await stub.script("first", fails(speech))
    await stub.script("second", speech.answer(stream=stream))
    async with gateway(configuration(accounts, upstream=_LIMITS)) as world, asyncio.TaskGroup() as passing:
        if failure == "stall":
            passing.create_task(_pass_the_limit(stub, world, stream=stream))
        yield world
        [record] = world.records
        assert world.in_use()["open_leases"] == 0
    _check_calls(record, failure)
    seen = [request["account"] for request in await stub.take()]
    assert seen == ["second"] if fails is None else ["first", "second"]


async def _pass_the_limit(stub: Stub, world: Gateway, *, stream: bool) -> None:
    """Once the first account is asked, let the time pass that it may be silent for."""
    await stub.order("wait_requests", count=1)
    world.pass_time(_LIMITS["first_byte_timeout" if stream else "total_timeout"])


def _check_calls(record: RequestRecord, failure: str) -> None:
    """Exactly one call of each account, and the first one failed as the case says."""
    first, second = record.attempts
    assert (first.account, second.account, second.outcome, record.outcome) == ("first", "second", "ok", "ok")
    outcomes = {"refused": "connect", "stall": "timeout", "error-event": "stream_error"}
    assert first.outcome == outcomes.get(failure, "status" if failure.isdigit() else failure)
