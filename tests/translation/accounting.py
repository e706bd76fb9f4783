"""Where each field of a request went: it is found in the translation, or the report tells of it."""

import base64
import binascii
import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

from gephyr_core.conversation.report import Report
from tests.translation.comparing import within

STRUCTURAL = {"type", "role", "object", "index", "status", "caller", "execution"}
"""Keys whose values only say what stands around them; a translation says that in its own way."""
IDENTIFIERS = {"id", "call_id", "tool_call_id", "tool_use_id", "callId"}
"""Names that a request makes up for itself; a target without such names goes by position."""


DEFAULTS: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "candidateCount": (1,),
    "detail": ("auto",),
    "summary": ("auto",),
    "parallel_tool_calls": (True,),
    "service_tier": ("auto", "default"),
}
"""Values, by the last name of their path, that ask for what every dialect does anyway."""


_BESIDE = re.compile(r"\.(phase|thoughtSignature|thought_signature)$")
"""Fields that stand beside what the report speaks of."""


def unaccounted(request: dict[str, Any], body: dict[str, Any], report: Report) -> list[str]:
    """The paths of *request* whose values are neither in *body* nor told of.

    A text that a client wrote twice (``reasoning`` beside ``reasoning_content``) is told of once.
    """
    written = Written(body)
    told = [entry.path for entry in report.entries]
    missing: dict[str, Any] = {}
    said: set[str] = set()
    for path, value in leaves(request):
        if value in DEFAULTS.get(path.rpartition(".")[2], ()):
            continue
        near = _BESIDE.sub("", path)
        if any(within(path, entry) or within(entry, near) for entry in told):
            said.add(str(value))
        elif not written.holds(value):
            missing[path] = value
    return [path for path, value in missing.items() if str(value) not in said]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every string, number and boolean of *value* with its path; null says nothing, and structure is not told."""
    if isinstance(value, dict):
        for name, inner in value.items():
            structural = name in STRUCTURAL | IDENTIFIERS and isinstance(inner, str | int)
            if not structural:
                yield from leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    elif value not in (None, "", False):
        yield path, value


class Written:
    """All that stands in a body, for looking up."""

    def __init__(self, body: dict[str, Any]) -> None:
        every = [value for _, value in _everything(body)]
        self._numbers = {value for value in every if isinstance(value, int | float)}
        self._strings = {value for value in every if isinstance(value, str)}
        self._text = "\0".join(self._strings)

    def holds(self, value: Any) -> bool:
        """Whether *value* is in the body: as it is, in a longer text, or as the JSON in a string."""
        if isinstance(value, int | float):
            return value in self._numbers or json.dumps(value) in self._text
        if value in self._strings or any(form in self._text for form in _forms(value)):
            return True
        inner = _decoded(value)  # arguments written as text may be an object elsewhere
        return inner is not None and all(self.holds(each) for _, each in leaves(inner))


def _everything(value: Any) -> Iterator[tuple[str, Any]]:
    """As :func:`leaves`, with structure, and with what stands in strings that hold JSON."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, name
            yield from _everything(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _everything(inner)
    else:
        yield "", value
        if isinstance(value, str):
            yield from _everything(_decoded(value))


def _forms(value: str) -> Iterator[str]:
    yield value
    yield value.strip()
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield value.lower()
    yield value.upper()
    yield base64.b64encode(value.encode()).decode()  # a text may be carried as the bytes of a document
    if " " not in value:
        yield _plain(value)  # a document of text may be carried as text
    if value.startswith("data:"):
        yield value.partition(",")[2]
        yield _plain(value.partition(",")[2])
    elif "-" in value or "_" in value:
        yield value.replace("-", "+").replace("_", "/")
    decoded = _decoded(value)
    if decoded is not None:
        yield json.dumps(decoded)
        yield json.dumps(decoded, separators=(",", ":"), ensure_ascii=False)


def _decoded(value: str) -> Any:
    """The object or array that a string holds as JSON; None for any other string."""
    if value[:1] in {"{", "["}:
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return None


def _plain(data: str) -> str:
    """Base64 as the text that it may be, or as it is."""
    try:
        return base64.b64decode(data).decode()
    except (binascii.Error, ValueError):
        return data
