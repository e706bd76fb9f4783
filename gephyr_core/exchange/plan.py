"""From a complete request to a plan: what is asked, of which targets and accounts, and what must travel unchanged."""

from typing import Any

import attrs
from msgspec.json import encode

from gephyr_core.commands import CallUpstream, TimeLimits
from gephyr_core.config import UpstreamConfig
from gephyr_core.content_coding import DECODABLE
from gephyr_core.envelope import Envelope, EnvelopeError, json_type, read_envelope
from gephyr_core.errors import ErrorKind, Problem, quoted
from gephyr_core.exchange.admission import Head
from gephyr_core.exchange.body import Body, ReadingBody
from gephyr_core.exchange.request import Request
from gephyr_core.exchange.signers import Made, held_to_makers, kept_apart, makers_of
from gephyr_core.forwarding import to_provider
from gephyr_core.http import Header, header
from gephyr_core.model_names import fault_of_name
from gephyr_core.pins import FREE, Constraint, RequestRefused, constraint_of, rename
from gephyr_core.providers.targets import path_segment, upstream_target
from gephyr_core.raw_json import Edits, Path, edited
from gephyr_core.routing import Endpoint, Target
from gephyr_core.routing.conversation_start import check_roles
from gephyr_core.routing.endpoints import ModelIn, Operation
from gephyr_core.routing.sessions import session_identity
from gephyr_core.scheduling import Account
from gephyr_core.shared import Route, Shared

_COUNT = "responses.input_tokens"
_NOT_REPEATABLE = ("store", "background")
"""Fields of a create whose repetition leaves something behind at the provider, when true."""


def planned(shared: Shared, request: Request, body: Body, now: float) -> tuple[Request, Route]:
    """Return a request with what its body says, and its route. Raises ``RequestRefused``."""
    head, endpoint, owner = request.head, request.endpoint, request.owner
    operation = endpoint.operation
    try:
        envelope = body.read()
        model = _model(endpoint, envelope)
        in_prompt = model is None and envelope is not None and _names_prompt(endpoint, envelope)
        stream = _stream(head, endpoint, envelope)
        constraint = FREE
        if operation.dialect == "openai-responses":
            constraint = constraint_of(shared.pins, owner, endpoint.object_id, envelope, now)
        session = session_identity(head.event.headers, envelope, owner, operation.dialect)
        if session is None and envelope is not None:
            check_roles(operation.dialect, envelope)
        repeatable = operation.repeatable and not _leaves_something_behind(envelope)
    except EnvelopeError as error:
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param)) from error
    route = _constrained(_route(shared, operation, model, in_prompt=in_prompt), constraint)
    made: tuple[Made, ...] = ()
    if body.signed and envelope is not None:
        made = makers_of(body.signed, operation.dialect, shared.pins, owner, now)
        route = held_to_makers(route, made, held=constraint is not FREE)
        route = kept_apart(route, made, envelope, operation.dialect, shared)
    read = Request(
        head=head,
        endpoint=endpoint,
        owner=owner,
        owns=request.owns,
        body=body.data,
        envelope=envelope,
        model=model,
        stream=stream,
        array=endpoint.stream and "alt=sse" not in head.query.split("&"),
        repeatable=repeatable,
        session=session,
        headers=to_provider(head.event.headers, accept_encoding=b"identity" if stream else DECODABLE),
        renamed=constraint.renamed,
        made=made,
    )
    return read, route


@attrs.frozen
class Asking:
    """What is sent to a provider, whichever of its accounts it is."""

    path: str
    """From the API's version on; a model in it is written ``{model}``."""
    query: str
    headers: list[Header]
    body: bytes
    stream: bool
    """A stream is asked for."""
    model: str
    """For the path."""


def untranslated(request: Request, target: Target, edits: Edits | None = None) -> Asking:
    """What is asked of a provider that speaks the client's dialect, with changes to what the client sent."""
    body, path = request.body, request.endpoint.path
    renames = request.model is not None and target.model != request.model
    in_path = request.endpoint.operation.model_in is ModelIn.PATH
    if edits is not None:
        named: dict[Path, bytes | None] = {("model",): encode(target.model)} if renames and not in_path else {}
        body = edited(body, {**edits, **named})
    elif renames and not in_path and request.envelope is not None:
        body = request.envelope.with_model(target.model)
    if renames and in_path:
        body = rename(body, ((f"models/{request.model}", f"models/{target.model}"),))
    if request.renamed:
        body, names = rename(body, request.renamed), dict(request.renamed)
        path = "/".join(path_segment(names[part]) if part in names else part for part in path.split("/"))
    return Asking(path, request.head.query, request.headers, body, request.stream, target.model)


def collecting(request: Request, asking: Asking) -> Asking:
    """Ask for a stream where the client asked for a whole reply of the same dialect."""
    if request.endpoint.operation.model_in is ModelIn.PATH:
        path = asking.path.removesuffix("generateContent") + "streamGenerateContent"
        return attrs.evolve(asking, path=path, query="alt=sse", stream=True, headers=_identity(asking.headers))
    more: dict[str, Any] = {"stream": True}
    if request.endpoint.operation.dialect in {"openai-chat", "openai-completions"}:
        more["stream_options"] = {"include_usage": True}
    body = read_envelope(asking.body).with_fields(more)
    return attrs.evolve(asking, body=body, stream=True, headers=_identity(asking.headers))


def _identity(headers: list[Header]) -> list[Header]:
    """A stream is not to be compressed: it could not be read as it comes."""
    kept = [pair for pair in headers if pair[0] != b"accept-encoding"]
    return [*kept, (b"accept-encoding", b"identity")]


def upstream_call(
    exchange: int,
    attempt: int,
    method: str,
    asking: Asking,
    account: Account,
    limits: UpstreamConfig,
    route: str,
    *,
    fresh: bool,
) -> CallUpstream:
    """Return the command that asks *account* by an outbound *route*."""
    target = upstream_target(
        account.base_path, asking.path, model=asking.model, query=asking.query, vertex=account.vertex
    )
    return CallUpstream(
        exchange=exchange,
        attempt=attempt,
        account=account.id,
        method=method,
        origin=account.origin,
        target=target,
        headers=asking.headers,
        body=asking.body,
        route=route,
        limits=TimeLimits(
            connect=limits.connect_timeout,
            first_byte=limits.first_byte_timeout if asking.stream else limits.total_timeout,
            idle=limits.idle_timeout,
            total=limits.total_timeout,
        ),
        fresh=fresh,
    )


def reading_body(shared: Shared, head: Head, pieces: list[bytes], operation: Operation) -> ReadingBody:
    """Return the job that reads a body."""
    coding = header(head.event.headers, b"content-encoding")
    if coding is None or coding.strip().lower() == b"identity":
        coding = b""
    return ReadingBody(pieces, coding, shared.config.server.max_body_size, operation)


@attrs.define  # not frozen: one is made for each request, at a third of the cost
class WritingCall:
    """The job: write what is asked of a provider that speaks the client's dialect."""

    request: Request
    target: Target
    collects: bool
    """A stream is asked for, although the client asked for a whole reply."""
    edits: Edits | None = None
    """Changes to what the client sent."""

    def __call__(self) -> Asking:
        """Do it."""
        asking = untranslated(self.request, self.target, self.edits)
        return collecting(self.request, asking) if self.collects else asking


def _model(endpoint: Endpoint, envelope: Envelope | None) -> str | None:
    where = endpoint.operation.model_in
    if where is ModelIn.PATH:
        return endpoint.model
    if where is ModelIn.NOWHERE or envelope is None:
        return None
    model = envelope.value("model")
    if model is None and (where is ModelIn.BODY_OPTIONAL or _names_prompt(endpoint, envelope)):
        return None
    if "model" not in envelope.fields:
        raise EnvelopeError("model: is required", "model")
    if not isinstance(model, str):
        raise EnvelopeError(f"model: expected a string, got {json_type(model)}", "model")
    fault = fault_of_name(model)
    if fault is not None:
        raise EnvelopeError(f"model: {fault}", "model")
    return model


def _names_prompt(endpoint: Endpoint, envelope: Envelope) -> bool:
    """Whether a request names a prompt that is stored at the provider, and holds the model."""
    operation = endpoint.operation
    if operation.model_in is not ModelIn.BODY_OR_PROMPT and operation.name != _COUNT:
        return False
    return "prompt" in envelope.fields and isinstance(envelope.value("prompt"), dict)


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


def _route(shared: Shared, operation: Operation, model: str | None, *, in_prompt: bool) -> Route:
    if not shared.scheduler.accounts:
        message = "no account is configured: add one under [[accounts]] and start again, or by `gephyr accounts add`"
        if shared.config.accounts:
            message = "no account is enabled: set enabled = true for one under [[accounts]] and start again"
        raise RequestRefused(Problem(ErrorKind.UNAVAILABLE, message))
    dialect = operation.account_dialect
    if in_prompt:
        return _route_of_prompts(shared, dialect)
    route = shared.route(dialect, model, translates=operation.translates)
    if any(leg.accounts for leg in route):
        return route
    if model is None:
        raise RequestRefused(Problem(ErrorKind.NOT_FOUND, f"no account speaks {dialect}, and this is not translated"))
    message = f"model: {quoted(model)!r} is not served by any account"
    if shared.serves(model):
        message += f" that speaks {dialect}"
        if operation.translates:
            message += "; to have it translated, map the name under [models] or list it in an account's models"
        else:
            message += ", and this is not translated"
    raise RequestRefused(Problem(ErrorKind.MODEL_NOT_FOUND, message, param="model", code="model_not_found"))


def _route_of_prompts(shared: Shared, dialect: str) -> Route:
    route = shared.route_of_prompts(dialect)
    if not route:
        message = (
            "model: is required: only OpenAI's API and its like keep prompts that hold the model, "
            "and no account is of such a provider"
        )
        raise RequestRefused(Problem(ErrorKind.BAD_REQUEST, message, param="model"))
    return route


def rewritten(route: Route, dialect: str) -> Route:
    """Have the request written anew for providers of the client's own dialect too: the reply is to be kept."""
    return tuple(
        leg if leg.dialect else attrs.evolve(leg, dialect=dialect, kind=leg.accounts[0].kind, without=None)
        for leg in route
    )


def _constrained(route: Route, constraint: Constraint) -> Route:
    """Leave only the accounts that can know the objects the request refers to."""
    if constraint is FREE:
        return route
    kept = []
    for leg in route:
        fitting = tuple(account for account in leg.accounts if constraint.account in (None, account.id))
        if fitting:
            kept.append(attrs.evolve(leg, accounts=fitting))
    if not kept:
        message = "the account that made the objects this request refers to is gone, or does not serve the model"
        raise RequestRefused(Problem(ErrorKind.NOT_FOUND, message))
    return tuple(kept)
