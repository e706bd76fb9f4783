"""A client's Messages request, read."""

from typing import Any

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import (
    Effort,
    Native,
    OutputFormat,
    Prompt,
    Reasoning,
    Role,
    Sampling,
    Turn,
)
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.blocks_reading import BlockReader
from gephyr_core.dialects.anthropic.names import NAME, read_cache
from gephyr_core.dialects.anthropic.tool_reading import read_choice, read_tools

_PATHS = {
    "stop": "stop_sequences",
    "parallel_tools": "tool_choice.disable_parallel_tool_use",
    "user": "metadata.user_id",
    "cache": "cache_control",
    "reasoning": "thinking",
}
_ESSENTIAL = ("mcp_servers", "container")
"""Fields of this dialect without which a request means something else: they set up tools that Anthropic runs."""
_ROLES = {role.value: role for role in Role}
_EFFORTS = {effort.value: effort for effort in Effort}
_THINKING = ("enabled", "adaptive", "disabled", "between_tools")
_SHOWN = {"summarized": True, "omitted": False}


def read_request(body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
    """Read a request, or one that counts its tokens; see :class:`gephyr_core.dialects.translator.Translator`."""
    fields = Fields(body, "", report)
    fields.ignore("model", "stream")
    native: dict[str, Native] = {}
    paths = dict(_PATHS)
    if fields.left.get("messages") is None:
        raise FieldError("messages", "is required")
    reader = BlockReader(native)
    choice, parallel = read_choice(fields)
    effort, output = _output_config(fields, native)
    reasoning = _thinking(fields, native, effort)
    if reasoning is not None and effort and reasoning.budget is None:
        paths["reasoning"] = "output_config.effort"
    prompt = Prompt(
        NAME,
        model,
        _system(fields, reader),
        tuple(_turn(message, reader) for message in fields.children("messages")),
        tuple(read_tools(fields, native)),
        choice,
        parallel,
        _sampling(fields),
        reasoning,
        output or _format(fields.child("output_format")),
        user=_user(fields),
        service_tier=fields.text("service_tier") or "",
        cache=read_cache(fields),
        stream=stream,
        native=native,
        paths=paths,
    )
    for name, value in fields.left.items():
        if value is not None:
            essential = name in _ESSENTIAL and bool(value)
            native[name] = Native(value, essential=essential, hosted=essential)
    fields.left.clear()
    return prompt


def _system(fields: Fields, reader: BlockReader) -> tuple[Text, ...]:
    value = fields.left.get("system")
    if isinstance(value, str):
        del fields.left["system"]
        return (Text(value, path="system"),) if value else ()
    texts: list[Text] = []
    for block in fields.children("system"):
        texts += [part for part in reader.block(block) if isinstance(part, Text)]
        block.finish()
    return tuple(texts)


def _turn(message: Fields, reader: BlockReader) -> Turn:
    role = message.required_text("role")
    if role not in _ROLES:
        raise FieldError(message.at("role"), f"expected user, assistant or system, got {role!r}")
    if message.left.get("content") is None:
        raise FieldError(message.at("content"), "is required")
    parts = tuple(reader.content(message))
    message.finish()
    return Turn(_ROLES[role], parts, path=message.path)


def _sampling(fields: Fields) -> Sampling:
    return Sampling(
        max_tokens=fields.integer("max_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.integer("top_k"),
        stop=fields.texts("stop_sequences"),
    )


def _user(fields: Fields) -> str:
    metadata = fields.child("metadata")
    if metadata is None:
        return ""
    user = metadata.text("user_id") or ""
    metadata.finish()
    return user


def _output_config(fields: Fields, native: dict[str, Native]) -> tuple[str, OutputFormat | None]:
    """Take ``output_config``: the effort, and what the reply is to be."""
    config = fields.child("output_config")
    if config is None:
        return "", None
    effort, output = config.text("effort") or "", _format(config.child("format"))
    if effort and effort not in _EFFORTS:
        native[config.at("effort")] = Native(effort)
        effort = ""
    for name, value in config.left.items():
        if value is not None:
            native[config.at(name)] = Native(value)
    return effort, output


def _format(output: Fields | None) -> OutputFormat | None:
    if output is None:
        return None
    kind = output.required_text("type")
    if kind != "json_schema":
        raise FieldError(output.at("type"), f"expected json_schema, got {kind!r}")
    schema = output.mapping("schema")
    if schema is None:
        raise FieldError(output.at("schema"), "is required")
    output.finish()
    return OutputFormat(schema, strict=True, path=output.path)


def _thinking(fields: Fields, native: dict[str, Native], effort: str) -> Reasoning | None:
    """Take ``thinking``, with the effort that ``output_config`` told."""
    level = _EFFORTS[effort] if effort else None
    thinking = fields.child("thinking")
    if thinking is None:
        return Reasoning(level) if level else None
    kind = thinking.required_text("type")
    if kind not in _THINKING:
        raise FieldError(thinking.at("type"), f"expected one of {', '.join(_THINKING)}, got {kind!r}")
    budget, display = thinking.integer("budget_tokens"), thinking.text("display") or ""
    if display and display not in _SHOWN:
        native[thinking.at("display")] = Native(display)
    for name, value in thinking.left.items():
        if value is not None:
            native[thinking.at(name)] = Native(value)
    if kind == "disabled":
        if effort:  # It is about the length of the answer then.
            native["output_config.effort"] = Native(effort)
        level = Effort.NONE
    elif level is None and kind != "enabled":
        level = Effort.ADAPTIVE
    return Reasoning(level, budget, kind, _SHOWN.get(display))
