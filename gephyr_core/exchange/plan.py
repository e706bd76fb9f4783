"""From a complete request to a plan: what is asked, of which targets and accounts, and what must travel unchanged."""

from urllib.parse import quote

import attrs

from gephyr_core.commands import CallUpstream, TimeLimits
from gephyr_core.config import UpstreamConfig
from gephyr_core.content_coding import DECODABLE, CodingError, ExpansionError, decode_whole
from gephyr_core.envelope import Envelope, EnvelopeError, json_type, read_envelope
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.exchange.admission import Head
from gephyr_core.forwarding import to_provider
from gephyr_core.guards.body_limit import too_large
from gephyr_core.http import Header, header
from gephyr_core.pins import FREE, Constraint, RequestRefused, constraint_of, rename
from gephyr_core.routing import Endpoint, Target
from gephyr_core.routing.endpoints import ModelIn
from gephyr_core.routing.sessions import session_identity
from gephyr_core.scheduling import Account
from gephyr_core.shared import Route, Shared

_NOT_REPEATABLE = ("store", "background")
"""Fields of a create whose repetition leaves something behind at the provider, when true."""


@attrs.frozen
class Plan:
    """Everything the attempts of one request are made of."""

    endpoint: Endpoint
    method: str
    route: Route
    model: str | None
    stream: bool
    array: bool
    """The stream's form is Gemini's JSON array."""
    repeatable: bool
    session: str | None
    envelope: Envelope | None
    body: bytes
    headers: list[Header]
    query: str
    renamed: tuple[tuple[str, str], ...] = ()

    def accounts(self) -> list[Account]:
        """Every account of the route, once."""
        return list(dict.fromkeys(account for _, accounts in self.route for account in accounts))


def make_plan(shared: Shared, head: Head, endpoint: Endpoint, owner: str, body: bytes, now: float) -> Plan:
    """Read the request's body and find its route. Raises ``RequestRefused``."""
    operation = endpoint.operation
    body = _decoded(shared, head, body)
    try:
        envelope = read_envelope(body) if operation.has_body or body.strip() else None
        model = _model(endpoint, envelope)
        stream = _stream(head, endpoint, envelope)
        constraint = FREE
        if operation.dialect == "openai-responses":
            constraint = constraint_of(shared.pins, owner, endpoint.object_id, envelope, now)
        session = session_identity(head.event.headers, envelope, owner)
        repeatable = operation.repeatable and not _leaves_something_behind(envelope)
    except EnvelopeError as error:
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param)) from error
    route = _constrained(_route(shared, operation.account_dialect, model), constraint)
    array = endpoint.stream and "alt=sse" not in head.query.split("&")
    return Plan(
        endpoint,
        head.event.method,
        route,
        model,
        stream,
        array,
        repeatable,
        session,
        envelope,
        body,
        to_provider(head.event.headers, accept_encoding=b"identity" if stream else DECODABLE),
        head.query,
        constraint.renamed,
    )


def upstream_call(
    exchange: int,
    attempt: int,
    plan: Plan,
    target: Target,
    account: Account,
    limits: UpstreamConfig,
    *,
    fresh: bool,
) -> CallUpstream:
    """Return the command that asks *account* for *target*."""
    body, path = plan.body, plan.endpoint.path
    if plan.model is not None and target.model != plan.model:
        if plan.endpoint.operation.model_in is ModelIn.PATH:
            body = rename(body, ((f"models/{plan.model}", f"models/{target.model}"),))
        elif plan.envelope is not None:
            body = plan.envelope.with_model(target.model)
    if plan.endpoint.operation.model_in is ModelIn.PATH:
        path = path.replace("{model}", quote(target.model, safe="/:@+~"))
    if plan.renamed:
        body = rename(body, plan.renamed)
        for client_id, upstream_id in plan.renamed:
            path = path.replace(client_id, upstream_id)
    path = account.base_path + path
    return CallUpstream(
        exchange=exchange,
        attempt=attempt,
        account=account.id,
        method=plan.method,
        origin=account.origin,
        target=f"{path}?{plan.query}" if plan.query else path,
        headers=plan.headers,
        body=body,
        route=account.route,
        limits=TimeLimits(
            connect=limits.connect_timeout,
            first_byte=limits.first_byte_timeout if plan.stream else limits.total_timeout,
            idle=limits.idle_timeout,
            total=limits.total_timeout,
        ),
        fresh=fresh,
    )


def _decoded(shared: Shared, head: Head, body: bytes) -> bytes:
    """Undo the client's content coding; the provider gets the body as it is."""
    coding = header(head.event.headers, b"content-encoding")
    if coding is None or coding.strip().lower() == b"identity":
        return body
    limit = shared.config.server.max_body_size
    try:
        return decode_whole(coding, body, limit=limit)
    except ExpansionError:
        raise RequestRefused(too_large(limit)) from None
    except CodingError as error:
        message = f"the body cannot be decoded as its content-encoding says: {error}"
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message)) from error


def _model(endpoint: Endpoint, envelope: Envelope | None) -> str | None:
    where = endpoint.operation.model_in
    if where is ModelIn.PATH:
        return endpoint.model
    if where is ModelIn.NOWHERE or envelope is None:
        return None
    if "model" not in envelope.fields:
        if where is ModelIn.BODY_OPTIONAL:
            return None
        raise EnvelopeError("model: is required", "model")
    model = envelope.value("model")
    if model is None and where is ModelIn.BODY_OPTIONAL:
        return None
    if not isinstance(model, str):
        raise EnvelopeError(f"model: expected a string, got {json_type(model)}", "model")
    if not model.strip():
        raise EnvelopeError("model: expected a model's name, got an empty string", "model")
    return model


def _stream(head: Head, endpoint: Endpoint, envelope: Envelope | None) -> bool:
    if endpoint.stream:
        return True
    if not endpoint.operation.streams:
        return False
    if head.event.method == "GET":
        return "stream=true" in head.query.split("&")
    if envelope is None or "stream" not in envelope.fields:
        return False
    stream = envelope.value("stream")
    if stream is not None and not isinstance(stream, bool):
        raise EnvelopeError(f"stream: expected a boolean, got {json_type(stream)}", "stream")
    return bool(stream)


def _leaves_something_behind(envelope: Envelope | None) -> bool:
    """Whether asking twice would store twice, run twice or append twice."""
    if envelope is None:
        return False
    fields = envelope.fields
    return "conversation" in fields or any(
        name in fields and bytes(fields[name]) == b"true" for name in _NOT_REPEATABLE
    )


def _route(shared: Shared, dialect: str, model: str | None) -> Route:
    if not shared.scheduler.accounts:
        message = "no account is configured: add one under [[accounts]] and start again"
        if shared.config.accounts:
            message = "no account is enabled: set enabled = true for one under [[accounts]] and start again"
        raise RequestRefused(Problem(ErrorKind.UNAVAILABLE, message))
    route = shared.route(dialect, model)
    if route:
        return route
    if model is None:
        message = f"no account speaks {dialect}, and this version does not translate"
        raise RequestRefused(Problem(ErrorKind.NOT_FOUND, message))
    message = f"model: {model[:200]!r} is not served by any account"
    if shared.serves(model):
        message += f" that speaks {dialect}, and this version does not translate"
    raise RequestRefused(Problem(ErrorKind.MODEL_NOT_FOUND, message, param="model", code="model_not_found"))


def _constrained(route: Route, constraint: Constraint) -> Route:
    """Leave only the accounts that can know the objects the request refers to."""
    if constraint is FREE:
        return route
    if constraint.unknown_item is not None:
        organizations = {account.organization: None for _, accounts in route for account in accounts}
        if len(organizations) > 1:
            message = (
                f"{constraint.unknown_item}: was not made through this gateway with this key, "
                "and several organisations serve the model"
            )
            raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param=constraint.unknown_item))
    kept = []
    for target, accounts in route:
        fitting = tuple(
            account
            for account in accounts
            if constraint.account in (None, account.id) and constraint.organization in (None, account.organization)
        )
        if fitting:
            kept.append((target, fitting))
    if not kept:
        message = "the account that made the objects this request refers to is gone, or does not serve the model"
        raise RequestRefused(Problem(ErrorKind.NOT_FOUND, message))
    return tuple(kept)
