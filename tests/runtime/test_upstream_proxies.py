"""Calls through proxies that run in the test: CONNECT by HTTP and HTTPS, SOCKS5, each with and without credentials."""

import asyncio
import base64
import contextlib
import ssl

import pytest

from gephyr.runtime.upstream import ProxyUrl
from gephyr_core.commands import TimeLimits
from gephyr_core.errors import Fault, Sent
from gephyr_core.http import Origin
from tests.runtime.upstream_world import OK, Provider, Script, Visitor, answering, client, provider
from tests.waiting import MOVABLE, pass_time, until

pytestmark = pytest.mark.anyio

NAME = "api.test"
"""A name that only the proxies know."""


class Asked:
    """What proxies were asked for."""

    def __init__(self) -> None:
        self.targets: list[tuple[str, int]] = []
        self.credentials: list[bytes] = []


async def relay(visitor: Visitor, port: int) -> None:
    """Carry bytes both ways until either side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.close()

    try:
        await asyncio.gather(pump(visitor.reader, writer), pump(reader, visitor.writer))
    finally:
        writer.close()


def http_proxy(asked: Asked, *, answer: bytes = b"HTTP/1.1 200 Fine\r\nVia: x\r\n\r\n") -> Script:
    async def script(visitor: Visitor) -> None:
        head, _ = await visitor.request()
        request_line, *lines = head.split(b"\r\n")
        method, target, _ = request_line.split()
        assert method == b"CONNECT"
        host, _, port = target.decode().rpartition(":")
        asked.targets.append((host, int(port)))
        asked.credentials += [line for line in lines if line.lower().startswith(b"proxy-authorization:")]
        for part in (answer[:7], answer[7:]):
            await visitor.send(part)
        if b" 200 " in answer:
            await relay(visitor, int(port))
        else:
            await visitor.reader.read()

    return script


def socks_proxy(
    asked: Asked, *, method: int = 0, verdict: bytes = b"\x01\0", reply: bytes = b"\x05\0\0\x01\0\0\0\0\0\0"
) -> Script:
    async def script(visitor: Visitor) -> None:
        reader = visitor.reader
        _, count = await reader.readexactly(2)
        offered = await reader.readexactly(count)
        await visitor.send(bytes([5, method if method in offered else 255]))
        if method == 2 and method in offered:
            _, length = await reader.readexactly(2)
            name = await reader.readexactly(length)
            asked.credentials += [name, await reader.readexactly((await reader.readexactly(1))[0])]
            await visitor.send(verdict)
        _, _, _, kind = await reader.readexactly(4)
        length = {1: 4, 4: 16}[kind] if kind != 3 else (await reader.readexactly(1))[0]
        host = await reader.readexactly(length)
        port = int.from_bytes(await reader.readexactly(2), "big")
        asked.targets.append((host.decode() if kind == 3 else host.hex(), port))
        for part in (reply[:4], reply[4:6], reply[6:]):
            await visitor.send(part)
        await relay(visitor, port)

    return script


def route(world: Provider, scheme: str, credentials: str = "") -> dict[str, ProxyUrl]:
    host = "localhost" if scheme == "https" else "127.0.0.1"
    return {"p": ProxyUrl.parse(f"{scheme}://{credentials}{host}:{world.port}")}


@pytest.mark.parametrize("scheme", ["http", "https", "socks5", "socks5h"])
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("credentials", ["", "user:p%40ss@"])
async def test_calls_go_through_the_proxy_which_looks_the_name_up(
    scheme: str, secure: bool, credentials: str, tls_server: ssl.SSLContext, ca_file: str
) -> None:
    asked = Asked()
    if scheme.startswith("socks"):
        script, known = socks_proxy(asked, method=2 if credentials else 0), [b"user", b"p@ss"]
    else:
        token = base64.b64encode(b"user:p@ss")
        script, known = http_proxy(asked), [b"proxy-authorization: Basic " + token]
    async with (
        provider(answering(OK), tls_server if secure else None) as world,
        provider(script, tls_server if scheme == "https" else None) as proxy,
        client(Origin(world.scheme, NAME, world.port), route(proxy, scheme, credentials), ca_file=ca_file) as caller,
    ):
        for _ in range(3):
            assert await caller.get(route="p") == (200, b"ok")
        assert asked.targets == [(NAME, world.port)]
        assert asked.credentials == (known if credentials else [])
        assert len(world.visitors) == len(proxy.visitors) == 1
        call, _ = caller.call(route="p")
        call.cancel()
        await until(world.visitors[0].gone.is_set)


async def test_addresses_are_told_as_addresses() -> None:
    asked = Asked()
    async with (
        provider(answering(OK)) as world,
        provider(socks_proxy(asked, reply=b"\x05\0\0\x03\x04host\0\x50")) as proxy,
        client(Origin("http", "::1", world.port), route(proxy, "socks5")) as caller,
    ):
        assert await caller.get(route="p") == (200, b"ok")
        assert asked.targets == [("0" * 31 + "1", world.port)]
    async with (
        provider(answering(OK)) as world,
        provider(http_proxy(asked)) as proxy,
        client(Origin("http", "::1", world.port), route(proxy, "http")) as caller,
    ):
        assert await caller.get(route="p") == (200, b"ok")
        assert asked.targets[1:] == [("[::1]", world.port)]


async def test_direct_and_proxied_connections_are_kept_apart() -> None:
    asked = Asked()
    async with (
        provider(answering(OK)) as world,
        provider(http_proxy(asked)) as proxy,
        client(world.origin, route(proxy, "http")) as caller,
    ):
        await caller.get()
        await caller.get(route="p")
        await caller.get()
        await caller.get(route="p")
        assert [visitor.requests for visitor in world.visitors] == [2, 2]
        assert len(proxy.visitors) == 1


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"HTTP/1.1 407 Auth\r\nContent-Length: 0\r\n\r\n", "answered 407"),
        (b"HTTP/1.1 502 Bad\r\n\r\n", "answered 502"),
        (b"rubbish, no HTTP\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\n\r\nunasked 200 ", "bytes of its own"),
    ],
)
async def test_a_refusal_by_an_http_proxy_is_a_proxy_fault(answer: bytes, detail: str) -> None:
    script = http_proxy(Asked(), answer=answer)
    async with (
        provider(answering(OK)) as world,
        provider(script) as proxy,
        client(world.origin, route(proxy, "http", "u:hunter2@")) as caller,
    ):
        failed = await caller.call(route="p")[1].failure()
        assert (failed.fault, failed.sent, failed.reused) == (Fault.PROXY, Sent.NONE, False)
        assert detail in failed.detail
        assert "hunter2" not in failed.detail
        assert world.visitors == []
        await until(proxy.visitors[0].gone.is_set)


@pytest.mark.parametrize(
    ("script", "credentials", "detail"),
    [
        (socks_proxy(Asked(), method=2), "", "none of our ways"),
        (socks_proxy(Asked(), method=2, verdict=b"\x01\x01"), "u:hunter2@", "refused the user name"),
        (socks_proxy(Asked(), reply=b"\x05\x05\0\x01\0\0\0\0\0\0"), "", "connection refused"),
        (socks_proxy(Asked(), reply=b"\x05\x77\0\x01\0\0\0\0\0\0"), "", "malformed"),
        (socks_proxy(Asked(), reply=b"\x05\0\0\x09\0\0\0\0\0\0"), "", "malformed"),
    ],
)
async def test_a_refusal_by_a_socks_proxy_is_a_proxy_fault(script: Script, credentials: str, detail: str) -> None:
    async with (
        provider(answering(OK)) as world,
        provider(script) as proxy,
        client(world.origin, route(proxy, "socks5", credentials)) as caller,
    ):
        failed = await caller.call(route="p")[1].failure()
        assert (failed.fault, failed.sent) == (Fault.PROXY, Sent.NONE)
        assert detail in failed.detail
        assert "hunter2" not in failed.detail


async def _closing(visitor: Visitor) -> None:
    await visitor.reader.read(3)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_closes_or_is_not_there_is_a_proxy_fault(scheme: str) -> None:
    async with provider(_closing) as proxy, client(Origin("http", NAME, 80), route(proxy, scheme)) as caller:
        failed = await caller.call(route="p")[1].failure()
        assert (failed.fault, failed.sent) == (Fault.PROXY, Sent.NONE)
    async with client(Origin("http", NAME, 80), route(proxy, scheme)) as caller:
        failed = await caller.call(route="p")[1].failure()
        assert (failed.fault, failed.sent) == (Fault.PROXY, Sent.NONE)


async def test_an_untrusted_https_proxy_is_a_proxy_fault(tls_server: ssl.SSLContext) -> None:
    async with (
        provider(_closing, tls_server) as proxy,
        client(Origin("http", NAME, 80), route(proxy, "https")) as caller,
    ):
        failed = await caller.call(route="p")[1].failure()
        assert failed.fault is Fault.PROXY
        assert "not trusted" in failed.detail


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_the_connect_limit_covers_a_silent_proxy_and_cancelling_leaves_it(scheme: str) -> None:
    async def script(visitor: Visitor) -> None:
        assert await visitor.reader.read(1)
        asked.append(visitor)
        while await visitor.reader.read(4096):
            pass

    asked: list[Visitor] = []
    async with provider(script) as proxy, client(Origin("http", NAME, 80), route(proxy, scheme)) as caller:
        limits = TimeLimits(connect=20, first_byte=99, idle=99, total=99)
        _, silent = caller.call(route="p", limits=limits)
        await until(lambda: len(asked) == 1)
        pass_time(21)
        failed = await silent.failure()
        assert (failed.fault, failed.sent) == (Fault.PROXY, Sent.NONE), "the account is not to blame"
        call, news = caller.call(route="p")
        await until(lambda: len(asked) == 2)
        call.cancel()
        await until(asked[1].gone.is_set)
        assert news.events == []


async def test_a_provider_that_is_silent_behind_the_proxy_is_not_the_proxys_fault() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.reader.read()

    async with (
        provider(script) as world,
        provider(http_proxy(Asked())) as proxy,
        client(Origin("https", NAME, world.port), route(proxy, "http")) as caller,
    ):
        limits = TimeLimits(connect=1, first_byte=10, idle=10, total=10)
        failed = await caller.call(route="p", limits=limits)[1].failure()
        assert (failed.fault, failed.sent) == (Fault.TIMEOUT, Sent.NONE)


async def test_a_provider_that_resets_behind_the_proxy_is_not_the_proxys_fault() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        visitor.reset()

    async with (
        provider(script) as world,
        provider(http_proxy(Asked())) as proxy,
        client(world.origin, route(proxy, "http")) as caller,
    ):
        failed = await caller.call(route="p")[1].failure()
        assert failed.fault is Fault.RESET
