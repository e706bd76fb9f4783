"""Fetching over real sockets: what is asked, what is returned, and what is never connected to."""

import asyncio
import gzip
import os
import ssl

import pytest

from gephyr.runtime.fetching import Fetched, SocketFetcher
from gephyr.runtime.vetting import FetchError
from tests.runtime.upstream_world import Script, Visitor, answering, answering_once, provider
from tests.waiting import WAIT, until

pytestmark = pytest.mark.anyio

LOOPBACK = ("127.0.0.0/8",)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class Names:
    """A resolver that answers as told, in turn; the last answer stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        del port
        self.asked.append(host)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such name")
        return answer


def reply(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *fields, b"", body]
    return b"\r\n".join(lines)


def moved(location: str) -> bytes:
    return reply(b"", b"Location: " + location.encode(), status=b"302 Found")


async def fetch(
    url: str, names: Names | None = None, *, allow: tuple[str, ...] = LOOPBACK, most: int = 10**6, ca_file: str = ""
) -> Fetched:
    fetcher = SocketFetcher(allow=allow, ca_file=ca_file, resolve=names or Names(["127.0.0.1"]))
    try:
        async with asyncio.timeout(WAIT):
            return await fetcher.fetch(url, most)
    finally:
        await fetcher.aclose()


async def refusal(url: str, names: Names | None = None, *, most: int = 10**6, allow: tuple[str, ...] = LOOPBACK) -> str:
    with pytest.raises(FetchError) as caught:
        await fetch(url, names, most=most, allow=allow)
    return str(caught.value)


async def test_a_url_is_asked_for_with_nothing_of_anybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credential, cookie, referrer or proxy of the environment; identity, and one request a connection."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    heads: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        heads.append((await visitor.request())[0])
        await visitor.send(reply(PNG, b"Content-Type: Image/PNG; q=1"))

    names = Names(["127.0.0.1"])
    async with provider(script) as world:
        fetched = await fetch(f"http://files.test:{world.port}/a%20b.png?x=1#top", names)
    assert fetched == Fetched("image/png", PNG)
    assert names.asked == ["files.test"]
    line, *fields = heads[0].strip().split(b"\r\n")
    assert line == b"GET /a%20b.png?x=1 HTTP/1.1"
    assert fields[0].lower() == b"host: files.test:%d" % world.port
    assert [field.partition(b":")[0].lower() for field in fields] == [
        *(b"host", b"user-agent", b"accept", b"accept-encoding", b"connection")
    ]
    assert b"accept-encoding: identity" in heads[0].lower()


async def test_tls_is_spoken_with_the_name_and_not_with_the_address(tls_server: ssl.SSLContext, ca_file: str) -> None:
    """The certificate is the named host's; the address was chosen by us."""
    asked: list[str | None] = []
    tls_server.sni_callback = lambda _, name, __: asked.append(name)
    async with provider(answering(reply(PNG)), tls_server) as world:
        fetched = await fetch(f"https://api.test:{world.port}/", ca_file=ca_file)
        with pytest.raises(FetchError, match="could not be reached"):
            await fetch(f"https://other.test:{world.port}/", ca_file=ca_file)
        with pytest.raises(FetchError, match="could not be reached"):
            await fetch(f"https://api.test:{world.port}/")
    assert fetched.media_type == "image/png"
    assert asked == ["api.test", "other.test", "api.test"]


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["169.254.169.254"], ["127.0.0.1", "1.1.1.1"]],
)
async def test_a_name_that_leads_inside_is_never_connected_to(addresses: list[str]) -> None:
    async with provider(answering(reply(PNG))) as world:
        told = await refusal(f"http://evil.test:{world.port}/", Names(addresses), allow=())
    assert told == "the URL leads to no public address"
    assert world.visitors == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:7f00:1]", "localhost"]
)
async def test_an_inner_address_is_refused_however_it_is_written(host: str) -> None:
    """By the system's own resolver, which reads numbers in old ways too."""
    async with provider(answering(reply(PNG))) as world:
        fetcher = SocketFetcher()
        with pytest.raises(FetchError, match=r"^the URL leads to no public address$"):
            await fetcher.fetch(f"http://{host}:{world.port}/", 100)
        await fetcher.aclose()
    assert world.visitors == []


async def test_the_systems_resolver_finds_what_is_allowed() -> None:
    async with provider(answering(reply(PNG))) as world:
        fetcher = SocketFetcher(allow=("localhost",))
        assert (await fetcher.fetch(f"http://localhost:{world.port}/", 1000)).data == PNG
        await fetcher.aclose()


async def test_a_name_without_addresses_tells_no_more_than_one_that_leads_inside() -> None:
    """Which names exist inside is nothing that a client learns."""
    assert await refusal("http://nowhere.test/", Names([])) == "the URL leads to no public address"


async def test_a_name_is_looked_up_once_and_a_second_answer_gains_nothing() -> None:
    """DNS rebinding: the connection goes to the very address that was vetted."""
    names = Names(["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"])
    async with provider(answering(reply(PNG))) as world:
        await fetch(f"http://evil.test:{world.port}/", names, allow=("127.0.0.1",))
        told = await refusal(f"http://evil.test:{world.port}/", names, allow=("127.0.0.1",))
    assert told == "the URL leads to no public address"
    assert len(names.asked) == 2
    assert len(world.visitors) == 1


async def test_the_next_address_is_tried_where_one_refuses() -> None:
    async with provider(answering(reply(PNG))) as world:
        fetched = await fetch(f"http://h.test:{world.port}/", Names(["127.0.0.9", "127.0.0.1"]))
    assert fetched.data == PNG


async def test_redirects_are_followed_three_times() -> None:
    """Relative ones too, and each is looked up and vetted anew."""

    def chain(length: int) -> Script:
        async def script(visitor: Visitor) -> None:
            await visitor.request()
            number = visitor.number
            await visitor.send(moved(f"../hop/{number}?n={number}") if number <= length else reply(PNG))

        return script

    names = Names(["127.0.0.1"])
    async with provider(chain(3)) as world:
        assert (await fetch(f"http://h.test:{world.port}/a/b", names)).data == PNG
    assert len(names.asked) == 4
    async with provider(chain(4)) as world:
        assert await refusal(f"http://h.test:{world.port}/a/b") == "the server redirects more than 3 times"
    assert len(world.visitors) == 4


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://inner.test/", "the URL leads to no public address"),
        ("//169.254.169.254/latest/meta-data/", "the URL leads to no public address"),
        ("file:///etc/passwd", "the URL is not an http or https one"),
        ("http://user:secret@h.test/", "the URL holds a user name or a password"),
        ("http://h.test/a b", "the URL has a character that does not belong there"),
    ],
)
async def test_a_redirect_is_vetted_like_the_first_url(location: str, reason: str) -> None:
    """And what is told names nothing that the client did not write."""
    names = Names(["127.0.0.1"], ["192.168.0.1"])
    async with provider(answering_once(moved(location))) as world:
        told = await refusal(f"http://h.test:{world.port}/", names)
    assert told == f"after a redirect: {reason}"
    assert len(world.visitors) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (reply(b"no", status=b"404 Not Found"), "the server answered with status 404"),
        (reply(b"", status=b"302 Found"), "the server answered with status 302"),
        (moved("http://[::1"), "the server redirects to what is no URL"),
        (reply(b""), "the server sent nothing"),
        (reply(b"x", b"Content-Encoding: br"), "the server sent a content coding that cannot be read"),
        (reply(b"x", b"Content-Encoding: gzip"), "the server sent a content coding that cannot be read"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the server does not answer by HTTP/1.1 as it should"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "the server does not answer by HTTP/1.1 as it should"),
    ],
)
async def test_what_is_no_whole_answer_is_refused(answer: bytes, reason: str) -> None:
    async with provider(answering_once(answer)) as world:
        assert await refusal(f"http://h.test:{world.port}/") == reason


@pytest.mark.parametrize(
    "answer",
    [
        reply(bytes(1001)),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + bytes(1001),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + bytes(1001) + b"\r\n0\r\n\r\n",
        reply(gzip.compress(bytes(1001)), b"Content-Encoding: gzip"),
    ],
    ids=["by its length", "until closed", "chunked", "when decoded"],
)
async def test_what_is_too_large_is_not_taken(answer: bytes) -> None:
    async with provider(answering_once(answer)) as world:
        told = await refusal(f"http://h.test:{world.port}/", most=1000)
        assert told == "what the URL leads to is larger than 1000 bytes"
    async with provider(answering_once(answer)) as world:
        assert (await fetch(f"http://h.test:{world.port}/", most=1001)).data == bytes(1001)


async def test_a_large_file_comes_whole() -> None:
    body = os.urandom(3_000_000)
    async with provider(answering_once(reply(body))) as world:
        assert (await fetch(f"http://h.test:{world.port}/", most=3_000_000)).data == body


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"GIF87a...", "image/gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (b"RIFF\x10\0\0\0WAVE", ""),
        (b"hello", ""),
    ],
)
async def test_the_first_bytes_tell_what_the_server_does_not(data: bytes, media_type: str) -> None:
    async with provider(answering(reply(data))) as world:
        assert (await fetch(f"http://h.test:{world.port}/")).media_type == media_type
    vague = b"Content-Type: application/octet-stream"
    async with provider(answering(reply(data, vague))) as world:
        assert (await fetch(f"http://h.test:{world.port}/")).media_type == media_type or "application/octet-stream"


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_giving_up_closes_the_connection(scheme: str) -> None:
    """In the middle of a body, and of TLS's handshake."""
    asked = asyncio.Event()

    async def script(visitor: Visitor) -> None:
        if scheme == "http":
            await visitor.request()
            await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1")
        else:
            assert await visitor.reader.read(1) == b"\x16", "a handshake begins"
        asked.set()
        await visitor.reader.read()

    async with provider(script) as world:
        task = asyncio.create_task(fetch(f"{scheme}://h.test:{world.port}/"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(world.visitors[0].gone.is_set)


async def test_giving_up_during_a_lookup_connects_to_nothing() -> None:
    looking, world_looks = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def resolve(_host: str, _port: int) -> list[str]:
        looking.set()
        return await world_looks

    async with provider(answering(reply(PNG))) as world:
        fetcher = SocketFetcher(allow=LOOPBACK, resolve=resolve)
        task = asyncio.create_task(fetcher.fetch(f"http://h.test:{world.port}/", 100))
        await looking.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fetcher.aclose()
    assert world.visitors == []


def test_a_bad_ca_file_is_told_at_start() -> None:
    with pytest.raises(OSError, match="No such file"):
        SocketFetcher(ca_file="/nowhere/ca.pem")
