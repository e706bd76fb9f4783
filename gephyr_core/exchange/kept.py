"""What of a request is kept with its reply, for a client of the Responses API that comes back to it."""

from collections.abc import Iterator

import attrs

from gephyr_core.config import TranslationConfig
from gephyr_core.envelope import Envelope, read_envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.exchange.request import Request
from gephyr_core.records import StoredObject
from gephyr_core.translation import stored

_EMPTY = b"[]"


@attrs.define
class Kept:
    """The stored object that a request goes on from, and what is to be kept of the request."""

    body: bytes = b""
    """The client's request, where the history of a kept object was put into it."""
    conversation: StoredObject | None = None
    """The conversation that it adds to."""
    input: bytes = b""
    """The input that is kept with the reply, with its history."""
    new_input: bytes = b""
    """The input as the client sent it."""
    keeps_reply: bool = False
    """The reply is kept for the client to refer to."""

    @property
    def size(self) -> int:
        """Bytes that are held until the reply is complete."""
        return len(self.input) + len(self.body)

    def go_on_from(self, record: StoredObject, body: bytes) -> None:
        """The request refers to a kept object."""
        if record.kind == "conversation":
            self.conversation = record
        self.body = body

    def decide(self, request: Request, settings: TranslationConfig) -> Problem | None:
        """Decide whether the reply is kept; return what the client is told if it must be and may not."""
        envelope = request.envelope
        if envelope is None or request.endpoint.operation.name != "responses" or not request.owns:
            return None
        store = envelope.value("store")
        if settings.stored_responses == "refuse":
            if store is True:
                message = "store: the provider keeps no responses, and this gateway is configured not to"
                return Problem(ErrorKind.BAD_REQUEST, message, param="store")
            return None
        self.keeps_reply = store is not False or self.conversation is not None
        if self.keeps_reply:
            self.input = self.new_input = _input(envelope)
            if self.body:
                self.new_input = _input(read_envelope(self.body))
        return None

    def records(self, response: bytes, owner: str, key: str, now: float, lifetime: float) -> Iterator[StoredObject]:
        """Yield what is saved of *response*, as its client gets it; *key* is what the gateway's own ids are made of."""
        record = stored.response_record(owner, response, _decoded(self.input), now=now, lifetime=lifetime)
        if record is not None:
            yield record
        if self.conversation is not None:
            items = [*stored.items_of(_decoded(self.new_input)), *stored.output_of(response)]
            yield stored.with_items(self.conversation, items, key=key, now=now, lifetime=lifetime)
        self.input = self.new_input = b""


def _input(envelope: Envelope) -> bytes:
    return bytes(envelope.fields.get("input", _EMPTY))


def _decoded(raw: bytes) -> object:
    return read_envelope(b'{"input":' + raw + b"}").value("input")
