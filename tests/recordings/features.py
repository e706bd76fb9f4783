"""What one recording has to show: a name for each thing about it that another recording may not have.

The names are made without knowledge of the dialects, so that a field that nobody thought of counts too:

- each path in the request, the reply and the events of a stream, with the types and roles of the objects on the way
  (``messages[]<user>.content[]<image>.source``), and what kind of value stands there: null, zero, empty, one item...
- each value of a field that tells kinds apart (``type``, ``finish_reason``, ``code``, ...);
- what occurs more than once in one list (parallel calls, several turns of a role);
- how a stream is framed, the headers, the address, the provider, the status, the words of an error.
"""

import base64
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

KINDS = frozenset(
    [
        "action",
        "anthropic_version",
        "attribution",
        "background",
        "blockReason",
        "caller",
        "category",
        "code",
        "context",
        "detail",
        "display",
        "done_reason",
        "dynamicRetrievalConfig",
        "effort",
        "encoding_format",
        "event",
        "event_type",
        "execution",
        "filter_type",
        "finishReason",
        "finish_reason",
        "format",
        "function_calling_config",
        "include",
        "inference_geo",
        "kind",
        "lang",
        "language",
        "media_type",
        "mimeType",
        "mime_type",
        "modalities",
        "modality",
        "mode",
        "native_finish_reason",
        "object",
        "operator",
        "outcome",
        "owned_by",
        "param",
        "payer",
        "phase",
        "probability",
        "prompt_cache_retention",
        "provider",
        "purpose",
        "quality",
        "reason",
        "reasoning_effort",
        "reasoning_format",
        "responseMimeType",
        "responseModalities",
        "response_format",
        "role",
        "samplers",
        "search_context_size",
        "serviceTier",
        "service_tier",
        "severity",
        "size",
        "source",
        "state",
        "status",
        "stop",
        "stopReason",
        "stop_reason",
        "summary",
        "supportedGenerationMethods",
        "taskType",
        "task_type",
        "thinkingLevel",
        "thinking_level",
        "threshold",
        "tool_choice",
        "trafficType",
        "truncation",
        "ttl",
        "type",
        "verbosity",
        "voice",
    ]
)
"""Fields whose values are names of kinds, in any dialect."""
LONGEST_KIND = 80
"""Characters of a value that is a name; longer ones are somebody's text."""


def features(record: dict[str, Any]) -> set[str]:
    """Everything that *record* has to show. The dialect is part of each name."""
    dialect, provider, status = record["dialect"], record["provider"], record["status"]
    found = {
        f"from {provider}, {status}, stream {record['stream']}",
        f"source {record['repo']}, {record['licence']}",
        f"fields {sorted(record)}",
        f"address {record['method']} {_shape(record['url_path'])}",
        *(f"query {name}={value}" for name, value in record["query"].items()),
        *_headers("sent", record["request_headers"]),
        *(f"header {name} of {provider}" for name in record["response_headers"]),
        f"answered as {record['response_headers'].get('content-type')}",
        f"size 2**{len(json.dumps(record)).bit_length()}",
    }
    for side, document in _documents(record):
        found.update(_shown(document, side))
    if "response_sse" in record:
        found |= _stream(record["response_sse"])
    if status >= 400:
        found.add(f"error of {provider}, {status}: {_words(record)}")
    return {f"{dialect}: {name}" for name in found}


def _shape(path: str) -> str:
    """An address without what names one model, project or object."""
    return re.sub(r"(?<=/)[^/:]*[\d_][^/:]*", lambda part: part[0] if re.fullmatch(r"v\d\w*", part[0]) else "*", path)


def _headers(side: str, headers: dict[str, str]) -> Iterator[str]:
    """Each header with each of its values."""
    for name, values in headers.items():
        for value in values.split(","):
            yield f"{side} {name.lower()}: {value.strip()}"


def _words(record: dict[str, Any]) -> str:
    """What an error says, without the numbers and names that differ each time."""
    said = json.dumps(record.get("response")) + record.get("response_text", "")
    return re.sub(r"\d+|'[^']*'|`[^`]*`", "*", said)


def _documents(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The JSON of a record, each with its side."""
    if record["request"] is not None:
        yield "request", record["request"]
    if record.get("response") is not None:
        yield "reply", record["response"]
    yield from (("event", event) for event in _events(record.get("response_sse", "")))
    for line in record.get("response_text", "").splitlines():
        yield "line", json.loads(line) if line.startswith("{") else bool(line)
    yield from (("frame", frame) for frame in frames(base64.b64decode(record.get("response_base64", ""))))


def _events(stream: str) -> Iterator[Any]:
    for line in re.split(r"\r\n|\n|\r", stream):
        if line.startswith("data:") and (data := line[5:].strip()) and data != "[DONE]":
            yield json.loads(data)


def frames(stream: bytes) -> Iterator[Any]:
    """The frames of an AWS event stream: their names and what is in them. What is no such stream has none.

    A frame is two lengths, a checksum, headers, the payload, a checksum (Smithy's ``application/vnd.amazon.eventstream``).
    """
    while len(stream) >= 16:
        total, head = struct.unpack("!II", stream[:8])
        if not 16 + head <= total <= len(stream):
            return
        names = [name.decode() for name in re.findall(rb":(?:event|exception)-type\x07..(\w+)", stream[12 : 12 + head])]
        payload = json.loads(stream[12 + head : total - 4] or b"{}")
        if "bytes" in payload:
            payload["bytes"] = json.loads(base64.b64decode(payload["bytes"]))
        yield {"type": " ".join(names), "payload": payload}
        stream = stream[total:]


def _shown(value: Any, path: str) -> Iterator[str]:
    """The names of what is in a JSON value that stands at *path*."""
    path += _label(value)
    yield f"{path} is {_kind(value)}"
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _shown(inner, f"{path}.{name}")
            if name in KINDS:
                told = inner if isinstance(inner, list) else [inner]
                yield from (
                    f"{path}.{name} = {one}" for one in told if isinstance(one, str) and len(one) <= LONGEST_KIND
                )
    elif isinstance(value, list):
        for inner in value:
            yield from _shown(inner, f"{path}[]")
        yield from _several(value, path)
    elif isinstance(value, str) and not value.isascii():
        yield f"{path.partition('.')[0]} is not ASCII"


def _label(value: Any) -> str:
    """What an object calls itself."""
    if not isinstance(value, dict):
        return ""
    names = (value.get("type"), value.get("role"))
    return "".join(f"<{name}>" for name in names if isinstance(name, str) and len(name) <= LONGEST_KIND)


def _kind(value: Any) -> str:
    """What kind of value it is, as a reader of it has to tell apart."""
    match value:
        case None | bool():
            return str(value)
        case int() | float():
            return "0" if value == 0 else type(value).__name__
        case str():
            return "text" if value else "empty text"
        case list():
            return ("empty list", "list of one", "list")[min(len(value), 2)]
    return "object" if value else "empty object"


def _several(items: list[Any], path: str) -> Iterator[str]:
    """What a list has more than one of: by their types, or by the names of their fields."""
    labels = Counter(_label(item) or " ".join(sorted(item)) for item in items if isinstance(item, dict))
    yield from (f"{path} has several of {label}" for label, count in labels.items() if count > 1)


def _stream(stream: str) -> set[str]:
    """How a stream is framed, and which events it has more than one of."""
    ends = Counter(re.findall(r"\r\n|\n|\r", stream))
    lines = re.split(r"\r\n|\n|\r", stream)
    found = {f"line ends {sorted(ends)}", f"stream ends in {stream[-2:]!r}", f"done {'data: [DONE]' in lines}"}
    for line in lines:
        field, colon, rest = line.partition(":")
        if not field or field != "data":
            found.add(f"line {line[:LONGEST_KIND]}" if field == "event" else f"line {field}{colon}{rest[:1]}")
        elif not rest.startswith(" "):
            found.add("data without a space")
    events = [event for event in _events(stream) if isinstance(event, dict)]
    inside = Counter(
        _label(event) + "".join(name + _label(inner) for name, inner in event.items() if _label(inner))
        for event in events
    )
    return found | {f"stream has several of {label}" for label, count in inside.items() if count > 1}
