"""Fetching what a client's request points to: from the public internet, with nothing of anybody's on the way.

No credential, cookie, header of the client's, account's proxy or proxy of the environment is used. A name is looked up
once for each connection, each of its addresses is vetted, and the connection is made to the very addresses that were:
a name that answers otherwise the next time gains nothing. Each redirect is a URL like the first.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol
from urllib.parse import urljoin

import attrs
import httpcore

from gephyr.runtime.upstream.connector import tls_context
from gephyr.runtime.upstream.lacks import is_lack, tell
from gephyr.runtime.vetted_connection import Resolve, VettedBackend
from gephyr.runtime.vetting import FetchError, LackError, Location, Vetting, parse_url
from gephyr_core import __version__
from gephyr_core.content_coding import CodingError, Decoder, ExpansionError, UnknownCodingError, decoder_for
from gephyr_core.http import content_length, header, header_text, media_type

MOST_REDIRECTS = 3
_LOOKUPS = 8
"""Name lookups at one time, on threads of their own: a client's slow names must not hold up those of providers."""
_REDIRECTS = (301, 302, 303, 307, 308)
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_HEADERS = [
    (b"user-agent", f"gephyr/{__version__}".encode()),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"connection", b"close"),
]


@attrs.frozen
class Fetched:
    """What stands at a URL."""

    media_type: str
    """Without parameters, lower case; empty when neither the server nor the first bytes say."""
    data: bytes


class UrlFetcher(Protocol):
    """A way to fetch; :class:`SocketFetcher` is the real one."""

    async def fetch(self, url: str, max_bytes: int) -> Fetched:
        """Return what stands at *url*. Raises :class:`FetchError`. The time limit is the caller's, who cancels."""

    async def aclose(self) -> None:
        """Let go of everything. What is under way was cancelled before."""


class FetchesNothing:
    """For a process that has no way out."""

    async def fetch(self, url: str, max_bytes: int) -> Fetched:  # noqa: ARG002
        """Refuse."""
        raise FetchError("nothing is fetched here")

    async def aclose(self) -> None:
        """Do nothing."""


class SocketFetcher:
    """Fetches over real sockets. Belongs to one event loop."""

    def __init__(self, *, allow: tuple[str, ...] = (), ca_file: str = "", resolve: Resolve | None = None) -> None:
        """*allow* lists networks, addresses and names that may be fetched from although they are not public.

        *ca_file* is trusted beside the system's store. Raises ``OSError`` when it cannot be used.
        """
        self._tls = tls_context(ca_file)
        self._lookups = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="gephyr-lookup")
        self._vetting = Vetting(allow)
        self._resolve = resolve or self._look_up

    async def fetch(self, url: str, max_bytes: int) -> Fetched:
        """Return what stands at *url*, after :data:`MOST_REDIRECTS` redirects at most. Raises ``FetchError``."""
        answer = await self._get(parse_url(url), max_bytes)
        for _ in range(MOST_REDIRECTS):
            if isinstance(answer, Fetched):
                return answer
            try:
                url = urljoin(url, answer)
            except ValueError:
                raise FetchError("the server redirects to what is no URL") from None
            try:
                answer = await self._get(parse_url(url), max_bytes)
            except FetchError as error:
                raise type(error)(f"after a redirect: {error}") from None
        if isinstance(answer, Fetched):
            return answer
        raise FetchError(f"the server redirects more than {MOST_REDIRECTS} times")

    async def aclose(self) -> None:
        """Let go of the threads for lookups; one that hangs ends with its lookup."""
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def _get(self, location: Location, max_bytes: int) -> Fetched | str:
        """Make one request. Returns where a redirect points to, as it was written."""
        origin = location.origin
        scheme, host = origin.scheme.encode(), origin.host.encode()
        headers = [(b"host", origin.netloc.encode()), *_HEADERS]
        url = httpcore.URL(scheme=scheme, host=host, port=origin.port, target=location.target.encode())
        backend = VettedBackend(self._vetting, self._resolve)
        connection = httpcore.AsyncHTTPConnection(
            httpcore.Origin(scheme, host, origin.port), ssl_context=self._tls, network_backend=backend
        )
        try:
            async with connection, connection.stream("GET", url, headers=headers) as response:
                return await _read(response, max_bytes)
        except OSError as error:
            if is_lack(error):
                tell("no connection can be opened", reason=str(error))
                raise LackError("the gateway has no room for another connection") from None
            raise FetchError("the server could not be reached, or the connection broke") from None
        except httpcore.ProtocolError:
            raise FetchError("the server does not answer by HTTP/1.1 as it should") from None
        finally:
            backend.close()

    async def _look_up(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(
            self._lookups, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        )
        return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _read(response: httpcore.Response, max_bytes: int) -> Fetched | str:
    """Read a response. Raises :class:`FetchError`."""
    headers = [(name.lower(), value) for name, value in response.headers]
    location = header(headers, b"location")
    if response.status in _REDIRECTS and location is not None:
        return location.decode("utf-8", "replace")
    if not 200 <= response.status < 300:
        raise FetchError(f"the server answered with status {response.status}")
    if content_length(headers) > max_bytes:
        raise _too_large(max_bytes)
    coding = header_text(headers, b"content-encoding") or ""
    try:
        # A server may compress although it was asked not to.
        data = await _body(response.aiter_stream(), decoder_for(coding.encode("latin-1"), limit=max_bytes), max_bytes)
    except ExpansionError:
        raise _too_large(max_bytes) from None
    except (CodingError, UnknownCodingError):
        raise FetchError("the server sent a content coding that cannot be read") from None
    if not data:
        raise FetchError("the server sent nothing")
    said = media_type(headers).decode("latin-1")
    return Fetched(said if said not in _SAYS_NOTHING else sniffed(data) or said, data)


async def _body(stream: AsyncIterator[bytes], decoder: Decoder | None, max_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    async for piece in stream:
        size += len(piece)
        if size > max_bytes:
            raise _too_large(max_bytes)
        pieces.append(piece if decoder is None else decoder.feed(piece))
    if decoder is not None:
        pieces.append(decoder.finish())
    return b"".join(pieces)


def _too_large(max_bytes: int) -> FetchError:
    return FetchError(f"what the URL leads to is larger than {max_bytes} bytes")


def sniffed(data: bytes) -> str:
    """Return the media type that the first bytes tell; empty where they do not."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((media for magic, media in _MAGIC if data.startswith(magic)), "")
