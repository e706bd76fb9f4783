"""Responses and conversations that Gephyr keeps itself: going on from them, and telling of them."""

from functools import partial
from urllib.parse import parse_qs

from gephyr_core.commands import Load, Save
from gephyr_core.envelope import EnvelopeError
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.events import Loaded, TimePassed
from gephyr_core.exchange.body import Body, Splicing
from gephyr_core.exchange.computing import compute, stay
from gephyr_core.exchange.endings import finish, refuse
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.ownerless import refuse_references
from gephyr_core.exchange.planning import set_out
from gephyr_core.exchange.states import Loading
from gephyr_core.records import StoredObject
from gephyr_core.translation import stored

_LOAD_LIMIT = 10.0
"""Seconds that the store is given."""
_JSON = (b"content-type", b"application/json")


def asks_store(exchange: Exchange, body: Body, now: float) -> bool:
    """Whether the request concerns a kept object, which has to be loaded first, or makes one.

    Raises ``EnvelopeError`` and ``RequestRefused``.
    """
    endpoint = exchange.request.endpoint
    operation = endpoint.operation
    if operation.dialect != "openai-responses":
        return False
    envelope = body.read() if operation.has_body else None
    if envelope is not None and not exchange.request.owns:
        refuse_references(envelope)
    if operation.name == "conversations" and not _has_native_account(exchange):
        _make_conversation(exchange, body.data, now)
        return True
    reference = None
    if stored.is_kept(endpoint.object_id):
        reference = str(endpoint.object_id), "id"
    elif envelope is not None and not operation.pinned:
        reference = stored.kept_reference(envelope)
    if reference is None:
        return False
    object_id, field = reference
    exchange.enter(Loading(body, field, now + _LOAD_LIMIT))
    exchange.shared.emit(Load(exchange.id, 0, exchange.request.owner, object_id))
    return True


def loaded(exchange: Exchange, state: Loading, event: Loaded, now: float) -> None:
    """The answer of the store."""
    record, field, body = event.record, state.field, state.body
    if event.failed:
        refuse(exchange, Problem(ErrorKind.UNAVAILABLE, "the store of responses cannot be read"), now)
        return
    if record is None:
        code = "previous_response_not_found" if field == "previous_response_id" else None
        message = f"{field}: no such object is kept for this key"
        refuse(exchange, Problem(ErrorKind.NOT_FOUND, message, param=field, code=code), now)
        return
    try:
        if field == "id":
            _answer_kept(exchange, record, body.data, now)
            return
        envelope = body.read()
    except EnvelopeError as error:
        refuse(exchange, Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param), now)
        return
    assert envelope is not None
    exchange.kept.go_on_from(record, body.data)
    job = Splicing(envelope, record, field, exchange.request.endpoint.operation)
    compute(exchange, job, partial(set_out, exchange), stay, len(body.data) + len(record.data), now)


def loading_took_too_long(exchange: Exchange, _state: Loading, _event: TimePassed, now: float) -> None:
    """The store does not answer."""
    refuse(exchange, Problem(ErrorKind.UNAVAILABLE, "the store of responses does not answer"), now)


def _answer_kept(exchange: Exchange, record: StoredObject, body: bytes, now: float) -> None:
    endpoint, query = exchange.request.endpoint, parse_qs(exchange.request.head.query)
    if query.get("stream") == ["true"]:
        message = "stream: a response that the gateway keeps is told whole"
        refuse(exchange, Problem(ErrorKind.BAD_REQUEST, message, param="stream"), now)
        return
    answer = stored.answer(
        endpoint.operation.name,
        record,
        path=endpoint.path,
        query=query,
        body=body,
        key=exchange.reply_key,
        now=now,
    )
    if answer is None:
        refuse(exchange, Problem(ErrorKind.NOT_FOUND, "there is no such item in the conversation"), now)
        return
    if answer.change is not None:
        exchange.shared.emit(Save(answer.change))
    exchange.reply.whole(200, [_JSON], answer.body, now)
    finish(exchange, "ok", now)


def _make_conversation(exchange: Exchange, body: bytes, now: float) -> None:
    settings = exchange.shared.config.translation
    if settings.stored_responses == "refuse":
        message = "no account keeps conversations, and this gateway is configured not to"
        refuse(exchange, Problem(ErrorKind.NOT_FOUND, message), now)
        return
    record = stored.new_conversation(
        exchange.request.owner, body, key=exchange.reply_key, now=now, lifetime=settings.stored_responses_ttl
    )
    exchange.shared.emit(Save(record))
    answer = stored.answer("conversations.get", record, path="", query={}, body=b"", key="", now=now)
    assert answer is not None
    exchange.reply.whole(200, [_JSON], answer.body, now)
    finish(exchange, "ok", now)


def _has_native_account(exchange: Exchange) -> bool:
    return any("openai-responses" in account.dialects for account in exchange.shared.scheduler.accounts.values())
