"""One request of an ASGI host: what it sends becomes events, and commands become messages for it.

The host wants to be awaited, so what the core says is kept in an outbox until ``send`` has taken it. The application's
own coroutine sends; a task beside it receives the body, and then watches for the client to leave.
"""

import asyncio
from collections import deque
from collections.abc import Sequence

from gephyr.asgi.identity import Identity
from gephyr.asgi.scope import Message, Receive, Send
from gephyr.runtime.credentials import strip_credentials
from gephyr.runtime.driver import Driver
from gephyr.runtime.outgoing import PIECE
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted
from gephyr_core.faults import MESSAGE
from gephyr_core.http import Header, Headers

HIGH_MARK = 64 * 1024
"""Bytes in the outbox from which on the client counts as blocked."""
LOW_MARK = 16 * 1024
"""Bytes in the outbox at which it counts as ready again."""


class ResponseAborted(Exception):  # noqa: N818 (it says what happened; whose error it is, the log knows)
    """The response cannot be completed: raised in the host, which must cut the client's connection."""


class HostedExchange:
    """One exchange; implements ``gephyr.runtime.ports.ClientPort``. Serves once."""

    def __init__(self, driver: Driver, receive: Receive, send: Send, *, handshake: bool = False) -> None:
        """*handshake*: the request is a WebSocket's, to be denied; it has no body and messages of its own."""
        self._driver = driver
        self._receive = receive
        self._send = send
        self._handshake = handshake
        self._prefix = "websocket.http" if handshake else "http"
        self._exchange = 0
        self._watcher: asyncio.Task[None] | None = None
        self._sending: asyncio.Timeout | None = None
        self._aborted: str | None = None
        self._gone = False
        self._head: Message | None = None
        self._body: deque[bytes | memoryview] = deque()
        self._outstanding = 0
        """Bytes that the core has sent and the host has not taken."""
        self._blocked = False
        self._ended = False
        self._news = asyncio.Event()
        self.begun = False
        """The core was told of the request: it is the one to answer."""
        self.sent = False
        """A message of the response was given to the host."""
        self._hosts: Exception | None = None
        """What the host raised: it is the host's to see, and no fault of ours."""

    async def serve(
        self,
        method: str,
        target: str,
        headers: Sequence[Header],
        peer: str,
        scheme: str,
        who: Identity | None = None,
    ) -> None:
        """Serve the request to its end, *who* asks where the application knows more than a key.

        Raises :class:`ResponseAborted`, and what the host raised.
        """
        driver, who = self._driver, who or Identity()
        kept, target, credentials, names = strip_credentials(headers, target)
        exchange = self._exchange = driver.open(self)
        if not who.by_key:
            credentials = ()
        started = RequestStarted(
            exchange, method, target, kept, credentials, peer, scheme, who.caller, who.ownerless, names
        )
        self.begun = True
        try:
            driver.feed(started)
            try:
                await self._send_all()
            except Exception as error:
                if error is self._hosts:
                    raise
                await self._end_broken(error)
        finally:
            driver.client_gone(exchange)  # unless it has ended
            await self._stop_watching()
        if self._aborted is not None:
            raise ResponseAborted(self._aborted)

    # -- the driver's calls -------------------------------------------------------------------------------------

    def read_body(self) -> None:
        """Begin to receive: a host sends 100-continue, where it is awaited, when it is first asked."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch())

    def start_response(self, status: int, headers: Headers) -> None:
        """Keep the head for the host."""
        self._head = {"type": f"{self._prefix}.response.start", "status": status, "headers": list(headers)}
        self._news.set()

    def send_body(self, data: bytes) -> None:
        """Keep bytes of the body; beyond the high mark the client is blocked."""
        if len(data) <= PIECE:
            self._body.append(data)
        else:  # a host that is given much at once is at it for long
            self._body.extend(memoryview(data)[at : at + PIECE] for at in range(0, len(data), PIECE))
        self._outstanding += len(data)
        self._news.set()
        if self._outstanding > HIGH_MARK and not self._blocked:
            self._blocked = True
            self._driver.client_blocked(self._exchange)

    def end_response(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._news.set()

    def abort_response(self, reason: str) -> None:
        """Drop what is kept, and have :meth:`serve` raise."""
        self._aborted = reason
        self._interrupt()

    # -- sending ------------------------------------------------------------------------------------------------

    async def _send_all(self) -> None:
        """Send until the end of the response, or until there is nobody to send to."""
        try:
            # A limit that is set when it is reached: the way to end an await from outside without a second task.
            async with asyncio.timeout(None) as self._sending:
                if not self._over:
                    await self._send_outbox()
        except OSError:  # our TimeoutError, or a host's sign that the client has left (ASGI HTTP specification 2.4)
            pass
        finally:
            self._sending = None

    async def _end_broken(self, error: Exception) -> None:
        """A fault of ours in sending: send the core's answer to it, unless a part of a response was sent."""
        self._driver.failed(error, "sending", self._exchange)
        if self.sent:
            self._aborted = MESSAGE
        else:
            await self._send_all()

    async def _give(self, message: Message) -> None:
        self.sent = True
        try:
            await self._send(message)
        except Exception as error:
            self._hosts = error
            raise

    async def _send_outbox(self) -> None:
        while True:
            if self._head is not None:
                head, self._head = self._head, None
                await self._give(head)
            elif self._body or self._ended:
                # What the core sends together stays together and alone: Gemini CLI understands an error in a stream
                # only in a write of its own.
                data = bytes(self._body.popleft()) if self._body else b""
                last = self._ended and not self._body
                await self._give({"type": f"{self._prefix}.response.body", "body": data, "more_body": not last})
                if last:
                    return
                self._taken(len(data))
            else:
                self._news.clear()
                await self._news.wait()

    def _taken(self, size: int) -> None:
        self._outstanding -= size
        if self._blocked and not self._ended and self._outstanding <= LOW_MARK:
            self._blocked = False
            self._driver.client_ready(self._exchange)

    # -- receiving ----------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Receive the body, then wait for the client to leave."""
        try:
            left = await self._body_cut_short() or await self._left()
        except Exception as error:
            if error is not self._hosts:
                self._driver.failed(error, "receiving", self._exchange)
                return
            self._client_left()
            raise
        if left:
            self._client_left()

    async def _body_cut_short(self) -> bool:
        """Hand the body to the core; return whether the client left before its end."""
        feed, exchange = self._driver.feed, self._exchange
        more = not self._handshake
        while more:
            message = await self._take()
            if message["type"] == "http.disconnect":
                return True
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                feed(RequestBody(exchange, bytes(body)))
        feed(RequestEnded(exchange))
        return False

    async def _take(self) -> Message:
        try:
            return await self._receive()
        except Exception as error:
            self._hosts = error
            raise

    async def _left(self) -> bool:
        """Wait for the client to leave. Not every host waits: one that goes on sending bodies says nothing of it."""
        message = await self._take()
        return str(message["type"]).endswith(".disconnect")

    def _client_left(self) -> None:
        self._gone = True
        self._driver.client_gone(self._exchange)
        self._interrupt()

    # -- endings ------------------------------------------------------------------------------------------------

    @property
    def _over(self) -> bool:
        return self._gone or self._aborted is not None

    def _interrupt(self) -> None:
        """Stop sending, although ``send`` may be waiting for the client."""
        self._head = None
        self._body.clear()
        if self._sending is not None and not self._sending.expired():  # it can be so only once
            self._sending.reschedule(asyncio.get_running_loop().time())

    async def _stop_watching(self) -> None:
        watcher = self._watcher
        if watcher is None:
            return
        watcher.cancel()
        await asyncio.wait([watcher])
        if not watcher.cancelled():
            watcher.result()
