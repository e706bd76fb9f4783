"""The way back to one client: what was sent, and that the response ends exactly once.

What ends a response is said by ``close``, after the exchange's record: whoever has the last byte finds the record.
"""

from gephyr_core.commands import AbortResponse, Command, EndResponse, SendBody, StartResponse
from gephyr_core.errors import BrokenLawError
from gephyr_core.http import Header, header_value
from gephyr_core.shared import Shared


class Reply:
    """Emits the response's commands and keeps count of them.

    ``whole``, ``end`` and ``abort`` prepare the last of them and count them at once; ``close`` emits them.
    """

    __slots__ = (
        "_exchange",
        "_extra",
        "_head_only",
        "_last",
        "_shared",
        "bytes_out",
        "decision",
        "dropped",
        "explains",
        "first_byte_at",
        "keepalives",
        "over",
        "request_id",
        "sent_at",
        "status",
    )

    def __init__(
        self,
        shared: Shared,
        exchange: int,
        request_id: str,
        extra: tuple[Header, ...],
        *,
        head_only: bool,
        explains: bool,
        now: float,
    ) -> None:
        """*extra*: headers for every response of this exchange. *head_only*: the request was a ``HEAD``. *explains*:
        the client asks by which decision it was served."""
        self._shared = shared
        self._exchange = exchange
        self._extra = extra
        self._head_only = head_only
        self.request_id = request_id
        self.status = 0
        """0 until the head was sent."""
        self.bytes_out = 0
        self.first_byte_at: float | None = None
        self.sent_at = now
        """When the client last heard of us; keep-alives count from here."""
        self.keepalives = 0
        self.explains = explains
        self.decision = ""
        """Id of the latest decision on an account."""
        self.dropped = b""
        """For ``x-gephyr-dropped``: what the translation that serves the client could not carry."""
        self.over = False
        self._last: list[Command] = []
        """The commands that end the response, not said yet."""

    def start(self, status: int, headers: list[Header], account: str | None = None) -> None:
        """Send the head. The provider's ``x-request-id`` stays; ours is always in ``x-gephyr-request-id``."""
        self._shared.emit(self._head(status, headers, account))

    def _head(self, status: int, headers: list[Header], account: str | None) -> StartResponse:
        if self.status:
            raise BrokenLawError(f"exchange {self._exchange}: the response was started twice")
        ours = self.request_id.encode()
        if not any(name == b"x-request-id" for name, _ in headers):
            headers.append((b"x-request-id", ours))
        headers.append((b"x-gephyr-request-id", ours))
        if account is not None and self._shared.config.server.expose_account:
            headers.append((b"x-gephyr-account", header_value(account)))
        if self.explains and self.decision:
            headers.append((b"x-gephyr-decision-id", self.decision.encode()))
        if self.dropped:
            headers.append((b"x-gephyr-dropped", self.dropped))
        headers.extend(self._extra)
        self.status = status
        return StartResponse(self._exchange, status, headers)

    def send(self, data: bytes, now: float, *, last: bool = False) -> None:
        """Send bytes of the body. The *last* ones wait for ``close``."""
        if self.first_byte_at is None:
            self.first_byte_at = now
        self.sent_at = now
        self.bytes_out += len(data)
        command = SendBody(self._exchange, data)
        if last:
            self._last.append(command)
        else:
            self._shared.emit(command)

    def keep_alive(self, data: bytes, now: float) -> None:
        """Send a keep-alive; it is no byte of the provider's answer."""
        self.keepalives += 1
        self.sent_at = now
        self._shared.emit(SendBody(self._exchange, data))

    def end(self, data: bytes, now: float) -> None:
        """Finish the response with *data*, which may be empty."""
        if data:
            self.send(data, now, last=True)
        self._finish(EndResponse(self._exchange))

    def abort(self, reason: str) -> None:
        """Cut the response off."""
        self._finish(AbortResponse(self._exchange, reason))

    def take_back(self) -> None:
        """Forget what was prepared of an end that did not come about."""
        if self.over:
            return
        for command in self._last:
            if isinstance(command, StartResponse):
                self.status = 0
            elif isinstance(command, SendBody):
                self.bytes_out -= len(command.data)
        self._last.clear()

    def cut(self, reason: str) -> None:
        """Cut the response off, whatever was prepared."""
        self.over = True
        self._last = [AbortResponse(self._exchange, reason)]

    def whole(self, status: int, headers: list[Header], body: bytes, now: float, account: str | None = None) -> None:
        """Answer with a whole response."""
        if status not in {204, 304}:
            headers.append((b"content-length", b"%d" % len(body)))
        self._last.append(self._head(status, headers, account))
        self.end(b"" if self._head_only else body, now)

    def close(self) -> None:
        """Say what ends the response; nothing where the client left."""
        for command in self._last:
            self._shared.emit(command)
        self._last.clear()

    def _finish(self, last: Command) -> None:
        if self.over:
            raise BrokenLawError(f"exchange {self._exchange}: the response was ended twice")
        self._last.append(last)
        self.over = True
