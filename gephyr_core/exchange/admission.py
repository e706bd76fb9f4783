"""The guard chain: what is decided about a request from its head alone, before a byte of its body is read."""

from urllib.parse import parse_qs

import attrs

from gephyr_core.catalog import list_models, show_model
from gephyr_core.dialects.decoding import digest
from gephyr_core.errors import ErrorKind, Problem, quoted
from gephyr_core.events import RequestStarted
from gephyr_core.exchange.ownerless import refuse_objects
from gephyr_core.guards import refuse_body
from gephyr_core.guards.auth import ANONYMOUS
from gephyr_core.guards.body_limit import TOO_MUCH_HELD
from gephyr_core.guards.ip_filter import is_loopback
from gephyr_core.http import Header, content_length, header
from gephyr_core.pins import RequestRefused
from gephyr_core.routing.asking import CHAT, dialect_of_client, dialect_told
from gephyr_core.routing.endpoints import Endpoint, NoEndpoint, Operation, find_endpoint
from gephyr_core.shared import Shared

JSON = (b"content-type", b"application/json")
NOT_ROUTED = Operation("none", "openai-chat", local=True)


@attrs.frozen
class Answer:
    """A reply of Gephyr's own."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""


@attrs.frozen
class Admitted:
    """The request may go on."""

    endpoint: Endpoint
    owner: str
    """Digest of the client key, of the caller, or of both; empty for an anonymous client."""
    answer: Answer | None = None
    """Set where the operation needs nobody else; None where the body is to be read (or metrics collected)."""
    owns: bool = True
    """Objects can be kept for it: nobody else has its owner's name."""


@attrs.frozen
class Head:
    """A request's head, read once."""

    event: RequestStarted
    path: str
    query: str
    found: Endpoint | NoEndpoint
    dialect: str


def read_head(event: RequestStarted) -> Head:
    """Find out what a request asks for and in which dialect its errors are told."""
    path, _, query = event.target.partition("?")
    found = find_endpoint(event.method, path)
    return Head(event, path, query, found, _dialect(found, event))


def _dialect(found: Endpoint | NoEndpoint, event: RequestStarted) -> str:
    """The path tells, or, where several vendors have it, what only one's clients send (google-genai 3 asks
    ``/v1/models``, as OpenAI's and Anthropic's SDKs do)."""
    if isinstance(found, NoEndpoint):
        return found.dialect or dialect_told(event.headers, event.key_names) or CHAT
    told = dialect_told(event.headers, event.key_names) if found.operation.shared else None
    return told or found.operation.dialect


def admit(shared: Shared, head: Head) -> Admitted:
    """Ask the guards in their order. Raises ``RequestRefused``."""
    event = head.event
    if shared.draining:
        raise RequestRefused(Problem(ErrorKind.UNAVAILABLE, "the gateway is shutting down", retry_after=1.0))
    if event.method == "OPTIONS":
        headers = shared.cors.preflight_headers(event.headers)
        return Admitted(Endpoint(NOT_ROUTED, head.path), "", Answer(204, headers))
    address = shared.ip_filter.client_address(event.peer, event.headers)
    if not shared.ip_filter.admits(address):
        raise RequestRefused(Problem(ErrorKind.PERMISSION, "this address is not allowed here"))
    owner = _owner(shared, head, address)
    endpoint = _endpoint(head)
    if event.ownerless:
        refuse_objects(endpoint)
    problem = refuse_body(event.headers, shared.config.server.max_body_size)
    if problem is None and _over_buffer(shared, event):
        problem = TOO_MUCH_HELD
    if problem is not None:
        raise RequestRefused(problem)
    return Admitted(endpoint, owner, _local_answer(shared, head, endpoint), owns=not event.ownerless)


def _owner(shared: Shared, head: Head, address: str) -> str:
    event = head.event
    owner = shared.authenticator.owner(event.credentials)
    if owner is not None:
        if event.ownerless:
            return ANONYMOUS
        return digest(f"{owner} {event.caller}") if event.caller else owner
    name = head.found.operation.name if isinstance(head.found, Endpoint) else "none"
    if shared.authenticator.is_free(name, from_loopback=is_loopback(address)):
        return ANONYMOUS
    what = "is not a key of this gateway" if head.event.credentials else "is missing"
    message = f"the API key {what}: send one as 'Authorization: Bearer', 'x-api-key' or 'x-goog-api-key'"
    raise RequestRefused(Problem(ErrorKind.CREDENTIAL, message, code="invalid_api_key"))


def _endpoint(head: Head) -> Endpoint:
    if isinstance(head.found, Endpoint):
        return head.found
    shown = f"{head.event.method} {quoted(head.path)}"
    if head.found.allow:
        allow = ", ".join(head.found.allow)
        problem = Problem(ErrorKind.METHOD, f"{shown}: use {allow}", headers=((b"allow", allow.encode()),))
    else:
        problem = Problem(ErrorKind.NOT_FOUND, f"{shown}: there is no such path", code="unknown_url")
    raise RequestRefused(problem)


def _over_buffer(shared: Shared, event: RequestStarted) -> bool:
    return shared.buffered + content_length(event.headers) > shared.config.server.max_buffered_bytes


def _local_answer(shared: Shared, head: Head, endpoint: Endpoint) -> Answer | None:
    name = endpoint.operation.name
    if name == "probe":
        return Answer(200)
    if name == "health":
        return Answer(200, (JSON,), b'{"status":"ok"}')
    if name == "models":
        return Answer(200, (JSON,), list_models(head.dialect, shared.listed_models(), parse_qs(head.query)))
    if name == "models.get":
        return _one_model(shared, head, endpoint.model or "")
    if name == "responses.socket":
        message = "this endpoint takes POST; WebSocket connections are not available in this version"
        problem = Problem(ErrorKind.UPGRADE_REQUIRED, message, headers=((b"upgrade", b"HTTP/1.1"),))
        if header(head.event.headers, b"upgrade") is None:
            problem = Problem(ErrorKind.METHOD, f"GET {head.path}: use POST", headers=((b"allow", b"POST"),))
        raise RequestRefused(problem)
    return None


def _one_model(shared: Shared, head: Head, name: str) -> Answer:
    listed = shared.listed_models()
    if name not in listed and not _matches_entry(shared, name):
        message = f"model: {quoted(name)!r} is not served here"
        raise RequestRefused(Problem(ErrorKind.MODEL_NOT_FOUND, message, param="model", code="model_not_found"))
    return Answer(200, (JSON,), show_model(head.dialect, name, listed.get(name, "gephyr")))


def _matches_entry(shared: Shared, name: str) -> bool:
    """Whether a wildcard of the configuration matches, and an account can be asked."""
    table = shared.models
    return table.matches_wildcard(name) and shared.serves(name)


def error_dialect(event: RequestStarted) -> str:
    """The dialect for an error about a request whose head alone was too much."""
    return dialect_of_client(event.target.partition("?")[0], event.headers, event.key_names)
