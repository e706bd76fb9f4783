"""One connection to a provider, and one call on it at a time."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Protocol

from gephyr.runtime.faults import failure
from gephyr.runtime.outgoing import Outgoing
from gephyr.runtime.ports import Feed
from gephyr.runtime.upstream.echoes import ERROR, UNWATCHED
from gephyr.runtime.upstream.lacks import is_lack, tell
from gephyr.runtime.upstream.reply import Reply
from gephyr_core.errors import Fault, Sent
from gephyr_core.events import UpstreamBody, UpstreamEnded, UpstreamFailed, UpstreamStarted
from gephyr_core.http import Origin

Key = tuple[Origin, str]
"""Origin and route: what connections are interchangeable by."""

_DRAINING_SECONDS = 1.0
"""How long the end of a response is waited for whose call is detached."""
_MOST_DRAINED = 65536
"""Bytes of it that are read."""
_LF = 10
_JOINED = 65536
"""Bodies up to this size go out in one piece with their head; copying a larger one costs more than a second write."""


class Home(Protocol):
    """Where a connection goes when no call uses it."""

    read_buffer: memoryview
    """What all connections read into, each taking its bytes out before the next one reads."""

    def give(self, connection: "Connection") -> None:
        """Take a connection that is ready for another request."""

    def expect(self, connection: "Connection") -> None:
        """Know of a connection that will be ready soon, or closed."""

    def forget(self, connection: "Connection") -> None:
        """Drop a connection that is closed."""


class Call:
    """One call under way; implements ``UpstreamCall``. Once it is over, nothing is fed any more."""

    __slots__ = ("_cancel_opening", "attempt", "connection", "echoes", "exchange", "feed", "method", "over", "paused")

    def __init__(self, exchange: int, attempt: int, method: str, feed: Feed) -> None:
        self.echoes = UNWATCHED
        self.exchange = exchange
        self.attempt = attempt
        self.method = method
        self.feed = feed
        self.over = False
        self.paused = False
        self.connection: Connection | None = None
        """The connection that serves this call now."""
        self._cancel_opening: Callable[[], object] | None = None

    def opening(self, cancel: Callable[[], object]) -> None:
        """Remember how to give up the connection being made for this call."""
        self._cancel_opening = cancel

    def opened(self) -> None:
        """The connection is made, or cannot be."""
        self._cancel_opening = None

    def cancel(self) -> None:
        """Close the connection at once. Harmless when the call is over, whoever uses the connection then."""
        self.over = True
        if self._cancel_opening is not None:
            self._cancel_opening()
            self._cancel_opening = None
        self.cancel_connection()

    def cancel_connection(self) -> None:
        """Close the connection at once, if there is one."""
        if self.connection is not None:
            self.connection.abort()
            self.connection = None

    def detach(self) -> None:
        """Leave the rest of the response to the connection. Harmless when the call is over."""
        connection = self.connection
        if connection is None:
            self.cancel()
        else:
            self.over, self.connection = True, None
            connection.detach(self)

    def pause(self) -> None:
        """Stop reading the provider."""
        self.paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Read the provider again."""
        self.paused = False
        if self.connection is not None:
            self.connection.resume()

    def fail(self, fault: Fault, detail: str, *, reused: bool = False, sent: Sent = Sent.NONE) -> None:
        """End the call by a fault, unless it is over."""
        if not self.over:
            self.over, self.connection = True, None
            self.feed(UpstreamFailed(self.exchange, self.attempt, fault, detail, reused, sent))


class Connection(asyncio.BufferedProtocol):
    """Writes requests and reads their responses; goes home between calls, as long as it can be used again.

    The loop reads into the home's buffer, so that no read is larger than it: a plain protocol is handed up to 256 KiB,
    all of which would be kept for each client that does not read.
    """

    __slots__ = (
        "_buffer",
        "_call",
        "_drained",
        "_draining",
        "_home",
        "_kept",
        "_max_head_size",
        "_outgoing",
        "_reply",
        "_tcp",
        "_transport",
        "_unsent",
        "idle_since",
        "key",
    )
    _reply: Reply

    def __init__(
        self, key: Key, home: Home, max_head_size: int, transport: asyncio.Transport, tcp: asyncio.Transport
    ) -> None:
        """Take over *transport*; *tcp* is the one at its bottom, the same without TLS."""
        self.key = key
        self.idle_since = 0.0
        """When it went home last, on the loop's clock."""
        self._home = home
        self._buffer = home.read_buffer
        self._max_head_size = max_head_size
        self._call: Call | None = None
        self._draining: asyncio.TimerHandle | None = None
        """Set while the rest of a response is read that nobody waits for: the end of the time for it."""
        self._drained = 0
        """Bytes of it."""
        self._kept = False
        self._unsent = False
        self._transport, self._tcp = transport, tcp
        self._outgoing = Outgoing(transport)
        transport.set_protocol(self)
        # The loop says by pause_writing and resume_writing whether bytes wait to be sent; at 0 it says so exactly.
        tcp.set_write_buffer_limits(high=0)

    @property
    def is_open(self) -> bool:
        """Whether neither side has begun to close it."""
        return not self._transport.is_closing()

    def send(self, call: Call, head: bytes, body: bytes) -> None:
        """Write a request at once; its response feeds *call*."""
        self._call, call.connection = call, self
        self._reply = Reply(call.method, self._max_head_size)
        transport = self._transport
        if len(body) <= _JOINED:
            transport.write(head + body)
        else:
            transport.write(head)
            self._outgoing.write(body)
        if transport is not self._tcp:
            self._unsent = bool(self._outgoing) or self._tcp.get_write_buffer_size() > 0
        if call.paused:
            self.pause()

    def pause(self) -> None:
        """Stop reading."""
        if self.is_open:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self.is_open:
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once, in silence: the call, if there is one, hears nothing more."""
        self._call = None
        self._stop_draining()
        self._outgoing.clear()
        self._transport.abort()

    def detach(self, call: Call) -> None:
        """Read what is left of the response to *call*, whose news is not wanted any more, and go home after that."""
        self._call = None
        reply = self._reply
        if call.paused:
            self.resume()
        if reply.complete:
            self._leave()
        elif reply.error or reply.until_closed or not (reply.keep and self._all_sent() and self.is_open):
            self.abort()
        else:
            self._drained = 0
            self._draining = asyncio.get_running_loop().call_later(_DRAINING_SECONDS, self.abort)
            self._home.expect(self)

    def cut(self) -> None:
        """Close at once; the call, if there is one, fails."""
        self._transport.abort()

    # -- what the loop calls --------------------------------------------------------------------------------------

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        """Where to read into."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Feed what was read. Feeding may cancel the call, so it is looked at again after each event."""
        call = self._call
        if call is None:
            if self._draining is not None:
                self._drain(nbytes)
            else:
                # Nobody asked: the end of an earlier response is unsure, and the next one would be misread.
                self.abort()
            return
        reply = self._reply
        begun = reply.status
        try:
            body = reply.receive(bytes(self._buffer[:nbytes]))
            if not begun and reply.status:
                headers = call.echoes.head(reply.status, reply.headers)
                call.feed(UpstreamStarted(call.exchange, call.attempt, reply.status, headers))
                if self._call is not call:
                    return
            if body and (body.find(ERROR) >= 0 or body[-1] != _LF or call.echoes.watching):
                body = call.echoes.body(body)
            if body:
                call.feed(UpstreamBody(call.exchange, call.attempt, body))
                if self._call is not call:
                    return
            if reply.complete:
                self._end(call)
            elif reply.error:
                self._fail(call, Fault.PROTOCOL, reply.error)
        except Exception as error:
            self._failed(call, error)

    def eof_received(self) -> None:
        """The provider will send nothing more. Returning None lets the transport close itself."""
        call = self._call
        try:
            if call is None:
                self.abort()
            elif self._reply.until_closed and self._closed_properly():
                self._end(call)
            else:
                self._fail(call, Fault.RESET, self._broken("closed"))
        except Exception as error:
            self._failed(call, error)

    def connection_lost(self, exc: Exception | None) -> None:
        """The transport is gone, by either side."""
        self._stop_draining()
        sent = not self._outgoing
        self._outgoing.clear()
        self._unsent = self._unsent or not sent
        self._home.forget(self)
        if self._call is None:
            return
        if is_lack(exc):
            tell("a connection could not be used", reason=str(exc))
            self._fail(self._call, Fault.LOCAL, self._broken("lost"))
        else:
            self._fail(self._call, Fault.RESET, self._broken("reset" if exc is not None else "closed"))

    def pause_writing(self) -> None:
        """Bytes wait in the transport."""
        self._unsent = self._outgoing.full = True

    def resume_writing(self) -> None:
        """The transport has handed its bytes to the system. Under TLS the layer below may still hold some."""
        if self._transport is self._tcp:
            self._unsent = False
        self._outgoing.room()

    # -- the end of a call ----------------------------------------------------------------------------------------

    def _end(self, call: Call) -> None:
        if not self._all_said(call):
            return
        self._call, call.connection, call.over = None, None, True
        # First home, then the news: the next call, made in answer to it, finds this connection.
        if call.paused:
            self.resume()
        self._leave()
        call.feed(UpstreamEnded(call.exchange, call.attempt))

    def _leave(self) -> None:
        """The response has ended: go home, or close where no other request may follow."""
        if self._reply.reusable and self._all_sent() and self.is_open:
            self._kept = True
            self._home.give(self)
        else:
            self.abort()

    def _drain(self, nbytes: int) -> None:
        """Drop what was read of a response that nobody waits for, and look for its end."""
        reply = self._reply
        reply.receive(bytes(self._buffer[:nbytes]))
        self._drained += nbytes
        if reply.complete:
            self._stop_draining()
            self._leave()
        elif reply.error or self._drained > _MOST_DRAINED:
            self.abort()

    def _stop_draining(self) -> None:
        if self._draining is not None:
            self._draining.cancel()
            self._draining = None

    def _all_said(self, call: Call) -> bool:
        """Feed what was held back of an error; whether the call goes on."""
        rest = call.echoes.rest()
        if rest:
            call.feed(UpstreamBody(call.exchange, call.attempt, rest))
        return self._call is call

    def _fail(self, call: Call, fault: Fault, detail: str) -> None:
        if not self._all_said(call):
            return
        sent = Sent.ALL if self._all_sent() else Sent.PARTIAL
        self.abort()
        call.fail(fault, detail, reused=self._kept and not self._reply.begun, sent=sent)

    def _failed(self, call: Call | None, error: Exception) -> None:
        """Our own code failed in reading a reply: that is told, and the call is of no use any more."""
        self._call = None
        self.abort()
        if call is not None:
            call.feed(failure(error, "a provider's reply"))
            call.fail(Fault.GATEWAY, f"a fault of the gateway ({type(error).__name__})", sent=Sent.ALL)

    def _all_sent(self) -> bool:
        """Whether the whole request has left. When TLS is cut off, what is not known to have left counts as waiting."""
        if self._outgoing:
            return False
        if self._unsent and self._transport is not self._tcp and not self._tcp.is_closing():
            waiting = self._tcp.get_write_buffer_size() + self._transport.get_write_buffer_size()
            self._unsent = waiting > 0
        return not self._unsent

    def _closed_properly(self) -> bool:
        """Whether the end of the stream is the provider's: under TLS it says so (RFC 9112 section 9.8).

        asyncio's TLS makes no difference between that and a cut below it, but reading once more shows it.
        """
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLError:
            return False

    def _broken(self, how: str) -> str:
        if self._reply.status:
            return f"connection {how} before the end of the response"
        return f"connection {how} before a response"
