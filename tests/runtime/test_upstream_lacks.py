"""What happens when this machine runs out of descriptors or ports: whose fault it is said to be, and what is logged."""

import contextlib
import errno
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from gephyr.runtime.fetching import SocketFetcher
from gephyr.runtime.proxy_checks import ProxyCheck
from gephyr.runtime.tokens.endpoint import TokenEndpoint
from gephyr.runtime.tokens.grants import GrantError, TokenRequest
from gephyr.runtime.upstream import KeepAlive
from gephyr.runtime.upstream.lacks import INTERVAL, NoPortError, SparingLog, is_lack, no_port_is_left
from gephyr.runtime.upstream.routes import ProxyUrl
from gephyr.runtime.vetting import FetchError
from gephyr_core.commands import CheckProxy
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import UpstreamFailed
from gephyr_core.http import Origin
from tests.faulting import SECRET, fault_at_call
from tests.runtime.upstream_world import OK, answering, client, provider
from tests.waiting import until

pytestmark = pytest.mark.anyio
READING = ("gephyr.runtime.upstream.reply", "gephyr.runtime.upstream.chunked", "gephyr.runtime.upstream.echoes")
"""What reads a reply."""


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Leave this process no descriptor that it could open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open(os.devnull, os.O_RDONLY)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/dev/fd"))) + 1, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                held.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in held:
            os.close(fd)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_call_without_a_descriptor_left_fails_by_a_fault_of_this_machine(host: str) -> None:
    """Of the resolver too, which has other words for it. When there is room again the same call is served."""
    async with provider(answering(OK)) as world:
        origin = Origin("http", host, world.port)
        async with client(origin) as caller:
            with no_descriptors():
                failed = await caller.call()[1].failure()
            assert (failed.fault, failed.sent, failed.reused) == (Fault.LOCAL, Sent.NONE, False)
            assert "Too many open files" in failed.detail
            assert await caller.get() == (200, b"ok")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_the_way_to_a_proxy_fails_by_a_fault_of_this_machine(scheme: str) -> None:
    async with provider(answering(OK)) as world:
        routes = {"p": ProxyUrl.parse(f"{scheme}://127.0.0.1:{world.port}")}
        async with client(Origin("http", "api.test", 80), routes) as caller:
            with no_descriptors():
                failed = await caller.call(route="p")[1].failure()
            assert (failed.fault, failed.sent) == (Fault.LOCAL, Sent.NONE)


async def test_a_kept_connection_serves_although_none_can_be_opened() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        await caller.get()
        with no_descriptors():
            assert await caller.get() == (200, b"ok")


async def test_what_our_own_code_gets_wrong_ends_the_call_and_blames_nobody() -> None:
    """Nobody would end it else: the client would wait for the first byte until that limit."""
    wrong: Any = "sixty"  # what a configuration never holds, and no socket takes
    async with provider(answering(OK)) as world, client(world.origin, keepalive=KeepAlive(wrong)) as caller:
        with capture_logs() as logs:
            failed = await caller.call()[1].failure()
    assert (failed.fault, failed.sent) == (Fault.GATEWAY, Sent.NONE)
    (line,) = logs
    assert (line["log_level"], line["event"]) == ("error", "a connection could not be made")
    assert line["place"].startswith("TypeError at gephyr/runtime/upstream/")
    assert [told.fault.error for told in caller.faults] == ["TypeError"]


async def test_a_request_that_our_own_code_cannot_send_ends_the_call_too() -> None:
    """How much of it has left is not known, and the connection is of no use any more."""
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        failed = await caller.call(body=[])[1].failure()
        assert (failed.fault, failed.sent) == (Fault.GATEWAY, Sent.ALL)
        assert [told.fault.during for told in caller.faults] == ["CallUpstream"]
        await until(lambda: caller.upstream.open_connections == 0)


@pytest.mark.parametrize("number", range(2, 12))
async def test_a_reply_that_our_own_code_cannot_read_ends_the_call_and_blames_nobody(number: int) -> None:
    """It would be taken for the provider's reset else, and count against the account. Nothing of the reply is logged."""
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with provider(answering(reply)) as world, client(world.origin) as caller:
        _, news = caller.call()
        with fault_at_call(number, READING) as hit:
            end = await news.end()
        assert hit, "fewer calls are made: lower the range"
        assert isinstance(end, UpstreamFailed)
        assert (end.fault, end.reused) == (Fault.GATEWAY, False)
        (told,) = caller.faults
        assert (told.fault.error, told.fault.during) == ("ZeroDivisionError", "a provider's reply")
        assert SECRET not in repr(told) + repr(end)
        await until(lambda: caller.upstream.open_connections == 0)
        assert await caller.get() == (200, b"ok")


async def test_a_crowd_of_calls_is_one_line_in_the_log() -> None:
    async with provider(answering(OK)) as world, client(world.origin) as caller:
        with capture_logs() as logs, no_descriptors():
            calls = [caller.call()[1] for _ in range(50)]
            for call in calls:
                assert (await call.failure()).fault is Fault.LOCAL
    assert [line["event"] for line in logs] == ["no connection can be opened"]


async def test_a_proxy_is_not_checked_without_a_descriptor_left() -> None:
    """That it could not be asked says nothing about it."""
    routes = {"p": ProxyUrl.parse("http://127.0.0.1:1")}
    with no_descriptors():
        told = await ProxyCheck(routes).check(CheckProxy("x", "p", "http://api.test/", 200, 5.0))
    assert told.healthy is None


async def test_a_token_that_cannot_be_fetched_without_a_descriptor_has_a_code_of_its_own() -> None:
    request = TokenRequest("http://127.0.0.1:1/token", b"", (), ())
    endpoint = TokenEndpoint({})
    with no_descriptors(), pytest.raises(GrantError) as caught:
        await endpoint.post(request, "direct", 5.0)
    assert (caught.value.code, caught.value.permanent) == ("local", False)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_url_that_cannot_be_fetched_without_a_descriptor_is_not_the_clients_fault(host: str) -> None:
    fetcher = SocketFetcher(allow=("127.0.0.0/8", "::1"))
    try:
        with no_descriptors(), pytest.raises(FetchError) as caught:
            await fetcher.fetch(f"http://{host}:1/a.png", 1000)
        assert caught.value.ours
        with pytest.raises(FetchError) as caught:
            await fetcher.fetch(f"http://{host}:1/a.png", 1000)
        assert not caught.value.ours
    finally:
        await fetcher.aclose()


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (OSError(errno.EMFILE, ""), True),
        (OSError(errno.ENFILE, ""), True),
        (OSError(errno.ENOMEM, ""), True),
        (OSError(errno.ENOBUFS, ""), True),
        (MemoryError(), True),
        (socket.gaierror(socket.EAI_MEMORY, ""), True),
        (RuntimeError("can't start new thread"), True),
        (NoPortError(errno.EADDRNOTAVAIL, ""), True),
        (OSError(errno.EADDRNOTAVAIL, ""), False),
        (OSError(errno.ECONNREFUSED, ""), False),
        (OSError(errno.ENETUNREACH, ""), False),
        (OSError(errno.EACCES, ""), False),
        (ConnectionResetError(errno.ECONNRESET, ""), False),
        (TimeoutError(errno.ETIMEDOUT, ""), False),
        (socket.gaierror(socket.EAI_NONAME, ""), False),
        (RuntimeError("a bug"), False),
        (ValueError(), False),
        (None, False),
    ],
)
def test_what_counts_as_a_lack_of_this_machine(error: Exception | None, lack: bool) -> None:
    assert is_lack(error) is lack


def test_a_machine_without_an_address_of_the_family_is_not_out_of_ports() -> None:
    """Both are EADDRNOTAVAIL: the one is a lack, the other a way that there is not."""
    assert no_port_is_left(socket.AF_INET, ("127.0.0.1", 9))
    assert not no_port_is_left(socket.AF_INET, ("255.255.255.255", 9))


IN_A_NETWORK_OF_ITS_OWN = """
import asyncio, socket, subprocess
from gephyr.runtime.upstream import addresses, lacks
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
open("/proc/sys/net/ipv4/ip_local_port_range", "w").write("40000 40003")
async def main():
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 39000)
    kept = []
    try:
        while len(kept) < 100:
            kept.append(await addresses.connect("127.0.0.1", 39000))
    except OSError as error:
        print(type(error).__name__, lacks.is_lack(error))
asyncio.run(main())
"""


def test_ports_that_are_used_up_are_a_lack() -> None:
    """In a network namespace with four of them."""
    command = ["unshare", "--net", sys.executable, "-c", IN_A_NETWORK_OF_ITS_OWN]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if "not permitted" in ended.stderr or "Read-only" in ended.stderr or "'ip'" in ended.stderr:
        pytest.skip("no network namespace can be made")
    assert ended.stdout == "NoPortError True\n", ended.stderr


class Log:
    """What was written, and the timer that it runs by."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []
        self.due: list[Callable[[], None]] = []
        self.sparing = SparingLog("no room", self.write, self.later)

    def write(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    def later(self, seconds: float, then: Callable[[], None]) -> None:
        assert seconds == INTERVAL
        self.due.append(then)

    def second(self) -> None:
        """Let a second pass."""
        self.due.pop(0)()


def test_a_line_a_second_tells_how_many_were_left_out() -> None:
    """The first is written at once, the last of a second at its end: what happens is never more than a second old."""
    log = Log()
    log.sparing.tell(reason="a")
    assert log.lines == [("no room", {"reason": "a"})]
    for reason in "bcd":
        log.sparing.tell(reason=reason)
    assert len(log.lines) == 1
    log.second()
    assert log.lines[1:] == [("no room", {"reason": "d", "not_logged": 2})]
    log.sparing.tell(reason="e")
    log.second()
    assert log.lines[2:] == [("no room", {"reason": "e", "not_logged": 0})]
    log.second()
    assert log.due == []
    log.sparing.tell(reason="f")
    assert log.lines[3:] == [("no room", {"reason": "f"})]
