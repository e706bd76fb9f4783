"""Requests and replies that grow in one way: what a translation has to do twice of, where there is twice as much."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.parts import Citation, HostedCall, HostedResult, Text, Thinking, ToolCall, WebSource
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Cited,
    Delta,
    Ended,
    PartEnded,
    PartStarted,
    Started,
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.records import Usage

DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
Json = dict[str, Any]
Turns = list[tuple[str, list[Json]]]
"""Who speaks (``user``, ``assistant``, ``system``), and what: ``{"text": ...}``, ``{"call": id, "tool": name}``,
``{"result": id, "tool": name}``, ``{"image": base64}``."""


# -- requests -------------------------------------------------------------------------------------------------------


@attrs.frozen
class Request:
    """A request, dialects aside."""

    turns: Turns
    tools: list[tuple[str, Json]] = attrs.field(factory=list)
    stops: list[str] = attrs.field(factory=list)
    allowed: list[str] = attrs.field(factory=list)
    """Names of the tools that may be called."""
    output: Json | None = None
    """A schema for the reply."""
    more: Json = attrs.field(factory=dict)
    """Fields that no dialect knows."""

    def body(self, dialect: str) -> bytes:
        """The request in a dialect."""
        return msgspec.json.encode({**_BODIES[dialect](self), **self.more})


def _chat(request: Request) -> Json:
    messages: list[Json] = []
    for role, parts in request.turns:
        calls = [
            {"id": part["call"], "type": "function", "function": {"name": part["tool"], "arguments": '{"a":1}'}}
            for part in parts
            if "call" in part
        ]
        content = [
            {"type": "text", "text": part["text"]}
            if "text" in part
            else {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{part['image']}"}}
            for part in parts
            if "text" in part or "image" in part
        ]
        messages += [
            {"role": "tool", "tool_call_id": part["result"], "content": "done"} for part in parts if "result" in part
        ]
        if content or calls:
            messages.append({"role": role, "content": content} | ({"tool_calls": calls} if calls else {}))
    body: Json = {"model": "m", "messages": messages}
    if request.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}
            for name, schema in request.tools
        ]
    if request.allowed:
        tools = [{"type": "function", "function": {"name": name}} for name in request.allowed]
        body["tool_choice"] = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": tools}}
    if request.stops:
        body["stop"] = request.stops
    if request.output is not None:
        schema = {"name": "reply", "schema": request.output, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _responses(request: Request) -> Json:
    items: list[Json] = []
    for role, parts in request.turns:
        for part in parts:
            if "call" in part:
                call = {"call_id": part["call"], "name": part["tool"], "arguments": '{"a":1}'}
                items.append({"type": "function_call", **call})
            elif "result" in part:
                items.append({"type": "function_call_output", "call_id": part["result"], "output": "done"})
        kind = "output_text" if role == "assistant" else "input_text"
        content = [
            {"type": kind, "text": part["text"]}
            if "text" in part
            else {"type": "input_image", "image_url": f"data:image/png;base64,{part['image']}"}
            for part in parts
            if "text" in part or "image" in part
        ]
        if content:
            items.append({"type": "message", "role": role, "content": content})
    body: Json = {"model": "m", "input": items}
    if request.tools:
        body["tools"] = [
            {"type": "function", "name": name, "parameters": schema, "strict": True} for name, schema in request.tools
        ]
    if request.allowed:
        tools = [{"type": "function", "name": name} for name in request.allowed]
        body["tool_choice"] = {"type": "allowed_tools", "mode": "auto", "tools": tools}
    if request.output is not None:
        body["text"] = {"format": {"type": "json_schema", "name": "reply", "schema": request.output, "strict": True}}
    return body


def _anthropic(request: Request) -> Json:
    messages: list[Json] = []
    for role, parts in request.turns:
        content: list[Json] = []
        for part in parts:
            if "text" in part:
                content.append({"type": "text", "text": part["text"]})
            elif "call" in part:
                content.append({"type": "tool_use", "id": part["call"], "name": part["tool"], "input": {"a": 1}})
            elif "result" in part:
                content.append({"type": "tool_result", "tool_use_id": part["result"], "content": "done"})
            else:
                source = {"type": "base64", "media_type": "image/png", "data": part["image"]}
                content.append({"type": "image", "source": source})
        messages.append({"role": role, "content": content})
    body: Json = {"model": "m", "max_tokens": 100, "messages": messages}
    if request.tools:
        body["tools"] = [{"name": name, "input_schema": schema} for name, schema in request.tools]
    if request.stops:
        body["stop_sequences"] = request.stops
    if request.output is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": request.output}}
    return body


def _gemini(request: Request) -> Json:
    contents: list[Json] = []
    for role, parts in request.turns:
        written: list[Json] = []
        for part in parts:
            if "text" in part:
                written.append({"text": part["text"]})
            elif "call" in part:
                written.append({"functionCall": {"name": part["tool"], "args": {"a": 1}}})
            elif "result" in part:
                written.append({"functionResponse": {"name": part["tool"], "response": {"output": "done"}}})
            else:
                written.append({"inlineData": {"mimeType": "image/png", "data": part["image"]}})
        contents.append({"role": "model" if role == "assistant" else "user", "parts": written})
    body: Json = {"contents": contents}
    if request.tools:
        functions = [{"name": name, "parametersJsonSchema": schema} for name, schema in request.tools]
        body["tools"] = [{"functionDeclarations": functions}]
    if request.allowed:
        body["toolConfig"] = {"functionCallingConfig": {"mode": "VALIDATED", "allowedFunctionNames": request.allowed}}
    config: Json = {"stopSequences": request.stops} if request.stops else {}
    if request.output is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": request.output}
    return body | ({"generationConfig": config} if config else {})


_BODIES: dict[str, Callable[[Request], Json]] = {
    "openai-chat": _chat,
    "openai-responses": _responses,
    "anthropic": _anthropic,
    "gemini": _gemini,
}

_HI: Turns = [("user", [{"text": "Hi"}])]
_PLAIN: Json = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _texts(count: int, text: str = "Hello") -> list[Json]:
    return [{"text": f"{text} {number}"} for number in range(count)]


def _pairs(count: int) -> Turns:
    turns: Turns = [*_HI]
    for number in range(count):
        turns.append(("assistant", [{"call": f"c{number}", "tool": f"t{number % 7}"}]))
        turns.append(("user", [{"result": f"c{number}", "tool": f"t{number % 7}"}]))
    return turns


def _called(count: int, *, one_id: bool = False) -> list[Json]:
    return [{"call": "c" if one_id else f"c{number}", "tool": f"t{number}"} for number in range(count)]


def _results(count: int, *, one_id: bool = False) -> list[Json]:
    return [{"result": "c" if one_id else f"c{number}", "tool": f"t{number}"} for number in range(count)][::-1]


def _nested(count: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(min(count, 300)):
        schema = _object({"a": schema})
    return schema


def _all_of(count: int) -> Json:
    schema: Json = {"type": "string"}
    for number in range(min(count, 300)):
        schema = {"allOf": [schema, {"description": f"d{number}"}]}
    return _object({"a": schema})


def _chain(count: int) -> Json:
    names = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(count)}
    return {**_object({"a": {"$ref": "#/$defs/d0"}}), "$defs": {**names, f"d{count}": {"type": "string"}}}


def _doubling(count: int) -> Json:
    names = {
        f"d{number}": _object({side: {"$ref": f"#/$defs/d{number + 1}"} for side in "ab"}) for number in range(count)
    }
    return {**_object({"a": {"$ref": "#/$defs/d0"}}), "$defs": {**names, f"d{count}": {"type": "string"}}}


def _names(count: int, name: str = "p") -> Json:
    return {f"{name}{number}": {"type": "string", "description": "One."} for number in range(count)}


SCHEMAS: dict[str, Callable[[int], Json]] = {
    "schema width": lambda n: _object(_names(n)),
    "schema depth": _nested,
    "allOf of objects": lambda n: {"allOf": [_object(_names(1, f"p{number}")) for number in range(n)]},
    "allOf of one property": lambda n: {"allOf": [_object({"a": {"description": f"d{m}"}}) for m in range(n)]},
    "allOf within allOf": _all_of,
    "allOf with a wide one": lambda n: {"allOf": [_object(_names(n)), *[_object({"a": {}}) for _ in range(n)]]},
    "anyOf of types": lambda n: _object({"a": {"anyOf": [{"type": "string", "title": f"t{m}"} for m in range(n)]}}),
    "anyOf at the root": lambda n: {"anyOf": [_object({"a": {}, f"p{number}": {}}) for number in range(n)]},
    "alternatives beside properties": lambda n: _object(
        {"a": {**_object(_names(n)), "anyOf": [{"required": [f"p{number}"]} for number in range(n)]}}
    ),
    "references": lambda n: {**_object({f"p{m}": {"$ref": "#/$defs/d"} for m in range(n)}), "$defs": {"d": _PLAIN}},
    "references to a wide one": lambda n: {
        **_object({f"p{number}": {"$ref": "#/$defs/d"} for number in range(n)}),
        "$defs": {"d": {"enum": [f"e{number}" for number in range(n)]}},
    },
    "references in a chain": _chain,
    "references that double": _doubling,
    "enum": lambda n: _object({"a": {"type": "string", "enum": [f"e{number}" for number in range(n)]}}),
    "types": lambda n: _object({"a": {"type": ["string", "null"] * n}}),
    "keywords": lambda n: _object({"a": {"type": "string", **{f"x{number}": 1 for number in range(n)}}}),
}

MULTIPLY = (
    "alternatives beside properties",
    "references to a wide one",
    "references that double",
)
"""Schemas that are a product when they are written out: they may grow to a multiple of themselves, and no further."""

REQUESTS: dict[str, Callable[[int], Request]] = {
    "turns of the user": lambda n: Request([("user", [part]) for part in _texts(n)]),
    "turns of the assistant": lambda n: Request([*_HI, *[("assistant", [part]) for part in _texts(n)]]),
    "turns of the system": lambda n: Request([*_HI, *[("system", [part]) for part in _texts(n)]]),
    "alternating turns": lambda n: Request([(("user", "assistant")[m % 2], [p]) for m, p in enumerate(_texts(n))]),
    "parts of a turn": lambda n: Request([("user", _texts(n))]),
    "instructions": lambda n: Request([("system", _texts(n)), *_HI]),
    "images": lambda n: Request([("user", [{"image": "iVBORw0KGgo="} for _ in range(n)])]),
    "a long text": lambda n: Request([("user", [{"text": "words " * n}])]),
    "calls and results": lambda n: Request(_pairs(n)),
    "parallel calls": lambda n: Request([*_HI, ("assistant", _called(n)), ("user", _results(n))]),
    "calls of one id": lambda n: Request(
        [*_HI, ("assistant", _called(n, one_id=True)), ("user", _results(n, one_id=True))]
    ),
    "calls without results": lambda n: Request([*_HI, ("assistant", _called(n)), *_HI]),
    "results without calls": lambda n: Request([("user", _results(n))]),
    "tools": lambda n: Request(_HI, [(f"t{number}", _PLAIN) for number in range(n)]),
    "tools of odd names": lambda n: Request(_HI, [(f"tool no. {number}", _PLAIN) for number in range(n)]),
    "tools of one name": lambda n: Request(_HI, [("t", _PLAIN)] * n),
    "tools of long names": lambda n: Request(_HI, [("t" * 80 + str(number), _PLAIN) for number in range(n)]),
    "allowed tools": lambda n: Request(
        _HI, [(f"t{number}", _PLAIN) for number in range(n)], allowed=[f"t{number}" for number in range(n)]
    ),
    "stop sequences": lambda n: Request(_HI, stops=[f"stop{number}" for number in range(n)]),
    "unknown fields": lambda n: Request(_HI, more={f"x{number}": 1 for number in range(n)}),
    **{
        f"{name} (tool)": (lambda n, schema=schema: Request(_HI, [("t", schema(n))]))  # type: ignore[misc]
        for name, schema in SCHEMAS.items()
    },
    **{
        f"{name} (reply)": (lambda n, schema=schema: Request(_HI, output=schema(n)))  # type: ignore[misc]
        for name, schema in SCHEMAS.items()
    },
}
"""What grows in a request, by its number."""


# -- replies --------------------------------------------------------------------------------------------------------


def _reply(deltas: Sequence[Delta], reason: StopReason = StopReason.END) -> list[Delta]:
    return [Started("r1", "m", Usage(input=1, output=1)), *deltas, Ended(Stop(reason), Usage(input=1, output=9))]


def _said(count: int, kind: str = "text") -> list[Delta]:
    texts = [f"word {number} " for number in range(count)]
    if kind == "text":
        return _reply([PartStarted(0, Text("")), *[TextAdded(0, text) for text in texts], PartEnded(0)])
    thought: list[Delta] = [PartStarted(0, Thinking("")), *[ThinkingAdded(0, text) for text in texts], PartEnded(0)]
    return _reply([*thought, PartStarted(1, Text("")), TextAdded(1, "So."), PartEnded(1)])


def _calls(count: int, *, together: bool, arguments: int = 1) -> list[Delta]:
    opened: list[list[Delta]] = []
    for number in range(count):
        pieces = [f'"k{piece}":{piece},' for piece in range(arguments)]
        added = [ArgumentsAdded(number, text) for text in ["{", *pieces, '"z":0}']]
        opened.append([PartStarted(number, ToolCall(f"c{number}", f"t{number}", "")), *added, PartEnded(number)])
    if together:
        steps = [delta for step in zip(*opened, strict=True) for delta in step]
    else:
        steps = [delta for call in opened for delta in call]
    return _reply(steps, StopReason.TOOL_CALL)


def _cited(count: int) -> list[Delta]:
    text = "Words that rest on something. " * count
    pages = [Citation(f"https://a.test/{m}", f"Page {m}", start=30 * m, end=30 * m + 29) for m in range(count)]
    return _reply([PartStarted(0, Text("")), TextAdded(0, text), *[Cited(0, page) for page in pages], PartEnded(0)])


def _parts(count: int) -> list[Delta]:
    steps: list[Delta] = []
    for number in range(count):
        part = Text("") if number % 2 else Thinking("")
        added = TextAdded(number, "One.") if number % 2 else ThinkingAdded(number, "One.")
        steps += [PartStarted(number, part), added, PartEnded(number)]
    return _reply(steps)


def _searches(count: int) -> list[Delta]:
    steps: list[Delta] = []
    for number in range(count):
        asked = json.dumps({"query": f"q{number}"})
        call = HostedCall(f"s{number}", "web_search", "web_search", asked)
        found = HostedResult(f"s{number}", "web_search", (WebSource(f"https://a.test/{number}", f"Page {number}"),))
        for place, part in ((2 * number, call), (2 * number + 1, found)):
            steps += [PartStarted(place, part), PartEnded(place)]
    end = 2 * count
    return _reply([*steps, PartStarted(end, Text("")), TextAdded(end, "So."), PartEnded(end)])


REPLIES: dict[str, Callable[[int], list[Delta]]] = {
    "deltas of text": _said,
    "deltas of reasoning": lambda n: _said(n, "reasoning"),
    "calls one by one": lambda n: _calls(n, together=False),
    "calls together": lambda n: _calls(n, together=True),
    "pieces of arguments": lambda n: _calls(1, together=False, arguments=n),
    "pieces of two calls": lambda n: _calls(2, together=True, arguments=n),
    "citations": _cited,
    "parts": _parts,
    "searches": _searches,
}
"""What grows in a reply, by its number."""
