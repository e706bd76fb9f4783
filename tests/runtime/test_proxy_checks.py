"""Health checks of proxies, through proxies that run in the test."""

import pytest

from gephyr.runtime.proxy_checks import ProxyCheck
from gephyr_core.commands import CheckProxy
from tests.runtime.test_upstream_proxies import NAME, Asked, http_proxy, route, socks_proxy
from tests.runtime.upstream_world import OK, answering, provider

pytestmark = pytest.mark.anyio


def command(port: int, *, status: int = 200) -> CheckProxy:
    return CheckProxy("x", "p", f"http://{NAME}:{port}/health?deep=1", status, 5.0)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_is_healthy_if_the_status_is_the_expected_one(scheme: str) -> None:
    asked = Asked()
    script = http_proxy(asked) if scheme == "http" else socks_proxy(asked)
    async with provider(answering(OK)) as world, provider(script) as proxy:
        check = ProxyCheck(route(proxy, scheme))
        assert (await check.check(command(world.port))).healthy
        told = await check.check(command(world.port, status=204))
        assert (told.healthy, told.proxy) == (False, "x")
        assert "answered 200, not 204" in told.detail
        assert asked.targets == [(NAME, world.port)] * 2


async def test_a_proxy_that_refuses_or_is_not_there_is_not_healthy() -> None:
    asked = Asked()
    async with provider(http_proxy(asked, answer=b"HTTP/1.1 407 Who are you\r\n\r\n")) as proxy:
        routes = route(proxy, "http", "user:secret@")
        told = await ProxyCheck(routes).check(command(1))
        assert not told.healthy
        assert "407" in told.detail
    gone = await ProxyCheck(routes).check(command(1))
    assert not gone.healthy
    assert "secret" not in told.detail + gone.detail
    assert not (await ProxyCheck({}).check(command(1))).healthy
