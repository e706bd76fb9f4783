"""Calls through proxy servers that people run: CONNECT by HTTP and over TLS, SOCKS5, with a password and without."""

import ssl
from collections.abc import Mapping

import pytest
import trustme

from gephyr.runtime.proxy_checks import ProxyCheck
from gephyr.runtime.upstream import ProxyUrl
from gephyr_core.commands import CheckProxy
from gephyr_core.errors import Fault, Sent
from tests.runtime.real_proxies import (
    Make,
    dante,
    dante_with_password,
    free_port,
    running,
    squid,
    squid_by_tls,
    tinyproxy,
)
from tests.runtime.upstream_world import OK, answering, client, provider

pytestmark = pytest.mark.anyio

ALL = pytest.mark.parametrize("make", [squid, squid_by_tls, tinyproxy, dante, dante_with_password])


async def check(routes: Mapping[str, ProxyUrl], url: str, ca_file: str) -> tuple[bool, str]:
    """Check the proxy; return whether it is healthy, and what the operator is told."""
    told = await ProxyCheck(routes, ca_file=ca_file).check(CheckProxy("x", "p", url, 200, 5.0))
    assert "secret" not in told.detail
    return told.healthy, told.detail


@ALL
@pytest.mark.parametrize("secure", [False, True])
async def test_calls_go_through_a_real_proxy(
    make: Make, secure: bool, authority: trustme.CA, tls_server: ssl.SSLContext, ca_file: str
) -> None:
    """On a kept connection, with a check beside them."""
    async with provider(answering(OK), tls_server if secure else None) as world, running(make, authority) as proxy:
        routes = {"p": proxy}
        async with client(world.origin, routes, ca_file=ca_file) as caller:
            for _ in range(3):
                assert await caller.get(route="p") == (200, b"ok")
            assert len(world.visitors) == 1
        assert await check(routes, f"{world.origin}/health", ca_file) == (True, "")


@ALL
async def test_a_real_proxy_that_refuses_or_is_gone_is_a_proxy_fault(
    make: Make, authority: trustme.CA, ca_file: str
) -> None:
    """With the wrong password, and when its process has died; when it is back, calls go on."""
    port = free_port()
    async with provider(answering(OK)) as world:
        async with running(make, authority, port) as proxy:
            routes, wrong = {"p": proxy}, {"p": ProxyUrl(proxy.scheme, proxy.host, port, "user", "wrong-secret")}
            if proxy.username:
                async with client(world.origin, wrong, ca_file=ca_file) as caller:
                    failed = await caller.call(route="p")[1].failure()
                    assert (failed.fault, failed.sent) == (Fault.PROXY, Sent.NONE)
                    assert "secret" not in failed.detail
                assert not (await check(wrong, f"{world.origin}/", ca_file))[0]
                assert world.visitors == []
        async with client(world.origin, routes, ca_file=ca_file) as caller:
            failed = await caller.call(route="p")[1].failure()
            assert (failed.fault, failed.sent) == (Fault.PROXY, Sent.NONE)
            assert not (await check(routes, f"{world.origin}/", ca_file))[0]
            async with running(make, authority, port):
                assert await caller.get(route="p") == (200, b"ok")
                assert (await check(routes, f"{world.origin}/", ca_file))[0]
