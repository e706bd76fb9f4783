"""Accounts that sign in by OAuth, through the whole gateway: a token endpoint that counts, and a provider that refuses."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.service import RecordStore
from gephyr.runtime.store import Store
from tests.acceptance.client import Response, connected
from tests.acceptance.gateway import Gateway, account, configuration, gateway
from tests.acceptance.stub import Stub, json_answer
from tests.runtime.token_endpoint import Endpoint, answer, token_endpoint

pytestmark = pytest.mark.anyio
BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}).encode()
REPLY = {"id": "c", "object": "chat.completion", "choices": [{"message": {"content": "hi"}}]}
REFUSED = {"error": {"message": "token expired", "type": "invalid_request_error", "code": None}}


def signing_in(stub: Stub, endpoint: Endpoint, **more: Any) -> dict[str, Any]:
    """An account that the stub and the token endpoint play."""
    oauth = {"token_url": endpoint.url, "client_id": "client", "refresh_token": "rt-MARKED-0"}
    return account("a", stub.url("a"), api_key="", oauth=oauth, **more)


@contextlib.asynccontextmanager
async def serving(
    stub: Stub, endpoint: Endpoint, *others: dict[str, Any], store: RecordStore | None = None
) -> AsyncIterator[Gateway]:
    await stub.script("a", json_answer(REPLY))
    async with gateway(configuration([signing_in(stub, endpoint), *others]), store) as world:
        yield world


async def ask(world: Gateway) -> Response:
    async with connected(world.port) as client:
        return await client.ask("POST", "/v1/chat/completions", BODY)


async def tokens_seen(stub: Stub) -> list[str]:
    """The credentials of the calls that the provider got."""
    return [dict(seen["headers"])["authorization"] for seen in await stub.take()]


async def test_however_many_requests_wait_one_refresh_serves_them(stub: Stub) -> None:
    """They wait for the token, and none of them is refused."""
    async with token_endpoint() as endpoint:
        endpoint.opened.clear()
        async with serving(stub, endpoint) as world, asyncio.TaskGroup() as clients:
            asking = [clients.create_task(ask(world)) for _ in range(200)]
            await world.until(lambda w: w.gauge("gephyr_open_exchanges") == 200 and endpoint.count)
            endpoint.opened.set()
            await asyncio.wait(asking)
        assert [task.result().status for task in asking] == [200] * 200
        assert endpoint.count == 1
        assert await tokens_seen(stub) == ["Bearer at-MARKED-1"] * 200


async def test_a_token_that_the_provider_refuses_is_refreshed_once(stub: Stub) -> None:
    """A 401 for a token that should be good: another one, and the request is served."""
    async with token_endpoint() as endpoint, serving(stub, endpoint) as world:
        await stub.script("a", json_answer(REFUSED, 401), json_answer(REPLY))
        assert (await ask(world)).status == 200
        assert await tokens_seen(stub) == ["Bearer at-MARKED-1", "Bearer at-MARKED-2"]
        await stub.script("a", json_answer(REFUSED, 401))
        assert (await ask(world)).status == 502
        assert endpoint.count == 3


async def test_a_provider_that_refuses_every_token_costs_a_handful_of_token_requests(stub: Stub) -> None:
    """Forty requests: the account is left alone, and clients are told at once."""
    async with token_endpoint() as endpoint, serving(stub, endpoint) as world:
        await stub.script("a", json_answer(REFUSED, 401))
        assert [(await ask(world)).status for _ in range(40)] == [502] + [503] * 39
        assert endpoint.count == 2


async def test_an_account_whose_refresh_token_is_void_makes_way_for_the_next(stub: Stub, tmp_path: Path) -> None:
    """It is out of service from then on, after a restart too; its requests are served by others."""
    await stub.script("b", json_answer(REPLY))
    async with token_endpoint() as endpoint:
        endpoint.answers.append(answer(400, {"error": "invalid_grant"}))
        other = account("b", stub.url("b"), priority=-1)
        for _ in range(2):
            store = Store.open(tmp_path, clock=GatewayClock())
            async with serving(stub, endpoint, other, store=store) as world:
                assert (await ask(world)).status == 200
                await world.until(lambda _, store=store: store.load_states())
                (state,) = store.load_states()
                assert (state.account, state.disabled) == ("a", "invalid_grant")
        assert endpoint.count == 1
        assert await tokens_seen(stub) == ["Bearer credential-of-b"] * 2


async def test_a_restart_goes_on_with_the_rotated_token(stub: Stub, tmp_path: Path) -> None:
    """The configured refresh token is void by then; the kept one counts (decision 15)."""
    async with token_endpoint() as endpoint:
        for refuses in (False, True):
            async with serving(stub, endpoint, store=Store.open(tmp_path, clock=GatewayClock())) as world:
                if refuses:
                    await stub.script("a", json_answer(REFUSED, 401), json_answer(REPLY))
                assert (await ask(world)).status == 200
        assert await tokens_seen(stub) == ["Bearer at-MARKED-1", "Bearer at-MARKED-1", "Bearer at-MARKED-2"]
        assert [form["refresh_token"] for form in endpoint.requests] == ["rt-MARKED-0", "rt-MARKED-1"]


async def test_no_token_is_told_to_a_client(stub: Stub) -> None:
    """Whatever the token endpoint and the provider make of it."""
    async with token_endpoint() as endpoint, serving(stub, endpoint) as world:
        await stub.script("a", json_answer({"error": {"message": "bad token at-MARKED-1"}}, 401))
        replies = [await ask(world)]
        endpoint.answers.append(answer(400, {"error": "invalid_grant", "error_description": "rt-MARKED-1 at-MARKED-1"}))
        replies.append(await ask(world))
        details = [attempt.detail for record in world.records for attempt in record.attempts]
        shown = repr(replies) + repr(world.service.observers.metrics())
        assert "MARKED" not in shown, details
