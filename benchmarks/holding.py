"""Measure how long one large request or reply keeps the others waiting: ``python -m benchmarks.holding``.

A gateway with its server and its sockets runs in this process, a client and a provider in another. While one body goes
through, a task on the gateway's loop wakes every millisecond; how late it wakes is how long any other request would
have waited. The machine's other work is measured as well: each case is tried several times, and the least counts.
Behind it stands the longest that the loop itself was at work in one go, in CPU time, which other programs do not touch;
the rest of a wait is calls into C that a job makes, and the machine.
"""

import argparse
import asyncio
import gzip
import json
import socket
import sys
import threading
import time
from collections.abc import Callable

import attrs

from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.observers import Observers
from gephyr.runtime.service import render_error, socket_service
from gephyr.runtime.store import MemoryStore
from gephyr.server.listener import Listener

_KEY = "benchmark-key-of-32-characters-xx"
_MB = 1_000_000
_TICK = 0.001
_CHAT, _MESSAGES = "/v1/chat/completions", "/v1/messages"
_SMALL_REPLY = 200


@attrs.frozen
class Case:
    """One body on its way."""

    name: str
    path: str
    request: int
    """Bytes of the request's text."""
    reply: int = _SMALL_REPLY
    streamed: bool = False
    """The provider streams, although a whole reply was asked for."""
    zipped: bool = False
    renamed: bool = False
    """The model has another name at the provider."""

    def body(self) -> bytes:
        """Return the request: turns of a kilobyte, as an agent sends them, in one dialect or the other."""
        turns = [
            {"role": ("user", "assistant")[number % 2], "content": f"{number} " + "The quick brown fox. " * 47}
            for number in range(max(1, self.request // 1000))
        ]
        asked: dict[str, object] = {"model": "other" if self.renamed else "m", "messages": turns, "max_tokens": 1000}
        asked["user"] = f"{self.reply} {int(self.streamed)}"
        if self.path == _MESSAGES:
            asked["metadata"] = {"user_id": asked.pop("user")}
        data = json.dumps(asked).encode()
        return gzip.compress(data, 1) if self.zipped else data


def cases(size: int) -> list[Case]:
    """Every way that a body of *size* bytes goes."""
    return [
        Case("request passed", _CHAT, size),
        Case("request passed, renamed", _CHAT, size, renamed=True),
        Case("request passed, gzip", _CHAT, size, zipped=True),
        Case("request translated", _MESSAGES, size),
        Case("reply passed", _CHAT, 0, size),
        Case("reply translated", _MESSAGES, 0, size),
        Case("reply passed, from a stream", _CHAT, 0, size, streamed=True),
        Case("reply translated, from a stream", _MESSAGES, 0, size, streamed=True),
    ]


# -- the gateway --------------------------------------------------------------------------------------------------


@attrs.define
class Ticker:
    """Wakes every millisecond, and remembers by how much it came late."""

    longest: float = 0.0
    busiest: float = 0.0
    """CPU seconds of the loop's thread between two ticks."""

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            before, used = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_TICK)
            self.longest = max(self.longest, time.perf_counter() - before - _TICK)
            self.busiest = max(self.busiest, time.thread_time() - used)


async def measure(sizes: list[int], tries: int, tell: Callable[[str], None], only: str) -> None:
    """Play every case, *tries* times each."""
    peer = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.holding", "--peer", stdin=-1, stdout=-1, limit=_MB
    )
    assert peer.stdin is not None
    assert peer.stdout is not None
    upstream = int(await peer.stdout.readline())
    account = {"id": "a", "provider": "openai", "api_key": "k", "base_url": f"http://127.0.0.1:{upstream}/v1"}
    loaded = load_mapping(
        {
            "auth": {"api_keys": [_KEY]},
            "accounts": [{**account, "models": ["*"]}],
            "models": {"other": "openai/m", "m": "openai/m"},
            "server": {"max_body_size": 200 * _MB},
            "upstream": {"max_reply_size": 200 * _MB, "max_sse_line": 200 * _MB},
            "providers": {"openai": {"dialect": "openai-chat"}},
        },
        {},
    )
    service = socket_service(loaded, store=MemoryStore(), observers=Observers())
    listener = Listener(service.driver, host="127.0.0.1", port=0, render=render_error)
    await listener.start()
    tell(f"{'':34}" + "".join(f"{size // _MB:>13} MB" for size in sizes) + "   longest wait (loop busy), ms")
    for number, case in enumerate(cases(_MB)):
        if only not in case.name:
            continue
        waits: list[tuple[float, float]] = []
        for size in sizes:
            sized = cases(size)[number]
            played = [await _play(sized, peer, listener.port) for _ in range(tries)]
            waits.append((min(wait for wait, _ in played), min(busy for _, busy in played)))
        tell(f"{case.name:34}" + "".join(f"{wait * 1000:>8.1f} ({busy * 1000:5.1f})" for wait, busy in waits))
    peer.stdin.close()
    await peer.wait()
    listener.abort()
    listener.stop_accepting()
    await listener.wait_closed()
    await service.aclose()


async def _play(case: Case, peer: asyncio.subprocess.Process, port: int) -> tuple[float, float]:
    assert peer.stdin is not None
    assert peer.stdout is not None
    peer.stdin.write(json.dumps({"port": port, **attrs.asdict(case)}).encode() + b"\n")
    if await peer.stdout.readline() != b"ready\n":
        raise SystemExit("the other process ended")
    ticker = Ticker()
    ticking = asyncio.ensure_future(ticker.run())
    peer.stdin.write(b"go\n")
    answer = json.loads(await peer.stdout.readline())
    ticking.cancel()
    if answer["status"] != 200 or answer["size"] < case.reply:
        raise SystemExit(f"{case}: {answer}")
    return ticker.longest, ticker.busiest


# -- the other process --------------------------------------------------------------------------------------------


def be_peer() -> None:
    """Be the provider, and a client that does what the lines of the input say."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listening.getsockname()[1], flush=True)
    threading.Thread(target=_provide, args=(listening,), daemon=True).start()
    for line in sys.stdin:
        order = json.loads(line)
        port = order.pop("port")
        case = Case(**order)
        body = case.body()
        _REPLIES[case.reply, case.streamed] = _reply(case.reply, streamed=case.streamed)
        coding = "content-encoding: gzip\r\n" if case.zipped else ""
        head = (
            f"POST {case.path} HTTP/1.1\r\nhost: x\r\nx-api-key: {_KEY}\r\nanthropic-version: 2023-06-01\r\n"
            f"content-type: application/json\r\n{coding}content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        ).encode()
        print("ready", flush=True)
        sys.stdin.readline()
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(head)
            connection.sendall(body)
            start, size = b"", 0
            while data := connection.recv(1 << 18):
                start = start or data
                size += len(data)
        said = start[-200:].decode("utf-8", "replace")
        print(json.dumps({"status": int(start[9:12]), "size": size, "said": said}), flush=True)
        _REPLIES.clear()


_REPLIES: dict[tuple[int, bool], bytes] = {}


def _reply(size: int, *, streamed: bool) -> bytes:
    text = "The quick brown fox. " * (size // 21)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
    if not streamed:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        data = json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
        return b"%bcontent-length: %d\r\n\r\n%b" % (head, len(data), data)
    chunk = {"id": "c", "object": "chat.completion.chunk", "model": "m"}
    pieces = [text[at : at + 1000] for at in range(0, len(text), 1000)]
    told: list[dict[str, object]] = [{"delta": {"content": piece}, "finish_reason": None} for piece in pieces]
    told.append({"delta": {}, "finish_reason": "stop"})
    events = b"".join(
        b"data: %b\n\n" % json.dumps({**chunk, "choices": [{"index": 0, **choice}]}).encode() for choice in told
    )
    data = events + b"data: [DONE]\n\n"
    return b"%bcontent-length: %d\r\n\r\n%b" % (
        head.replace(b"application/json", b"text/event-stream"),
        len(data),
        data,
    )


def _provide(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    """Answer requests one after the other, each when it has come whole."""
    with connection:
        while data := connection.recv(1 << 18):
            head, _, body = data.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            left = length - len(body)
            while left > 0 and (data := connection.recv(1 << 18)):
                left -= len(data)
            connection.sendall(next(iter(_REPLIES.values())))


def main() -> None:
    """Measure, or be the other process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 20, 100], help="MB")
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--only", default="", help="cases with this in their names")
    options = parser.parse_args()
    if options.peer:
        be_peer()
    else:
        sizes = [size * _MB for size in options.sizes]
        asyncio.run(measure(sizes, options.tries, lambda line: print(line, flush=True), options.only))


if __name__ == "__main__":
    main()
