"""Setting up the listening side: addresses, certificates, the open-file limit."""

import asyncio
import resource
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from gephyr.server import Listener, ListenError, raise_open_file_limit, tls_context
from gephyr.server import shared as shared_module
from gephyr_core.commands import AbortResponse
from gephyr_core.events import ClientGone, FrontEndFailed, RequestStarted
from tests.runtime.test_upstream_lacks import no_descriptors
from tests.server.world import Client, responses, serving
from tests.waiting import MOVABLE, pass_time, until

pytestmark = pytest.mark.anyio

LAST = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


class Certificate:
    """A server certificate in files, and a client context that trusts it."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("localhost")
        self.cert, self.key = str(directory / "cert.pem"), str(directory / "key.pem")
        issued.private_key_pem.write_to_path(self.key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self.cert, append=True)
        self.private_key = issued.private_key_pem.bytes()
        self.client = ssl.create_default_context()
        authority.configure_trust(self.client)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


async def test_requests_are_served_over_tls(certificate: Certificate) -> None:
    """The core hears the scheme; kept connections and refused bodies work as without TLS."""
    async with serving(tls=tls_context(certificate.cert, certificate.key)) as world:
        client = await world.connect(ssl=certificate.client, server_hostname="localhost")
        client.send(b"POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + LAST)
        first, second = responses(await client.read_all())
        assert (first[2], second[2]) == (b'["POST","/b","h","hello"]', b'["GET","/a","h",""]')
        assert [started.scheme for started in world.core.of(RequestStarted)] == ["https", "https"]


async def test_a_bad_request_over_tls_is_answered_and_closed(certificate: Certificate) -> None:
    """TLS has no half-close; the reply arrives all the same."""
    async with serving(tls=tls_context(certificate.cert, certificate.key)) as world:
        client = await world.connect(ssl=certificate.client, server_hostname="localhost")
        client.send(b"nonsense\r\n\r\n")
        assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
        await client.close()
        assert not world.core.of(FrontEndFailed)


async def test_a_client_that_leaves_and_a_response_that_is_cut_over_tls(certificate: Certificate) -> None:
    """Both ends of an exchange that fails, through the TLS layer."""
    async with serving(tls=tls_context(certificate.cert, certificate.key)) as world:
        client = await world.connect(ssl=certificate.client, server_hostname="localhost")
        client.send(b"GET /start HTTP/1.1\r\nHost: h\r\n\r\n")
        await client.read_until(b"first\r\n")
        client.writer.close()
        await world.core.saw(ClientGone)
        other = await world.connect(ssl=certificate.client, server_hostname="localhost")
        other.send(b"GET /start HTTP/1.1\r\nHost: h\r\n\r\n")
        await other.read_until(b"first\r\n")
        world.command(AbortResponse(2, "upstream died"))
        assert not (await other.read_all()).endswith(b"0\r\n\r\n")


def test_a_missing_certificate_is_named(certificate: Certificate) -> None:
    """Setting, file and reason."""
    with pytest.raises(ListenError, match=r"server\.tls_cert: cannot read '/nowhere': No such file"):
        tls_context("/nowhere", certificate.key)
    with pytest.raises(ListenError, match=r"server\.tls_key: cannot read '/nowhere': No such file"):
        tls_context(certificate.cert, "/nowhere")


def test_a_key_that_does_not_belong_to_the_certificate_is_refused(certificate: Certificate, tmp_path: Path) -> None:
    """At start, in words, not at the first handshake."""
    (tmp_path / "other").mkdir()
    other = Certificate(tmp_path / "other")
    with pytest.raises(ListenError, match="KEY_VALUES_MISMATCH"):
        tls_context(certificate.cert, other.key)


def test_files_that_are_no_pem_are_refused(certificate: Certificate, tmp_path: Path) -> None:
    """Any rubbish is a ``ListenError``."""
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    with pytest.raises(ListenError, match=r"server\.tls_cert, server\.tls_key"):
        tls_context(str(rubbish), certificate.key)


def test_an_encrypted_key_is_refused_without_asking_for_its_passphrase(
    certificate: Certificate, tmp_path: Path
) -> None:
    """A server without a terminal would hang on the question."""
    key = serialization.load_pem_private_key(certificate.private_key, None)
    encrypted = tmp_path / "encrypted.pem"
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ListenError, match="the private key is encrypted"):
        tls_context(certificate.cert, str(encrypted))


async def test_a_taken_port_is_an_error_that_names_the_settings() -> None:
    """Not a traceback of the socket module."""
    async with serving() as world:
        second = Listener(world.driver, host="127.0.0.1", port=world.listener.port)
        with pytest.raises(ListenError, match=rf"server\.host, server\.port: 127\.0\.0\.1:{world.listener.port}: "):
            await second.start()


def test_the_open_file_limit_is_raised_to_the_hard_limit() -> None:
    """Each client and each provider connection is a file (decision 25)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        assert raise_open_file_limit() == hard
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_connections_that_cannot_be_accepted_wait_and_are_one_line_in_the_log(
    anyio_backend: tuple[str, dict[str, object]],
) -> None:
    """asyncio reports each try of a burst and pauses for a second; uvloop closes such connections by itself."""
    if anyio_backend[1]["use_uvloop"]:
        pytest.skip("uvloop reports nothing")
    loop = asyncio.get_running_loop()
    async with serving() as world:
        with socket.socket() as client:
            client.setblocking(False)
            with capture_logs() as logs, no_descriptors():
                await loop.sock_connect(client, ("127.0.0.1", world.listener.port))
                await until(lambda: logs)
            await loop.sock_sendall(client, LAST)
            assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 200 ")
        assert [(line["log_level"], line["event"]) for line in logs] == [("error", "no connection can be accepted")]
        assert logs[0]["reason"] == "Too many open files"


async def test_what_the_loop_has_to_report_besides_is_reported_as_before() -> None:
    """The listener listens to the loop's reports; it is not the only one, and not for longer than it serves."""
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))
    async with serving():
        loop.call_exception_handler({"message": "something else"})
        loop.call_exception_handler({"message": "socket.accept() failed", "exception": OSError("unheard of")})
    loop.call_exception_handler({"message": "later"})
    assert told == ["something else", "socket.accept() failed", "later"]


async def test_what_nobody_catches_is_told_to_the_core() -> None:
    """A fault of ours in a callback or a task is logged and counted as every other; its words are not."""

    def fail() -> None:
        raise KeyError("a client's words")

    loop = asyncio.get_running_loop()
    of_the_tests = loop.get_exception_handler()
    loop.set_exception_handler(None)
    async with serving() as world:
        loop.call_soon(fail)
        await world.core.saw(FrontEndFailed)
        (told,) = world.core.of(FrontEndFailed)
    loop.set_exception_handler(of_the_tests)
    assert (told.exchange, told.fault.error, told.fault.during) == (0, "KeyError", "the event loop")
    assert "words" not in repr(told)


async def test_many_connect_at_once_and_none_is_turned_away() -> None:
    """The system holds more of them than are accepted at one time."""
    loop = asyncio.get_running_loop()
    async with serving() as world, asyncio.TaskGroup() as clients:

        async def ask() -> None:
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, ("127.0.0.1", world.listener.port))
                await loop.sock_sendall(client, LAST)
                assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 200 ")

        for _ in range(200):
            clients.create_task(ask())


async def test_the_loop_accepts_in_small_lots_and_is_asked_for_handshakes_within_bounds(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handshake has the time that a head has; a client that does not say goodbye costs a moment."""
    loop = asyncio.get_running_loop()
    asked: list[dict[str, Any]] = []

    class Watched:
        def __getattr__(self, name: str) -> Any:
            return getattr(loop, name)

        async def create_server(self, *arguments: Any, **options: Any) -> asyncio.Server:
            asked.append({**options, "at": arguments[1:]})
            return await loop.create_server(*arguments, **options)

        def start_tls(self, *arguments: Any, **options: Any) -> Any:
            asked.append({**options, "context": arguments[2]})
            return loop.start_tls(*arguments, **options)

    monkeypatch.setattr(asyncio, "get_running_loop", Watched)
    tls = tls_context(certificate.cert, certificate.key)
    async with serving(tls=tls, header_timeout=7.0) as world:
        monkeypatch.undo()
        client = await world.connect(ssl=certificate.client, server_hostname="localhost")
        client.send(LAST)
        assert responses(await client.read_all())[0][0] == 200
    bounds = {"ssl_handshake_timeout": 7.0, "ssl_shutdown_timeout": 2.0}
    assert asked == [{"at": ("127.0.0.1", 0), "backlog": 16}, {"context": tls, "server_side": True, **bounds}]


async def test_a_handshake_that_is_not_done_takes_a_place(certificate: Certificate) -> None:
    """Who only connects must not be able to connect without end; who leaves makes room."""
    async with serving(tls=tls_context(certificate.cert, certificate.key), max_connections=1) as world:
        silent = await world.connect()
        await until(lambda: world.listener.open_connections == 1)
        refused = await world.connect(ssl=certificate.client, server_hostname="localhost")
        refused.send(LAST)
        assert (await refused.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 503 ")
        await refused.close()
        await silent.close()
        await until(lambda: world.listener.open_connections == 0)
        served = await world.connect(ssl=certificate.client, server_hostname="localhost")
        served.send(LAST)
        assert responses(await served.read_all())[0][0] == 200
        assert world.listener.turned_away == 1


async def test_handshakes_far_over_the_limit_are_not_begun(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_module, "EXCESS_CONNECTIONS", 0)
    async with serving(tls=tls_context(certificate.cert, certificate.key), max_connections=1) as world:
        silent = await world.connect()
        await until(lambda: world.listener.open_connections == 1)
        with pytest.raises(OSError):  # noqa: PT011 (which one is the system's affair)
            await world.connect(ssl=certificate.client, server_hostname="localhost")
        assert world.listener.open_connections == 1
        await silent.close()


@pytest.mark.parametrize("anyio_backend", [MOVABLE])
async def test_a_handshake_has_the_time_of_a_head(certificate: Certificate) -> None:
    async with serving(tls=tls_context(certificate.cert, certificate.key), header_timeout=20.0) as world:
        silent, slow = await world.connect(), await world.connect()
        slow.send(b"\x16\x03\x01")
        await until(lambda: world.listener.open_connections == 2)
        await asyncio.sleep(0)
        pass_time(31.0)
        for client in (silent, slow):
            assert await client.read_all() == b""
        await until(lambda: world.listener.open_connections == 0)


async def _greeted(client: Client, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
    """Go through the handshake, up to what the client says last: that waits in *outgoing*."""
    while True:
        try:
            tls.do_handshake()
            return
        except ssl.SSLWantReadError:
            client.send(outgoing.read())
            incoming.write(await client.reader.read(65536))


async def test_who_leaves_with_the_end_of_the_handshake_leaves_nothing_behind(certificate: Certificate) -> None:
    """A request that came before the goodbye is over with its client, if it was begun at all: each loop has its own
    order of the two."""
    async with serving(tls=tls_context(certificate.cert, certificate.key)) as world:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = certificate.client.wrap_bio(incoming, outgoing, server_hostname="localhost")
        client = await world.connect()
        await _greeted(client, tls, incoming, outgoing)
        tls.write(LAST.replace(b"/a", b"/wait"))
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        client.send(outgoing.read())
        await client.read_all()
        await until(lambda: world.listener.open_connections == 0)
        assert len(world.core.of(RequestStarted)) == len(world.core.of(ClientGone))


async def test_a_request_that_comes_with_the_end_of_the_handshake_is_served(certificate: Certificate) -> None:
    """TLS 1.3 lets a client send both at once."""
    async with serving(tls=tls_context(certificate.cert, certificate.key)) as world:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = certificate.client.wrap_bio(incoming, outgoing, server_hostname="localhost")
        client, data = await world.connect(), b""
        await _greeted(client, tls, incoming, outgoing)
        tls.write(LAST)
        client.send(outgoing.read())
        incoming.write(await client.read_all())
        while part := tls.read(65536):
            data += part
            if b"h" in data.partition(b"\r\n\r\n")[2]:
                break
        assert data.startswith(b"HTTP/1.1 200 ")
        await client.close()
