"""A provider played by a process of its own: it answers as it was told, and tells what it saw.

Standard library only, nothing of Gephyr's: what it takes for HTTP and for a provider's reply is not Gephyr's reading
of either. Run as a program it prints one JSON line with its ports and serves until its standard input ends:

- ``http``, and ``tls`` when given a certificate: the provider;
- ``refused``: bound but not listened on, so that connecting is refused;
- ``silent``: takes connections and never says anything;
- ``control``: takes one JSON object a line and answers with one (see :meth:`Stub.control`).

Which answer a request gets: the one of the key in its header ``x-stub-answer``, else the next of the account that the
first segment of its path names; the last one of an account stays. An answer is an object with

- ``status``, ``headers`` (pairs), ``body`` (text, or base64 in ``body64``), ``framing``: ``length``, ``chunked`` or
  ``close``; or ``raw64``, the bytes of a whole response;
- ``rechunk``: a seed; the body goes out in pieces of random sizes, each its own write (and chunk);
- ``repeat``: how often the body is sent; ``pause``: seconds between two pieces; ``numbered``: ``%d`` in it counts;
- ``hold``: events after which a stream waits for the order ``go_on``;
- ``send_buffer``: bytes that the system may hold of what the client does not take;
- ``then``: what follows: ``end`` (the default), or ``reset``, ``close`` or ``stall`` (until the peer leaves) instead of
  the end; with status 0 there is no head either.
"""

import argparse
import asyncio
import base64
import contextlib
import functools
import hashlib
import json
import random
import re
import socket
import ssl
import struct
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

_KEPT_BODY = 4 * 1024 * 1024
"""Bytes of a request's body up to which it is told whole; of a larger one only length and digest."""
_NO_ANSWER: dict[str, Any] = {"status": 599, "body": '{"error": "the stub was not told what to answer"}'}
Changed = Callable[[], None]


@dataclass
class Seen:
    """One request as it came."""

    number: int
    connection: int
    account: str
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    sent: int = 0
    """Bytes of the answer's body that were handed to the system."""
    left: bool = False
    """Whether the client was seen to leave before the answer was complete."""
    answered: bool = False

    def told(self) -> dict[str, Any]:
        """The request as JSON can hold it."""
        body = self.body
        whole = base64.b64encode(body).decode() if len(body) <= _KEPT_BODY else None
        told = {**vars(self), "body64": whole, "length": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        del told["body"]
        return told


class Stub:
    """What all connections share: answers, observations, counts."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.scripts: dict[str, list[dict[str, Any]]] = {}
        self.seen: list[Seen] = []
        self.requests = 0
        self.connections = {"http": 0, "tls": 0, "silent": 0}
        self.open = {"http": 0, "tls": 0, "silent": 0}
        self.log: list[tuple[str, str]] = []
        """What happened, in its order: ``connected`` or ``closed`` and the port, ``asked`` or ``left`` and the
        account."""
        self.go_on = asyncio.Event()
        self._changed = asyncio.Event()

    def happened(self, what: str, where: str) -> None:
        """Note it, and wake whoever waits."""
        self.log.append((what, where))
        self.changed()

    def changed(self) -> None:
        """Something happened that a control command may wait for."""
        self._changed.set()
        self._changed = asyncio.Event()

    def answer_to(self, seen: Seen) -> dict[str, Any]:
        """Choose the answer."""
        for name, value in seen.headers:
            if name.lower() == "x-stub-answer":
                return self.answers.get(value, _NO_ANSWER)
        script = self.scripts.get(seen.account, [_NO_ANSWER])
        return script.pop(0) if len(script) > 1 else script[0]

    async def control(self, order: dict[str, Any]) -> Any:
        """Perform one order, told by its ``op``."""
        match order:
            case {"op": "script", "account": account, "answers": answers}:
                self.scripts[account] = list(answers)
            case {"op": "load", "path": path}:
                with open(path, encoding="utf-8") as lines:  # noqa: ASYNC230 (nobody is being served yet)
                    self.answers = dict(map(json.loads, lines))
            case {"op": "reset"}:
                self.scripts.clear()
                self.seen.clear()
                self.log.clear()
                self.go_on.clear()
                self.requests = 0
                self.connections = dict.fromkeys(self.connections, 0)
            case {"op": "take"}:
                taken, self.seen[:] = [seen.told() for seen in self.seen], []
                return taken
            case {"op": "count"}:
                sent = sum(seen.sent for seen in self.seen)
                counts = {"requests": self.requests, "connections": self.connections, "open": self.open}
                return {**counts, "sent": sent}
            case {"op": "log"}:
                return self.log
            case {"op": "go_on"}:
                self.go_on.set()
            case _:
                await self._wait(order)
        return None

    async def _wait(self, order: dict[str, Any]) -> None:
        match order:
            case {"op": "wait_requests", "count": count}:
                await self._until(lambda: self.requests >= count)
            case {"op": "wait_sent", "bytes": count}:
                await self._until(lambda: sum(seen.sent for seen in self.seen) >= count)
            case {"op": "wait_connections", "kind": kind, "count": count}:
                await self._until(lambda: self.connections[kind] >= count)
            case {"op": "wait_open", "kind": kind, "count": count}:
                await self._until(lambda: self.open[kind] <= count)
            case {"op": "wait_left", "request": number}:
                await self._until(lambda: any(seen.left for seen in self.seen if seen.number == number))
            case _:
                raise ValueError(f"unknown order {order!r}")

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._changed.wait()


class ProviderConnection(asyncio.Protocol):
    """One connection: reads requests, and answers each before it reads the next."""

    def __init__(self, stub: Stub, kind: str) -> None:
        self._stub = stub
        self._kind = kind
        self._buffer = bytearray()
        self._seen: Seen | None = None
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._stub.connections[self._kind] += 1
        self._stub.open[self._kind] += 1
        self._number = self._stub.connections[self._kind]
        self._stub.happened("connected", self._kind)

    def data_received(self, data: bytes) -> None:
        if self._kind != "silent":
            self._buffer += data
            self._serve_next()

    def eof_received(self) -> None:
        self._left()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left()
        self._stub.open[self._kind] -= 1
        self._stub.happened("closed", self._kind)
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _left(self) -> None:
        if self._seen is not None and not self._seen.left and not self._seen.answered:
            self._seen.left = True
            self._stub.happened("left", self._seen.account)
        self._gone.set()
        self._stub.changed()

    def _serve_next(self) -> None:
        if self._task is not None and not self._task.done():
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = self._buffer[:end].decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ")
        headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
        length = int({name.lower(): value for name, value in headers}.get("content-length", "0"))
        if len(self._buffer) < end + 4 + length:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        self._stub.requests += 1
        account = target.split("/")[1] if target.count("/") > 1 else ""
        seen = Seen(self._stub.requests, self._number, account, method, target, headers, body)
        self._seen = seen
        self._stub.seen.append(seen)
        self._stub.happened("asked", account)
        self._task = asyncio.get_running_loop().create_task(self._answer(seen))
        self._task.add_done_callback(lambda _: self._serve_next())

    async def _answer(self, seen: Seen) -> None:
        answer = self._stub.answer_to(seen)
        if "send_buffer" in answer:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, answer["send_buffer"])
        if "raw64" in answer:
            async for piece in _pieces(answer, base64.b64decode(answer["raw64"])):
                await self._send(piece, seen, len(piece))
        elif answer["status"]:
            await self._respond(answer, seen)
        match answer.get("then", "end"):
            case "stall":
                await self._gone.wait()
            case "reset":
                self._reset()
            case "close":
                self._transport.close()
            case _:
                seen.answered = True

    async def _respond(self, answer: dict[str, Any], seen: Seen) -> None:
        body = base64.b64decode(answer["body64"]) if "body64" in answer else answer.get("body", "").encode()
        framing = answer.get("framing", "length")
        lines = [f"HTTP/1.1 {answer['status']} Said"]
        lines += [f"{name}: {value}" for name, value in answer.get("headers", [])]
        match framing:
            case "length":
                lines.append(f"Content-Length: {len(body) * answer.get('repeat', 1)}")
            case "chunked":
                lines.append("Transfer-Encoding: chunked")
            case _:
                lines.append("Connection: close")
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        held = answer.get("hold")
        async for piece in _pieces(answer, body):
            if held is not None:
                held -= piece.count(b"\n\n")
                if held < 0:
                    await self._stub.go_on.wait()
            framed = b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece
            await self._send(framed, seen, len(piece))
        if answer.get("then", "end") == "end":
            if framing == "chunked":
                self._transport.write(b"0\r\n\r\n")
            elif framing == "close":
                self._transport.close()

    async def _send(self, data: bytes, seen: Seen, size: int) -> None:
        self._transport.write(data)
        await asyncio.sleep(0)  # or a peer that has left would never be noticed
        await self._writable.wait()
        if self._transport.is_closing():
            raise asyncio.CancelledError
        seen.sent += size
        self._stub.changed()

    def _reset(self) -> None:
        """Close with RST instead of FIN."""
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


async def _pieces(answer: dict[str, Any], body: bytes) -> AsyncIterator[bytes]:
    """The body as it goes out, each piece at its time."""
    if not body:
        return  # an empty piece would be framed as the last chunk
    pause, chance = answer.get("pause"), None
    if answer.get("rechunk") is not None:
        chance = random.Random(answer["rechunk"])
    due = asyncio.get_running_loop().time()
    for count in range(answer.get("repeat", 1)):
        data = body.replace(b"%d", b"%d" % count) if answer.get("numbered") else body
        whole = re.findall(rb".+?\n\n", data, re.DOTALL) if "hold" in answer else [data]
        for piece in whole if chance is None else _cut(data, chance):
            yield piece
            if pause is not None:
                due += pause
                await asyncio.sleep(due - asyncio.get_running_loop().time())


def _cut(data: bytes, chance: random.Random) -> Iterator[bytes]:
    """Pieces of random sizes: often a few bytes, now and then many."""
    start = 0
    while start < len(data):
        size = chance.choice((1, 2, chance.randint(1, 40), chance.randint(1, 4000), chance.randint(1, 4000)))
        yield data[start : start + size]
        start += size


async def _main(cert: str | None) -> None:
    loop = asyncio.get_running_loop()
    stub = Stub()
    ports = {}
    for kind in ("http", "silent"):
        make = functools.partial(ProviderConnection, stub, kind)
        server = await loop.create_server(make, "127.0.0.1", 0, backlog=2048)
        ports[kind] = server.sockets[0].getsockname()[1]
    if cert is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert)
        raw = await loop.create_server(lambda: ProviderConnection(stub, "tls"), "127.0.0.1", 0, ssl=context)
        ports["tls"] = raw.sockets[0].getsockname()[1]
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))
    ports["refused"] = closed.getsockname()[1]

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(json.dumps(await stub.control(json.loads(line))).encode() + b"\n")
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(control, "127.0.0.1", 0, limit=2**26)
    ports["control"] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cert", help="PEM file of a certificate and its key, for the tls port")
    asyncio.run(_main(parser.parse_args().cert))
