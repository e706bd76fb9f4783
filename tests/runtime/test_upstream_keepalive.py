"""TCP keep-alive on connections to providers, read back from the sockets of this process."""

import contextlib
import os
import socket
import ssl
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from gephyr.runtime.upstream import KeepAlive
from gephyr_core.http import Origin
from tests.acceptance.client import connected
from tests.acceptance.gateway import account, configuration, gateway
from tests.runtime.test_upstream_proxies import Asked, http_proxy, route, socks_proxy
from tests.runtime.upstream_world import OK, answering, client, provider

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system names the options otherwise"),
]

NAMES = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")


def sockets_to(port: int) -> Iterator[socket.socket]:
    """The connections of this process to a server's port."""
    for descriptor in range(3, 1024):
        with contextlib.suppress(OSError):
            if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                continue
            with socket.socket(fileno=os.dup(descriptor)) as sock:
                if sock.family is socket.AF_INET and sock.getpeername()[1] == port:
                    yield sock


def options(port: int) -> list[int]:
    """Whether the one connection to *port* is kept alive; its idle time, interval and probes; whether it waits to fill
    packets."""
    [told] = [
        [
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            *(sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in NAMES),
            sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
        ]
        for sock in sockets_to(port)
    ]
    return told


@pytest.mark.parametrize("secure", [False, True])
async def test_a_connection_to_a_provider_is_kept_alive(secure: bool, tls_server: ssl.SSLContext, ca_file: str) -> None:
    """A model thinks for minutes; a NAT forgets a connection that is silent for so long."""
    async with (
        provider(answering(OK), tls_server if secure else None) as world,
        client(world.origin, ca_file=ca_file, keepalive=KeepAlive(61, 7, 3)) as caller,
    ):
        assert await caller.get() == (200, b"ok")
        assert options(world.port) == [1, 61, 7, 3, 1]


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_so_is_a_connection_to_a_proxy(scheme: str, tls_server: ssl.SSLContext, ca_file: str) -> None:
    script = socks_proxy(Asked()) if scheme == "socks5" else http_proxy(Asked())
    async with (
        provider(answering(OK), tls_server) as world,
        provider(script, tls_server if scheme == "https" else None) as proxy,
        client(
            Origin("https", "api.test", world.port), route(proxy, scheme), ca_file=ca_file, keepalive=KeepAlive()
        ) as caller,
    ):
        assert await caller.get(route="p") == (200, b"ok")
        assert options(proxy.port) == [1, 60, 60, 5, 1]


async def test_an_idle_time_of_zero_switches_it_off() -> None:
    async with provider(answering(OK)) as world, client(world.origin, keepalive=KeepAlive(idle=0)) as caller:
        await caller.get()
        assert options(world.port)[0] == 0


async def test_a_system_without_an_option_or_with_another_range_still_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS calls the idle time TCP_KEEPALIVE; some systems have no number of probes, and some refuse a value."""
    number = socket.TCP_KEEPIDLE
    monkeypatch.delattr(socket, "TCP_KEEPIDLE")
    monkeypatch.setattr(socket, "TCP_KEEPALIVE", number, raising=False)
    monkeypatch.delattr(socket, "TCP_KEEPCNT")
    async with (
        provider(answering(OK)) as world,
        client(world.origin, keepalive=KeepAlive(idle=62, interval=10**6)) as caller,
    ):
        assert await caller.get() == (200, b"ok")
        monkeypatch.undo()
        alive, idle, interval, _, _ = options(world.port)
        assert (alive, idle) == (1, 62)
        assert interval != 10**6


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [1, 60, 60, 5]),
        ({"tcp_keepalive_idle": 30, "tcp_keepalive_interval": 8, "tcp_keepalive_probes": 2}, [1, 30, 8, 2]),
    ],
)
async def test_the_configuration_sets_it(settings: dict[str, Any], expected: list[int]) -> None:
    """Without settings it is as OpenAI's and Anthropic's SDKs have it."""
    async with (
        provider(answering(OK)) as world,
        gateway(configuration([account("a", str(world.origin))], upstream=settings)) as served,
        connected(served.port) as user,
    ):
        await user.ask("POST", "/v1/chat/completions", b'{"model":"m","messages":[]}')
        assert options(world.port)[:-1] == expected
