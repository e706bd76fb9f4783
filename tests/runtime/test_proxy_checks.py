"""Health checks of proxies, through proxies that run in the test."""

import ssl

import pytest

from gephyr.runtime.errands import Errands
from gephyr.runtime.proxy_checks import ProxyCheck
from gephyr_core.commands import CheckProxy
from gephyr_core.events import Event, ProxyChecked
from tests.runtime.test_upstream_proxies import NAME, Asked, http_proxy, route, socks_proxy
from tests.runtime.upstream_world import OK, Visitor, answering, answering_once, provider
from tests.waiting import until

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


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
@pytest.mark.parametrize("secure", [False, True])
async def test_checks_show_the_proxy_our_credentials_and_trust_the_same_authorities(
    scheme: str, secure: bool, tls_server: ssl.SSLContext, ca_file: str
) -> None:
    asked = Asked()
    script = socks_proxy(asked, method=2) if scheme == "socks5" else http_proxy(asked)
    async with (
        provider(answering(OK), tls_server if secure else None) as world,
        provider(script, tls_server if scheme == "https" else None) as proxy,
    ):
        url = f"{world.scheme}://{NAME}:{world.port}/"
        told = await ProxyCheck(route(proxy, scheme, "user:pass@"), ca_file=ca_file).check(
            CheckProxy("x", "p", url, 200, 5.0)
        )
        assert told == ProxyChecked("x", healthy=True)
        known = [b"user", b"pass"] if scheme == "socks5" else [b"proxy-authorization: Basic dXNlcjpwYXNz"]
        assert asked.credentials == known


@pytest.mark.parametrize(
    "reply", [b"", b"rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000]
)
async def test_what_is_no_answer_is_not_healthy(reply: bytes) -> None:
    async with provider(answering_once(reply)) as world, provider(http_proxy(Asked())) as proxy:
        told = await ProxyCheck(route(proxy, "http")).check(command(world.port))
        assert told == ProxyChecked(
            "x", healthy=False, detail=f"http://{NAME}:{world.port} did not answer through the proxy"
        )


async def test_the_body_of_an_answer_is_not_waited_for_and_the_connection_not_kept() -> None:
    async def script(visitor: Visitor) -> None:
        head, _ = await visitor.request()
        assert head.startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nand so on")
        await visitor.reader.read()

    async with provider(script) as world, provider(http_proxy(Asked())) as proxy:
        assert (await ProxyCheck(route(proxy, "http")).check(command(world.port))).healthy
        await until(lambda: world.visitors[0].gone.is_set() and proxy.visitors[0].gone.is_set())


async def test_a_check_ends_by_its_limit_and_leaves_nothing_behind() -> None:
    """By the errands that run it."""

    async def silent(visitor: Visitor) -> None:
        await visitor.reader.read()

    told: list[Event] = []
    async with provider(silent) as proxy:
        errands = Errands(checker=ProxyCheck(route(proxy, "socks5")))
        errands.check_proxy(CheckProxy("x", "p", f"http://{NAME}/", 200, 0.05), told.append)
        await until(lambda: told)
        assert told == [ProxyChecked("x", healthy=False, detail="no answer within 0.05 s")]
        await until(lambda: proxy.visitors and proxy.visitors[0].gone.is_set())
        await errands.aclose()
