"""One client connection: bytes in, core events out; the core's commands in, bytes out.

``_pump`` does whatever the waiting bytes allow. Everything that can change that calls it: new bytes, ``read_body``, the
end of a response, a transport with room again.
"""

import asyncio
import enum
import math
import socket
import struct

from gephyr.runtime.credentials import strip_credentials
from gephyr.runtime.outgoing import Outgoing
from gephyr.server.guarding import guarded
from gephyr.server.head import HeadError, RequestHead
from gephyr.server.request import RequestReader
from gephyr.server.response import ResponseWriter
from gephyr.server.shared import (
    LINGER_SECONDS,
    MAX_BURST,
    MAX_DISCARDED,
    MAX_DRAINED,
    MAX_WAITING,
    Shared,
    TurnedAway,
)
from gephyr_core.errors import ErrorKind
from gephyr_core.events import RequestBody, RequestEnded, RequestStarted
from gephyr_core.faults import MESSAGE
from gephyr_core.http import Headers


class _Phase(enum.Enum):
    """What the bytes that come next are for."""

    HEAD = enum.auto()
    EXCHANGE = enum.auto()
    SKIPPING = enum.auto()
    """The response ended, and the rest of an unwanted body comes before the next head."""
    LINGERING = enum.auto()
    CLOSED = enum.auto()


class Connection(asyncio.Protocol):
    """A connection and, for the driver, the client of its present exchange."""

    __slots__ = (
        "_blocked",
        "_burst",
        "_discarded",
        "_exchange",
        "_full",
        "_head_begun",
        "_headers",
        "_line",
        "_out",
        "_paused",
        "_peer",
        "_phase",
        "_pumping",
        "_reader",
        "_reading_body",
        "_response",
        "_scheme",
        "_shared",
        "_transport",
        "_turned_away",
        "deadline",
    )
    _transport: asyncio.Transport
    _response: ResponseWriter

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._reader = RequestReader()
        self._phase = _Phase.HEAD
        self.deadline = math.inf
        """When :meth:`expire` is wanted, on the loop's clock; the listener looks now and then."""
        self._exchange = 0
        self._line = ("", "")
        self._headers: Headers = ()
        self._peer = ""
        self._scheme = "http"
        self._turned_away: TurnedAway | None = None
        self._head_begun = self._reading_body = False
        self._burst = self._discarded = 0
        self._pumping = self._paused = False
        # Whether the transport is full, and whether that was told; that it is not is told a turn later.
        self._full = self._blocked = False

    # -- the transport's calls ------------------------------------------------------------------------------

    @guarded
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or turn it away when there are too many."""
        self._transport = transport  # type: ignore[assignment]  # what a stream server makes is both-way
        self._out = Outgoing(self._transport)
        if isinstance(peer := transport.get_extra_info("peername"), tuple):
            self._peer = peer[0]
        if transport.get_extra_info("sslcontext") is not None:
            self._scheme = "https"
        limits = self._shared.limits
        self._turned_away = self._shared.joined(self, self._peer)
        if self._turned_away is None:
            self._set_deadline(min(limits.header_timeout, limits.idle_timeout))
        elif self._turned_away.silent:
            self.abort()
        else:
            # Told when the request has come: what answers earlier is lost on many clients, and a browser's page may
            # read the answer only if it names the origin that the request tells.
            self._head_begun = True
            self._set_deadline(LINGER_SECONDS)

    @guarded
    def data_received(self, data: bytes) -> None:
        """Take what was read from the socket."""
        if self._phase is _Phase.LINGERING or self._phase is _Phase.CLOSED:
            self._discarded += len(data)
            if self._discarded > MAX_DISCARDED:
                self._close()
            return
        self._reader.append(data)
        self._burst = 0
        self._pump()

    @guarded
    def eof_received(self) -> bool:
        """The client closed or half-closed: either way it has left, but takes maybe what was said before."""
        if self._exchange and self._response.sent and self._response.ends_by_close:
            self._cut()
        else:
            self._close()
        self._leave_exchange()
        return bool(self._out)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection is gone."""
        self._phase = _Phase.CLOSED
        self._leave_exchange()
        self._shared.left(self)

    @guarded
    def pause_writing(self) -> None:
        """The client reads too slowly."""
        self._full = self._out.full = True
        if self._blocked:
            return
        self._blocked = True
        if self._exchange:
            self._shared.driver.client_blocked(self._exchange)

    def resume_writing(self) -> None:
        """The client has caught up. Acting on it may close the transport, which asyncio bears only later."""
        self._full = False
        self._out.room()
        self._shared.loop.call_soon(self._has_room)

    @guarded
    def _has_room(self) -> None:
        if self._full or not self._blocked:
            return
        self._blocked = False
        if self._exchange:
            self._shared.driver.client_ready(self._exchange)
        else:
            self._pump()

    # -- the driver's calls ---------------------------------------------------------------------------------

    def read_body(self) -> None:
        """Send 100-continue if the client awaits it, and deliver the body as events."""
        if (reader := self._reader).complete:
            self._shared.driver.feed(RequestEnded(self._exchange))
            return
        # A client that has begun to send does not wait (RFC 9110, section 10.1.1).
        if reader.awaits_continue and not reader.waiting:
            reader.awaits_continue = False
            self._out.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._reading_body = True
        self._pump()

    def start_response(self, status: int, headers: Headers) -> None:
        """Hold the head until the first byte of the body, or the end."""
        close = self._shared.draining or not self._reader.can_skip_body(MAX_DRAINED)
        self._response.start(status, headers, self._shared.date.now(), close=close)

    def send_body(self, data: bytes) -> None:
        """Write bytes of the body."""
        if head := self._response.take_head(len(data)):
            self._out.write(head)
        if framed := self._response.body(data):
            self._out.write(framed)

    def end_response(self) -> None:
        """Write the end; then serve the next request, or close."""
        if last := self._response.end():
            self._out.write(last)
        self._exchange = 0
        if self._shared.draining or not self._response.keeps_connection:
            self._finish()
        elif self._reader.complete:
            self._next_request()
        else:
            self._phase, self._reading_body = _Phase.SKIPPING, True
            self._set_deadline(LINGER_SECONDS)
        self._pump()

    def abort_response(self, reason: str) -> None:  # noqa: ARG002
        """Cut the connection, or tell an error where nothing was sent."""
        self._exchange = 0
        if self._response.sent:
            self._cut()
        else:
            self._refuse(ErrorKind.SERVER, MESSAGE, self._line, self._headers)

    # -- the listener's calls -------------------------------------------------------------------------------

    @guarded
    def expire(self) -> None:
        """The deadline has passed."""
        if self._phase is _Phase.CLOSED or self._out or self._transport.get_write_buffer_size():
            self.abort()  # the client does not even take its reply
        elif self._turned_away and self._phase is _Phase.HEAD:
            self._refuse_head(self._turned_away.kind, self._turned_away.message)
        elif self._head_begun:
            self._refuse_head(ErrorKind.CLIENT_TIMEOUT, "the request head took too long")
        else:
            self._close()

    @guarded
    def close_if_idle(self) -> None:
        """Close unless a request runs or has begun to arrive."""
        if self._phase is _Phase.HEAD and not self._reader.waiting:
            self._close()

    def abort(self) -> None:
        """Close at once, losing what was not sent."""
        self._phase, self.deadline = _Phase.CLOSED, math.inf
        self._out.clear()
        self._transport.abort()

    # -- requests -------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Do all that the waiting bytes allow. A call while it runs does nothing: the loop goes on anyway."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._take_head() if self._phase is _Phase.HEAD else self._take_body():
                pass
        finally:
            self._pumping = False
        self._regulate_reading()

    def _take_head(self) -> bool:
        """Start the exchange of the next request if its head is complete."""
        if self._blocked or self._out:  # the replies to come would only pile up
            self._out.when_empty(self._pump)
            return False
        reader, limits = self._reader, self._shared.limits
        try:
            if not reader.has_head(limits.max_header_size):
                if reader.waiting and not self._head_begun:
                    self._head_begun = True
                    self._set_deadline(limits.header_timeout)
                return False
            if self._turned_away:
                self._refuse_head(self._turned_away.kind, self._turned_away.message)
                return False
            if self._burst >= MAX_BURST:
                self._shared.loop.call_soon(self._go_on)
                return False
            head = reader.next_head(limits.max_header_size)
        except HeadError as error:
            self._refuse_head(error.kind, str(error))
            return False
        self._begin_exchange(head)
        return True

    def _begin_exchange(self, head: RequestHead) -> None:
        self._phase, self._head_begun, self._reading_body = _Phase.EXCHANGE, False, False
        self.deadline = math.inf  # from here the core's time limits hold
        self._burst += 1
        self._line, self._headers = (head.method, head.target), head.headers
        self._response = ResponseWriter(head.method, http_1_0=head.http_1_0, keep=head.keep)
        bare = strip_credentials(head.headers, head.target)
        exchange = self._exchange = self._shared.driver.open(self)
        told = head.method, bare.target, bare.headers, bare.digests, self._peer, self._scheme
        self._shared.driver.feed(RequestStarted(exchange, *told, key_names=bare.names))

    def _take_body(self) -> bool:
        """Hand the waiting bytes of the body to the core, together, or to nobody when they are unwanted."""
        reader, exchange, feed = self._reader, self._exchange, self._shared.driver.feed
        if not self._reading_body or (not exchange and self._phase is not _Phase.SKIPPING):
            return False
        try:
            data = reader.read_body()
        except HeadError as error:
            self._refuse(error.kind, str(error), self._line, self._headers)
            return False
        if data is None:
            return False
        if not exchange:
            if reader.complete:
                self._next_request()
            return True
        if data:
            feed(RequestBody(exchange, data))
        if reader.complete and self._exchange == exchange:
            feed(RequestEnded(exchange))
        return True

    def _next_request(self) -> None:
        self._phase = _Phase.HEAD
        self._set_deadline(self._shared.limits.idle_timeout)

    @guarded
    def _go_on(self) -> None:
        """Serve the next pipelined requests, after other connections had their turn."""
        self._burst = 0
        self._pump()

    def _regulate_reading(self) -> None:
        """Read the socket unless too many bytes wait, more than the largest head in the making."""
        full = self._reader.waiting > max(MAX_WAITING, self._shared.limits.max_header_size)
        if full is self._paused or self._transport.is_closing():
            return
        self._paused = full
        (self._transport.pause_reading if full else self._transport.resume_reading)()

    # -- endings --------------------------------------------------------------------------------------------

    def _refuse_head(self, kind: ErrorKind, message: str) -> None:
        """Refuse the request whose head waits, whole or in part."""
        self._refuse(kind, message, self._reader.line, self._reader.telling)

    def _refuse(self, kind: ErrorKind, message: str, line: tuple[str, str], headers: Headers) -> None:
        """Answer an error that no exchange will answer, and close."""
        begun = self._exchange and self._response.started
        self._leave_exchange()
        if begun:
            self._cut()
            return
        self._out.write(self._shared.refusal(kind, message, line, headers))
        self._linger()

    def _finish(self) -> None:
        """Close after the reply."""
        if self._reader.complete and not self._reader.waiting:
            self._close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Half-close, and discard what still comes: closing now could reset the reply on its way."""
        self._phase = _Phase.LINGERING
        self._reading_body = self._head_begun = False
        self._reader.clear()
        self._set_deadline(LINGER_SECONDS)
        if self._transport.can_write_eof():
            self._out.when_empty(self._transport.write_eof)
        self._regulate_reading()

    def _close(self) -> None:
        """Close once everything is sent."""
        self._phase = _Phase.CLOSED
        self._set_deadline(self._shared.limits.idle_timeout)
        self._out.when_empty(self._transport.close)

    def _cut(self) -> None:
        """Close in a way that the client cannot take for the end of the response."""
        if self._response.ends_by_close:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.abort()

    def _leave_exchange(self) -> None:
        exchange, self._exchange = self._exchange, 0
        if exchange:
            self._shared.driver.client_gone(exchange)

    def failed(self, error: Exception, during: str) -> None:
        """A fault of ours in reading the connection: its request is answered, and the connection goes no further."""
        exchange, phase = self._exchange, self._phase
        self._shared.driver.failed(error, during, exchange)
        try:
            if phase is _Phase.HEAD:
                self._refuse_head(ErrorKind.SERVER, MESSAGE)
            elif self._exchange or (not exchange and phase is _Phase.EXCHANGE):  # the core has not answered
                self._refuse(ErrorKind.SERVER, MESSAGE, self._line, self._headers)
            elif self._phase in (_Phase.HEAD, _Phase.SKIPPING):
                self._linger()
        except Exception as further:
            self._shared.driver.failed(further, during)
            self.abort()

    def _set_deadline(self, seconds: float) -> None:
        self.deadline = self._shared.loop.time() + seconds
