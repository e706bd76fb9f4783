"""Method and path to operation: the four APIs as a table."""

import enum
import re
from collections.abc import Mapping
from urllib.parse import unquote

import attrs

from gephyr_core.model_names import fault_of_name
from gephyr_core.routing.asking import ANTHROPIC as _ANTHROPIC
from gephyr_core.routing.asking import CHAT as _CHAT
from gephyr_core.routing.asking import GEMINI as _GEMINI
from gephyr_core.routing.asking import RESPONSES as _RESPONSES
from gephyr_core.routing.asking import owner_of


class ModelIn(enum.Enum):
    """Where a request names its model."""

    BODY = "body"
    BODY_OPTIONAL = "body_optional"
    BODY_OR_PROMPT = "body_or_prompt"
    """In the body, or in the stored prompt (``prompt``) that the body names."""
    PATH = "path"
    NOWHERE = "nowhere"


@attrs.frozen
class Operation:
    """One thing a client can ask for."""

    name: str
    dialect: str
    """The dialect of its errors and streams."""
    model_in: ModelIn = ModelIn.NOWHERE
    speaks: str = ""
    """The dialect an account must speak to serve it; the operation's own where empty."""
    has_body: bool = False
    """A JSON object is required as the body."""
    local: bool = False
    """Gephyr answers it itself."""
    repeatable: bool = True
    """Asking twice does no harm, or no more than costs (generation). Else it is repeated only if nothing was sent."""
    side: bool = False
    """A side route (counting, listing): its failures say nothing about the account's health."""
    streams: bool = False
    """Its reply may be a stream, where the request asks for one."""
    pinned: bool = False
    """Concerns an object that lives at one provider, named in the path."""
    translates: bool = False
    """Can be asked of an account that does not speak the dialect."""
    counts: bool = False
    """Counts the tokens of a request instead of answering it."""
    shared: bool = False
    """Several vendors have it on this path: its dialect is the client's, as far as its headers tell."""

    @property
    def account_dialect(self) -> str:
        """The dialect an account must speak."""
        return self.speaks or self.dialect


@attrs.frozen
class Endpoint:
    """An operation found, with what its path says."""

    operation: Operation
    path: str
    """The path to ask of a provider, from the API's version on; a model in it is written ``{model}``."""
    model: str | None = None
    object_id: str | None = None
    stream: bool = False


@attrs.frozen
class NoEndpoint:
    """The path is unknown, or known for other methods (*allow*)."""

    dialect: str | None
    """Of the vendor that alone has the path; None where the client's headers have to tell."""
    allow: tuple[str, ...] = ()


def _post(
    name: str,
    dialect: str,
    model_in: ModelIn = ModelIn.BODY,
    *,
    speaks: str = "",
    repeatable: bool = True,
    side: bool = False,
    streams: bool = False,
    counts: bool = False,
) -> dict[str, Operation]:
    operation = Operation(
        name,
        dialect,
        model_in,
        speaks,
        has_body=True,
        repeatable=repeatable,
        side=side,
        streams=streams,
        translates=streams or counts,
        counts=counts,
    )
    return {"POST": operation}


_HEALTH = {method: Operation("health", _CHAT, local=True) for method in ("GET", "HEAD")}

_EXACT: Mapping[str, Mapping[str, Operation]] = {
    "/": {"HEAD": Operation("probe", _ANTHROPIC, local=True)},
    "/health": _HEALTH,
    "/metrics": {"GET": Operation("metrics", _CHAT, local=True)},
    "/v1/chat/completions": _post("chat.completions", _CHAT, streams=True),
    "/v1/completions": _post("completions", "openai-completions", streams=True),
    "/v1/embeddings": _post("embeddings", _CHAT),
    "/v1/moderations": _post("moderations", _CHAT, ModelIn.BODY_OPTIONAL, speaks=_RESPONSES),
    "/v1/responses": _post("responses", _RESPONSES, ModelIn.BODY_OR_PROMPT, streams=True)
    | {"GET": Operation("responses.socket", _RESPONSES, local=True)},
    "/v1/responses/compact": _post("responses.compact", _RESPONSES),
    "/v1/responses/input_tokens": _post(
        "responses.input_tokens", _RESPONSES, ModelIn.BODY_OPTIONAL, side=True, counts=True
    ),
    "/v1/conversations": _post("conversations", _RESPONSES, ModelIn.NOWHERE, repeatable=False),
    "/v1/messages": _post("messages", _ANTHROPIC, streams=True),
    "/v1/messages/count_tokens": _post("messages.count_tokens", _ANTHROPIC, side=True, counts=True),
    "/v1/models": {"GET": Operation("models", _CHAT, local=True, shared=True)},
    "/v1beta/models": {"GET": Operation("models", _GEMINI, local=True)},
    "/v1alpha/models": {"GET": Operation("models", _GEMINI, local=True)},
}


def _stored(name: str, *, safe: bool = True, has_body: bool = False, streams: bool = False) -> Operation:
    return Operation(name, _RESPONSES, has_body=has_body, pinned=True, repeatable=safe, side=True, streams=streams)


_NAME = r"[A-Za-z0-9][A-Za-z0-9_.:=-]*"
_ID = rf"(?P<id>{_NAME})"
_PATTERNS: tuple[tuple[re.Pattern[str], Mapping[str, Operation]], ...] = (
    (
        re.compile(rf"/v1/responses/{_ID}"),
        {"GET": _stored("responses.get", streams=True), "DELETE": _stored("responses.delete", safe=False)},
    ),
    (re.compile(rf"/v1/responses/{_ID}/cancel"), {"POST": _stored("responses.cancel", safe=False)}),
    (re.compile(rf"/v1/responses/{_ID}/input_items"), {"GET": _stored("responses.input_items")}),
    (
        re.compile(rf"/v1/conversations/{_ID}"),
        {
            "GET": _stored("conversations.get"),
            "POST": _stored("conversations.update", safe=False, has_body=True),
            "DELETE": _stored("conversations.delete", safe=False),
        },
    ),
    (
        re.compile(rf"/v1/conversations/{_ID}/items"),
        {
            "GET": _stored("conversations.items"),
            "POST": _stored("conversations.items.create", safe=False, has_body=True),
        },
    ),
    (
        re.compile(rf"/v1/conversations/{_ID}/items/{_NAME}"),
        {
            "GET": _stored("conversations.items.get"),
            "DELETE": _stored("conversations.items.delete", safe=False),
        },
    ),
)

_GEMINI_CALL = re.compile(r"/(v1(?:beta[0-9]*|alpha)?/(?:models|tunedModels))/(.+):([A-Za-z]+)")
_GEMINI_VERBS = {
    "generateContent": Operation("generateContent", _GEMINI, ModelIn.PATH, has_body=True, translates=True),
    "streamGenerateContent": Operation("streamGenerateContent", _GEMINI, ModelIn.PATH, has_body=True, translates=True),
    "countTokens": Operation(
        "countTokens", _GEMINI, ModelIn.PATH, has_body=True, side=True, translates=True, counts=True
    ),
    "embedContent": Operation("embedContent", _GEMINI, ModelIn.PATH, has_body=True),
    "batchEmbedContents": Operation("batchEmbedContents", _GEMINI, ModelIn.PATH, has_body=True),
}
_MODEL = re.compile(r"/(v1|v1beta|v1alpha)/models/(.+)")
_GEMINI_MODEL = Operation("models.get", _GEMINI, ModelIn.PATH, local=True)
_ONE_MODEL = {
    "v1": Operation("models.get", _CHAT, ModelIn.PATH, local=True, shared=True),
    "v1beta": _GEMINI_MODEL,
    "v1alpha": _GEMINI_MODEL,
}


def find_endpoint(method: str, path: str) -> Endpoint | NoEndpoint:
    """Find the operation of a request line. *path* is without its query."""
    if path.startswith("//"):
        path = "/" + path.lstrip("/")  # a base URL with a slash too many
    if len(path) > 1 and path.endswith("/"):
        path = path.rstrip("/")
    methods = _EXACT.get(path)
    if methods is not None:
        return _choose(methods, method, path, None)
    if "%" in path:
        path = unquote(path)
    found = _gemini(method, path)
    if found is not None:
        return found
    for pattern, methods in _PATTERNS:
        match = pattern.fullmatch(path)
        if match is not None:
            return _choose(methods, method, path, match["id"])
    return NoEndpoint(owner_of(path))


def _choose(methods: Mapping[str, Operation], method: str, path: str, object_id: str | None) -> Endpoint | NoEndpoint:
    operation = methods.get(method)
    if operation is None:
        return NoEndpoint(owner_of(path), tuple(methods))
    return Endpoint(operation, path, object_id=object_id)


def _gemini(method: str, path: str) -> Endpoint | NoEndpoint | None:
    """Paths that hold a model's name, which may have slashes and colons of its own."""
    match = _GEMINI_CALL.fullmatch(path)
    if match is not None and match[3] in _GEMINI_VERBS and fault_of_name(match[2]) is None:
        if method != "POST":
            return NoEndpoint(_GEMINI, ("POST",))
        operation = _GEMINI_VERBS[match[3]]
        template = f"/{match[1]}/{{model}}:{match[3]}"
        return Endpoint(operation, template, model=match[2], stream=match[3] == "streamGenerateContent")
    match = _MODEL.fullmatch(path)
    if match is None or fault_of_name(match[2]) is not None:
        return None
    if method == "POST" and _GEMINI_CALL.fullmatch(path):
        return NoEndpoint(_GEMINI)  # a verb of Google's that is not served, and no model's name
    if method != "GET":
        return NoEndpoint(owner_of(path), ("GET",))
    return Endpoint(_ONE_MODEL[match[1]], path, model=match[2])
