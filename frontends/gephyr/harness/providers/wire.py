"""What the simulated dialects share on the wire: requests, replies, the reading of JSON bodies, ids.

None of this is shared with ``gephyr_core.dialects``: a provider that used the gateway's own code could not tell the
gateway's mistakes from the truth.
"""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import attrs
import msgspec

from gephyr.harness.providers.settings import SimulatedSettings
from gephyr_core.http import Header, Headers

T = TypeVar("T")

Piece = tuple[int, bytes]
"""Bytes that leave together, and the output tokens that have to be made before they can."""

Object = Mapping[str, Any]
"""A JSON object."""

JSON = b"application/json"
SSE = b"text/event-stream; charset=utf-8"


class RequestError(Exception):
    """The request is refused; the dialect says so in its own words."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        missing: bool = False,
    ) -> None:
        """*param* is the field at fault, and *missing* says that it is not there at all."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.missing = missing


class Ids:
    """Makes ids that look like a provider's own."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def new(self, prefix: str) -> str:
        """Return *prefix* with 24 random hexadecimal digits."""
        return f"{prefix}{self._rng.getrandbits(96):024x}"


@attrs.frozen
class Request:
    """One request as a dialect sees it."""

    names: Mapping[str, str]
    """What the route's pattern named in the path (``model``, ``id``)."""
    query: Mapping[str, str]
    headers: Headers
    body: bytes
    now: float
    ids: Ids
    settings: SimulatedSettings


@attrs.frozen
class Reply:
    """A reply without its timing."""

    status: int
    headers: Sequence[Header]
    pieces: Iterable[Piece]


@attrs.frozen
class Route:
    """A method and a path that a dialect answers."""

    method: str
    pattern: re.Pattern[str]
    handler: Callable[[Request], Reply]


def route(method: str, pattern: str, handler: Callable[[Request], Reply]) -> Route:
    """Make a route; *pattern* is a regular expression for the whole path."""
    return Route(method, re.compile(pattern), handler)


def whole(value: object, *, tokens: int = 0, status: int = 200, content_type: bytes = JSON) -> Reply:
    """Reply with *value* as JSON, all at once when its *tokens* are made."""
    body = msgspec.json.encode(value)
    headers = ((b"content-type", content_type), (b"content-length", b"%d" % len(body)))
    return Reply(status, headers, ((tokens, body),))


def stream(pieces: Iterable[Piece], *, content_type: bytes = SSE) -> Reply:
    """Reply with a stream of *pieces*."""
    return Reply(200, ((b"content-type", content_type), (b"cache-control", b"no-cache")), pieces)


def sse(data: object, *, event: str | None = None) -> bytes:
    """Encode one server-sent event with JSON data."""
    name = b"" if event is None else b"event: %s\n" % event.encode()
    return b"%sdata: %s\n\n" % (name, msgspec.json.encode(data))


def decode(body: bytes, kind: type[T]) -> T:
    """Read a JSON body as *kind*. Raises :class:`RequestError` (400) naming the field at fault."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(400, f"The body is not valid JSON: {error}") from None


def convert(value: object, kind: type[T]) -> T:
    """Read a decoded value as *kind*. Raises :class:`RequestError` (400) naming the field at fault."""
    try:
        return msgspec.convert(value, type=kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error)) from None


def text_of(content: object) -> str:
    """Join the text parts of a content: a string, a list of parts, or None."""
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


_AT = re.compile(r"(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(\w+)`")


def _refusal(text: str) -> RequestError:
    found = _AT.fullmatch(text)
    what, path = (found["what"], found["path"] or "") if found else (text, "")
    if missing := _MISSING.fullmatch(what):
        path = f"{path}.{missing[1]}" if path else missing[1]
        return RequestError(400, "it is missing", param=path, missing=True)
    return RequestError(400, what, param=path or None)
