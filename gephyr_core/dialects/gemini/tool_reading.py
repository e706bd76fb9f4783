"""Tools of a client's request, and which of them the model may use."""

from typing import Any

from gephyr_core.conversation.prompt import Choice, FunctionTool, HostedTool, Native, Tool, ToolChoice
from gephyr_core.conversation.schema import SCHEMA_KEYS, SCHEMA_LISTS, SCHEMA_MAPS, subschemas
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.gemini.hosted import TOOL_KINDS
from gephyr_core.dialects.gemini.messages import NAME, Message, camel_case, enum_word

NATIVE_OF_FUNCTION = ("behavior", "response", "responseJsonSchema")
"""Fields of a function's declaration that only Gemini has."""
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")
_TYPES = ("TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")
_DEEPEST = 100
_ORDERING = frozenset(("propertyOrdering", "property_ordering"))


def read_tools(body: Message, native: dict[str, Native]) -> list[Tool]:
    """Take ``tools``, each of which may be several."""
    tools: list[Tool] = []
    for tool in body.children("tools"):
        tools += [_function(function, native) for function in tool.children("functionDeclarations")]
        for name in list(tool.left):
            options = tool.take(name)
            if options is None:
                continue
            excluded = options.get("excludeDomains") if isinstance(options, dict) else None
            tools.append(
                HostedTool(
                    TOOL_KINDS.get(name, name),
                    name,
                    NAME,
                    {name: options},
                    blocked_domains=_texts(excluded),
                    path=tool.at(name),
                )
            )
        tool.finish()
    return ToolKeys(body.report).add(tools)


def _function(function: Message, native: dict[str, Native]) -> FunctionTool:
    for name in NATIVE_OF_FUNCTION:
        if (value := function.take(name)) is not None:
            native[f"{function.path}.{name}"] = Native(value)
    plain, subset = function.mapping("parametersJsonSchema"), function.mapping("parameters")
    if plain is not None and subset is not None:
        function.report.dropped(function.at("parameters"), "parametersJsonSchema counts")
    schema = plain_schema(plain) if plain is not None else json_schema(subset) if subset is not None else None
    read = FunctionTool(
        function.required_text("name"),
        function.text("description") or "",
        schema,
        path=function.path,
    )
    function.finish()
    return read


def read_choice(body: Message, native: dict[str, Native]) -> ToolChoice | None:
    """Take ``toolConfig``."""
    config = body.child("toolConfig")
    if config is None:
        return None
    choice = None
    calling = config.child("functionCallingConfig")
    if calling is not None:
        choice = _choice(calling)
        calling.finish()
    for name in list(config.left):
        if (value := config.take(name)) is not None:
            native[config.at(name)] = Native(value)
    return choice


def _choice(calling: Message) -> ToolChoice | None:
    mode = calling.word("mode", _MODES)
    names = calling.texts("allowedFunctionNames")
    path = calling.path
    if mode == "NONE":
        return ToolChoice(Choice.NONE, path=path)
    if mode == "ANY" and names:
        return ToolChoice(Choice.NAMED if len(names) == 1 else Choice.REQUIRED_OF, names, path=path)
    if mode == "ANY":
        return ToolChoice(Choice.REQUIRED, path=path)
    if mode == "VALIDATED" and names:
        return ToolChoice(Choice.ALLOWED, names, path=path)
    if mode == "VALIDATED":
        calling.report.changed(path, "calls are not held to their schema: VALIDATED is carried as AUTO")
    return None if mode is None else ToolChoice(Choice.AUTO, path=path)


# -- schemas ----------------------------------------------------------------------------------------------------------


def plain_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Read what a ``...JsonSchema`` field holds: JSON Schema, in which Google takes its own names of types, too, as
    Gemini CLI writes them, and its ``propertyOrdering``."""
    waiting = [schema]
    while waiting:
        current = waiting.pop()
        kind = current.get("type")
        if (isinstance(kind, str) and kind in _TYPES) or not _ORDERING.isdisjoint(current):
            return json_schema(schema)
        waiting.extend(subschemas(current))
    return schema


def json_schema(schema: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    """Read Google's ``Schema``, OpenAPI's, as JSON Schema: types in lower case, ``nullable`` as a type or as null among
    what is allowed, counts that came as strings as numbers, properties in the order of ``propertyOrdering``, which is
    the one that the model writes them in. Makes a copy."""
    if depth > _DEEPEST:
        return {}
    read: dict[str, Any] = {}
    nullable, ordering = False, None
    for spelled, value in schema.items():
        name = camel_case(spelled)
        if value is None:
            continue
        if name == "type":
            kind = enum_word(value, _TYPES) if isinstance(value, str | int) else None
            if kind != _TYPES[0]:
                read["type"] = kind.lower() if kind else value
        elif name == "nullable":
            nullable = value is True
        elif name in _COUNTS and isinstance(value, str) and value.isdecimal() and len(value) < 20:
            read[name] = int(value)
        elif name == "propertyOrdering":
            ordering = value
        else:
            read[name] = _inner(name, value, depth + 1)
    if isinstance(ordering, list) and isinstance(read.get("properties"), dict):
        read["properties"] = _ordered(read["properties"], ordering)
    return _with_null(read) if nullable else read


def _ordered(properties: dict[str, Any], ordering: list[Any]) -> dict[str, Any]:
    """The properties in order; those that it does not name follow as they stand."""
    named = {name: properties[name] for name in ordering if isinstance(name, str) and name in properties}
    return {**named, **properties}


def _inner(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        if name in SCHEMA_KEYS:
            return json_schema(value, depth)
        if name in SCHEMA_MAPS or name in ("$defs", "definitions", "defs"):
            return {key: json_schema(one, depth) if isinstance(one, dict) else one for key, one in value.items()}
    elif isinstance(value, list) and name in SCHEMA_LISTS:
        return [json_schema(one, depth) if isinstance(one, dict) else one for one in value]
    return value


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, that takes null too."""
    kind = schema.get("type")
    if isinstance(kind, str) and kind != "null":
        schema["type"] = [kind, "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    elif isinstance(schema.get("anyOf"), list) and {"type": "null"} not in schema["anyOf"]:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
