"""A client that speaks HTTP/1.1 in raw bytes, one response at a time."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import attrs

from tests.waiting import WAIT

KEY = "a-client-key"


@attrs.frozen
class Response:
    """A response, read to its end."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of a header; None if there is none."""
        return next((value for key, value in self.headers if key == name), None)


@attrs.define
class Client:
    """One connection to the gateway."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """Write a request; its key and framing are added."""
        fields = {"Host": "gateway", "Authorization": f"Bearer {KEY}", **(headers or {})}
        if body or method == "POST":
            fields |= {"Content-Length": str(len(body))}
            fields.setdefault("Content-Type", "application/json")
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self.writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    async def head(self) -> tuple[int, list[tuple[str, str]]]:
        """Read a response's head."""
        data = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT)
        first, *lines = data.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        pairs = [line.partition(": ") for line in lines]
        return int(first.split(" ")[1]), [(name.lower(), value) for name, _, value in pairs]

    async def chunk(self) -> bytes:
        """Read a chunk of a chunked body; the last one is empty."""
        size = int(await asyncio.wait_for(self.reader.readuntil(b"\r\n"), WAIT), 16)
        return (await asyncio.wait_for(self.reader.readexactly(size + 2), WAIT))[:-2]

    async def chunks(self) -> bytes:
        """Read the rest of a chunked body."""
        chunks = []
        while chunk := await self.chunk():
            chunks.append(chunk)
        return b"".join(chunks)

    async def response(self) -> Response:
        """Read a whole response."""
        status, headers = await self.head()
        fields = dict(headers)
        if "content-length" in fields:
            body = await asyncio.wait_for(self.reader.readexactly(int(fields["content-length"])), WAIT)
        elif fields.get("transfer-encoding") == "chunked":
            body = await self.chunks()
        else:
            assert status in {204, 304}, "neither a length nor chunks"
            body = b""
        return Response(status, headers, body)

    async def ask(self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Response:
        """Send a request, and read its response."""
        self.send(method, target, body, headers)
        return await self.response()

    def leave(self) -> None:
        """Close at once."""
        self.writer.transport.abort()

    async def close(self) -> None:
        """Close in an orderly way."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def connected(port: int, *, receive_buffer: int | None = None) -> AsyncIterator[Client]:
    """A client of the gateway at *port*. With *receive_buffer* (bytes) its system takes little that is not read."""
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        # As on a real network. Loopback's segments of 64 KB make the sender's system take megabytes, too.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    connection.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    except OSError:
        connection.close()
        raise
    reader, writer = await asyncio.open_connection(sock=connection, limit=2**20 if receive_buffer is None else 2**12)
    client = Client(reader, writer)
    try:
        yield client
    finally:
        await client.close()
