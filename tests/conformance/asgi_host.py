"""A small ASGI host that holds an application to every rule of the specification (ASGI 3.0, HTTP 2.4, lifespan 2.0)."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from urllib.parse import unquote

from gephyr_core.http import Header
from tests.conformance.talk import CutError, Talk
from tests.waiting import WAIT

BUFFER = 32 * 1024
"""Bytes of a response that are taken ahead of the client."""
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
Message = Any
Application = Callable[[Any, Any, Any], Coroutine[Any, Any, None]]


class RuleBrokenError(Exception):
    """The application broke a rule of ASGI."""


def require(condition: object, rule: str) -> None:
    if not condition:
        raise RuleBrokenError(rule)


def http_scope(method: str, target: str, headers: Sequence[Header], **more: Any) -> dict[str, Any]:
    """The scope of a request."""
    path, _, query = target.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [list(header) for header in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "extensions": {},
        **more,
    }


class HostedTalk(Talk):
    """One request in the host. What the client does not read piles up to ``BUFFER`` bytes; then ``send`` waits."""

    prefix = "http"

    def __init__(self, app: Application, scope: dict[str, Any]) -> None:
        self._scope = scope
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._news = asyncio.Condition()
        self._receiving = self._sending = False
        self.receives = 0
        """How often the application asked for a message."""
        self.left = False
        self.started: tuple[int, list[Header]] | None = None
        self._body: list[bytes] = []
        self._buffered = 0
        self.taken = 0
        """Bytes of the body that the host has taken."""
        self.complete = False
        self.error: Exception | None = None
        """What the application raised."""
        self.task = asyncio.get_running_loop().create_task(self._run(app))

    async def _run(self, app: Application) -> None:
        try:
            await app(self._scope, self._receive, self._send)
            require(self.complete or self.left, "the application returned without a complete response")
        except Exception as error:
            self.error = error
        async with self._news:
            self._news.notify_all()

    # -- the application's side -----------------------------------------------------------------------------

    async def _receive(self) -> Message:
        require(not self._receiving, "receive is awaited twice at once")
        self._receiving = True
        self.receives += 1
        try:
            return await self.incoming.get()
        finally:
            self._receiving = False

    async def _send(self, message: Message) -> None:
        require(not self._sending, "send is awaited twice at once")
        require(isinstance(message, dict), "a message is a dict")
        require(not self.complete, "nothing is sent after the end")
        self._sending = True
        try:
            if self.left:
                raise OSError("the client has left")
            match message["type"].removeprefix(self.prefix):
                case ".response.start":
                    self._check_start(message)
                case ".response.body":
                    self._check_body(message)
                case other:
                    raise RuleBrokenError(f"unknown message {other!r}")
            async with self._news:
                self._news.notify_all()
                await self._news.wait_for(lambda: self._buffered <= BUFFER or self.left)
        finally:
            self._sending = False

    def _check_start(self, message: Message) -> None:
        require(self.started is None, "a response starts once")
        require(set(message) == {"type", "status", "headers"}, "start: type, status and headers")
        status = message["status"]
        require(type(status) is int and 200 <= status <= 599, "status: a whole number")
        for pair in message["headers"]:
            name, value = pair
            require(type(name) is bytes and _TOKEN.fullmatch(name), "a header's name: a lower-case token, in bytes")
            require(type(value) is bytes and _VALUE.fullmatch(value), "a header's value: bytes without line ends")
            require(value == value.strip(), "a header's value has no space around it")
            require(name not in {b"transfer-encoding", b"connection"}, "framing is the host's")
        lengths = [value for name, value in message["headers"] if name == b"content-length"]
        require(len(lengths) <= 1, "one length at most")
        self._length = int(lengths[0]) if lengths else None
        self.started = status, [(name, value) for name, value in message["headers"]]

    def _check_body(self, message: Message) -> None:
        require(self.started is not None, "a body comes after its start")
        require(set(message) == {"type", "body", "more_body"}, "body: type, body and more_body")
        require(type(message["body"]) is bytes, "body: bytes")
        require(type(message["more_body"]) is bool, "more_body: a bool")
        data = message["body"]
        assert self.started is not None
        bodiless = self._scope.get("method") == "HEAD" or self.started[0] in {204, 304}
        require(not (data and bodiless), "there is no body here")
        self.taken += len(data)
        self._buffered += len(data)
        if data:
            self._body.append(data)
        self.complete = not message["more_body"]
        if self._length is not None and not bodiless:
            require(self.taken <= self._length, "no more bytes than the length says")
            require(not self.complete or self.taken == self._length, "as many bytes as the length says")

    # -- the client's side ----------------------------------------------------------------------------------

    def send(self, data: bytes, *, last: bool = False) -> None:
        self.incoming.put_nowait({"type": "http.request", "body": data, "more_body": not last})

    async def head(self) -> tuple[int, list[Header]]:
        async with asyncio.timeout(WAIT), self._news:
            await self._news.wait_for(lambda: self.started is not None or self.task.done() or self.error is not None)
        if self.started is None:
            raise CutError(repr(self.error))
        return self.started

    async def read(self) -> bytes:
        def news() -> bool:
            return bool(self._body) or self.complete or self.error is not None

        async with asyncio.timeout(WAIT), self._news:
            await self._news.wait_for(news)
            data = b"".join(self._body)
            self._body.clear()
            self._buffered = 0
            self._news.notify_all()
        if not data and self.error is not None:
            raise CutError(repr(self.error))
        return data

    def leave(self) -> None:
        self.left = True
        self.incoming.put_nowait({"type": f"{self.prefix.partition('.')[0]}.disconnect"})

    async def over(self) -> None:
        """Wait until the application is done with the request, and see that it broke no rule."""
        await asyncio.wait_for(asyncio.wait([self.task]), WAIT)
        if isinstance(self.error, RuleBrokenError):
            raise self.error


class Lifespan:
    """The host's lifespan, at its beginning and its end."""

    def __init__(self, app: Application) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        run = app(scope, self._messages.get, self._answers.put)
        self._task = asyncio.get_running_loop().create_task(run)

    async def start(self) -> Message:
        """Start the application and return its answer."""
        self._messages.put_nowait({"type": "lifespan.startup"})
        return await asyncio.wait_for(self._answers.get(), WAIT)

    def stop(self) -> None:
        """Ask the application to stop."""
        self._messages.put_nowait({"type": "lifespan.shutdown"})

    async def stopped(self) -> Message:
        """Wait until it has; return its answer."""
        answer = await asyncio.wait_for(self._answers.get(), WAIT)
        await asyncio.wait_for(self._task, WAIT)
        assert self._answers.empty()
        return answer
