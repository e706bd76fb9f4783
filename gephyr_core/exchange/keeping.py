"""Responses and conversations that Gephyr keeps itself: going on from them, and telling of them."""

from collections.abc import Callable
from urllib.parse import parse_qs

from gephyr_core.commands import Load, Save
from gephyr_core.envelope import EnvelopeError
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.events import Loaded, TimePassed
from gephyr_core.exchange.body import Body, Splicing
from gephyr_core.exchange.computing import HavingComputed, stay
from gephyr_core.exchange.ownerless import refuse_references
from gephyr_core.exchange.states import Loading
from gephyr_core.records import StoredObject
from gephyr_core.translation import stored

_LOAD_LIMIT = 10.0
"""Seconds that the store is given."""
_JSON = (b"content-type", b"application/json")


class Keeping(HavingComputed):
    """Knows the objects that no provider keeps."""

    def asks_store(self, body: Body, now: float) -> bool:
        """Whether the request concerns a kept object, which has to be loaded first, or makes one.

        Raises ``EnvelopeError`` and ``RequestRefused``.
        """
        endpoint = self.request.endpoint
        operation = endpoint.operation
        if operation.dialect != "openai-responses":
            return False
        envelope = body.read() if operation.has_body else None
        if envelope is not None and not self.request.owns:
            refuse_references(envelope)
        if operation.name == "conversations" and not self._has_native_account():
            self._make_conversation(body.data, now)
            return True
        reference = None
        if stored.is_kept(endpoint.object_id):
            reference = str(endpoint.object_id), "id"
        elif envelope is not None and not operation.pinned:
            reference = stored.kept_reference(envelope)
        if reference is None:
            return False
        object_id, field = reference
        self.enter(Loading(body, field, now + _LOAD_LIMIT))
        self.shared.emit(Load(self.id, 0, self.request.owner, object_id))
        return True

    def loaded(self, state: Loading, event: Loaded, now: float) -> None:
        """The answer of the store."""
        record, field, body = event.record, state.field, state.body
        if event.failed:
            self.refuse(Problem(ErrorKind.UNAVAILABLE, "the store of responses cannot be read"), now)
            return
        if record is None:
            code = "previous_response_not_found" if field == "previous_response_id" else None
            message = f"{field}: no such object is kept for this key"
            self.refuse(Problem(ErrorKind.NOT_FOUND, message, param=field, code=code), now)
            return
        try:
            if field == "id":
                self._answer_kept(record, body.data, now)
                return
            envelope = body.read()
        except EnvelopeError as error:
            self.refuse(Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param), now)
            return
        assert envelope is not None
        self.kept.go_on_from(record, body.data)
        job = Splicing(envelope, record, field, self.request.endpoint.operation)
        self.compute(job, self.go, stay, len(body.data) + len(record.data), now)

    def loading_took_too_long(self, _state: Loading, _event: TimePassed, now: float) -> None:
        """The store does not answer."""
        self.refuse(Problem(ErrorKind.UNAVAILABLE, "the store of responses does not answer"), now)

    def go(self, read: Callable[[], Body], now: float) -> None:
        """Make a plan for the body that *read* returns, and take an account."""
        raise NotImplementedError

    def _answer_kept(self, record: StoredObject, body: bytes, now: float) -> None:
        endpoint, query = self.request.endpoint, parse_qs(self.request.head.query)
        if query.get("stream") == ["true"]:
            message = "stream: a response that the gateway keeps is told whole"
            self.refuse(Problem(ErrorKind.BAD_REQUEST, message, param="stream"), now)
            return
        answer = stored.answer(
            endpoint.operation.name,
            record,
            path=endpoint.path,
            query=query,
            body=body,
            key=self.reply_key,
            now=now,
        )
        if answer is None:
            self.refuse(Problem(ErrorKind.NOT_FOUND, "there is no such item in the conversation"), now)
            return
        if answer.change is not None:
            self.shared.emit(Save(answer.change))
        self.reply.whole(200, [_JSON], answer.body, now)
        self.finish("ok", now)

    def _make_conversation(self, body: bytes, now: float) -> None:
        settings = self.shared.config.translation
        if settings.stored_responses == "refuse":
            message = "no account keeps conversations, and this gateway is configured not to"
            self.refuse(Problem(ErrorKind.NOT_FOUND, message), now)
            return
        record = stored.new_conversation(
            self.request.owner, body, key=self.reply_key, now=now, lifetime=settings.stored_responses_ttl
        )
        self.shared.emit(Save(record))
        answer = stored.answer("conversations.get", record, path="", query={}, body=b"", key="", now=now)
        assert answer is not None
        self.reply.whole(200, [_JSON], answer.body, now)
        self.finish("ok", now)

    def _has_native_account(self) -> bool:
        return any("openai-responses" in account.dialects for account in self.shared.scheduler.accounts.values())
