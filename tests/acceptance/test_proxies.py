"""Outbound routes of a whole gateway: through proxy servers that people run, one of which dies, and then the other."""

import contextlib
import json
from collections.abc import AsyncIterator
from unittest.mock import ANY

import pytest
import trustme

from gephyr_core.records import ProxyEvent
from tests.acceptance.client import Response, connected
from tests.acceptance.gateway import Gateway, Mapping, account, configuration, gateway
from tests.runtime.real_proxies import dante_with_password, running, squid
from tests.runtime.upstream_world import Provider, answering, provider

pytestmark = pytest.mark.anyio

REPLY = json.dumps(
    {"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"message": {"content": "hi"}}]}
).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(REPLY), REPLY)
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode()


@contextlib.asynccontextmanager
async def serving(world: Provider, urls: dict[str, str], **pool: object) -> AsyncIterator[Gateway]:
    """A gateway of one account and a pool of these proxies, without which nothing may leave."""
    proxies = [{"id": name, "url": url} for name, url in urls.items()]
    settings: Mapping = {"enabled": True, "proxies": proxies, "require_proxy_for_account_requests": True, **pool}
    async with gateway(configuration([account("a", str(world.origin))], proxy_pool=settings)) as served:
        yield served


async def ask(served: Gateway) -> Response:
    async with connected(served.port) as client:
        return await client.ask("POST", "/v1/chat/completions", BODY)


async def test_no_client_sees_a_proxy_die_and_no_account_is_benched_for_it() -> None:
    authority = trustme.CA()
    async with (
        provider(answering(ANSWER)) as world,
        running(dante_with_password, authority) as dante,
        contextlib.AsyncExitStack() as mortal,
    ):
        first = await mortal.enter_async_context(running(squid, authority))
        urls = {
            "x": f"http://user:secret@localhost:{first.port}",
            "y": f"socks5://user:secret@localhost:{dante.port}",
        }
        async with serving(world, urls) as served:
            assert [(await ask(served)).status for _ in range(4)] == [200] * 4
            assert [record.attempts[-1].route for record in served.records] == ["pool:x", "pool:y"] * 2
            await mortal.aclose()
            assert [(await ask(served)).status for _ in range(6)] == [200] * 6
            assert {record.attempts[-1].route for record in served.records[4:]} == {"pool:y"}
            assert served.observers.events == [
                ProxyEvent("x", healthy=False, at=ANY, reason="a call through it failed")
            ]


async def test_with_no_proxy_left_nothing_leaves_and_nobody_is_told_a_secret() -> None:
    async with provider(answering(ANSWER)) as world:
        async with running(squid, trustme.CA()) as proxy:
            url = f"http://user:wrong-secret@localhost:{proxy.port}"
            async with serving(world, {"x": url}) as served:
                answers = [await ask(served) for _ in range(3)]
                told = (answers, served.records, served.observers.events, served.observers.metrics())
        assert [answer.status for answer in answers] == [502, 503, 503]
        assert b"no outbound proxy is available" in answers[1].body
        assert world.visitors == []
        assert "secret" not in repr(told)
