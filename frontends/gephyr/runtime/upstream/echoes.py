"""What a provider repeats of the credential it was sent is taken out before anybody hears of it (decision 38).

Looked for is only in errors: in every reply that is no success, and of others from the word ``error`` on, to the end of
that event. Any other piece of a stream costs one search for that word.
"""

import contextlib
from collections.abc import Iterable

from gephyr.runtime.redaction import RedactedStream, Redaction
from gephyr_core.content_coding import CodingError, Decoder, ExpansionError, UnknownCodingError, reply_decoder
from gephyr_core.http import Headers

ERROR = b"error"
_OVERLAP = len(ERROR) - 1
_MOST_DECODED = 16 * 1024 * 1024
"""Bytes of an error's body after its content coding is undone; the rest is dropped."""
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\n\r\n")
_OF_THE_BYTES = (b"content-length", b"content-encoding")


def secrets_in(credentials: Headers) -> Iterable[str]:
    """The secrets in headers that authorize a call: their values, without the scheme."""
    for _, value in credentials:
        scheme, blank, rest = value.partition(b" ")
        yield (rest if blank else scheme).decode("latin-1")


class Echoes:
    """Watches the reply to one call."""

    __slots__ = ("_credentials", "_decoder", "_error", "_filter", "_redaction", "_tail", "watching")

    def __init__(self, credentials: Headers) -> None:
        """*credentials*: the headers that the call is authorized by."""
        self._credentials = credentials
        self._redaction: Redaction | None = None
        self._filter: RedactedStream | None = None
        self._decoder: Decoder | None = None
        self._tail = b""
        """The end of what was read, where the word may begin."""
        self._error = False
        """The whole reply is an error."""
        self.watching = False
        """The next bytes are to go through :meth:`body` whatever they are."""

    def head(self, status: int, headers: Headers) -> Headers:
        """Take a reply's head; return the headers, those of an error without the credential."""
        if status < 300 or not self._credentials:
            return headers
        self._error = self.watching = True
        redaction = self._begin()
        codings = [value for name, value in headers if name == b"content-encoding"]
        with contextlib.suppress(UnknownCodingError):  # its bytes are looked at as they are
            self._decoder = reply_decoder(codings, limit=_MOST_DECODED)
        dropped = _OF_THE_BYTES if self._decoder else _OF_THE_BYTES[:1]
        return [(name, redaction.bytes(value)) for name, value in headers if name not in dropped]

    def body(self, data: bytes) -> bytes:
        """Take bytes of the body that have the word in them, do not end with a line, or come while it watches."""
        if self._error:
            assert self._filter is not None
            return self._filter.feed(self._decoded(data))
        if not self._credentials:
            return data
        if self._filter is None:
            if ERROR not in data and ERROR not in self._tail + data[:_OVERLAP]:
                self._tail = b"" if data.endswith(b"\n") else (self._tail + data[-_OVERLAP:])[-_OVERLAP:]
                self.watching = bool(self._tail)
                return data
            self._begin()
        assert self._filter is not None
        said = self._filter.feed(data)
        ended = data.endswith(_EVENT_ENDS)
        if ended:
            said += self._filter.finish()
            self._filter, self._tail = None, b""
        self.watching = not ended
        return said

    def rest(self) -> bytes:
        """Return what was held back, at the end of the reply."""
        if self._filter is None:
            return b""
        last = b""
        if self._decoder is not None:
            try:
                last = self._decoder.finish()
            except (CodingError, ExpansionError):
                last = b""
        return self._filter.feed(last) + self._filter.finish()

    def _begin(self) -> Redaction:
        if self._redaction is None:
            self._redaction = Redaction(secrets_in(self._credentials))
        self._filter = RedactedStream(self._redaction)
        return self._redaction

    def _decoded(self, data: bytes) -> bytes:
        if self._decoder is None:
            return data
        try:
            return self._decoder.feed(data)
        except (CodingError, ExpansionError):
            self._decoder = _Nothing()
            return b""


UNWATCHED = Echoes(())
"""For a call without a credential."""


class _Nothing:
    """Decodes the rest of a body that cannot be decoded."""

    def feed(self, data: bytes) -> bytes:  # noqa: ARG002
        """Drop *data*."""
        return b""

    def finish(self) -> bytes:
        """Nothing is left."""
        return b""
