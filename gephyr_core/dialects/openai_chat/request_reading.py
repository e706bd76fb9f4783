"""A client's Chat Completions request, read."""

from typing import Any

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.prompt import (
    ClientTool,
    Effort,
    Native,
    OutputFormat,
    Prompt,
    Reasoning,
    Sampling,
)
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.message_reading import MessageReader
from gephyr_core.dialects.openai_chat.reasoning import INCLUDE, NAME
from gephyr_core.dialects.openai_chat.tool_reading import read_choice, read_tools

_PATHS = {
    "candidates": "n",
    "parallel_tools": "parallel_tool_calls",
    "output": "response_format",
    "cache_key": "prompt_cache_key",
    "include_usage": "stream_options.include_usage",
}
_EFFORTS = {effort.value: effort for effort in Effort}
_SWITCHED_OFF = (
    ("thinking", {"type": "disabled"}),
    ("enable_thinking", False),
    ("chat_template_kwargs", {"enable_thinking": False}),
    ("chat_template_kwargs", {"thinking": False}),
)
"""What switches reasoning off at DeepSeek, Z.ai and Kimi, at Qwen, and under vLLM and SGLang."""


def read_request(body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
    """Read a request; see :class:`gephyr_core.dialects.translator.Translator`."""
    fields = Fields(body, "", report)
    fields.ignore("model", "stream")
    native: dict[str, Native] = {}
    paths = dict(_PATHS)
    reader = MessageReader(report)
    if fields.left.get("messages") is None:
        raise FieldError("messages", "is required")
    reader.read(fields.array("messages"))
    tools = tuple(read_tools(fields))
    parallel = fields.flag("parallel_tool_calls")
    if any(isinstance(tool, ClientTool) for tool in tools):
        parallel = False  # A legacy reply holds one function_call.
    prompt = Prompt(
        NAME,
        model,
        tuple(reader.system),
        tuple(reader.turns),
        tools,
        read_choice(fields),
        parallel,
        read_sampling(fields, paths),
        _reasoning(fields, paths, native),
        _output(fields),
        fields.text("verbosity") or "",
        read_user(fields, paths, native),
        fields.mapping("metadata"),
        fields.text("service_tier") or "",
        fields.text("prompt_cache_key") or "",
        stream=stream,
        include_usage=read_include_usage(fields),
        native=native,
        paths=paths,
    )
    _modalities(fields, native)
    keep_native(fields, native)
    return prompt


def read_sampling(fields: Fields, paths: dict[str, str]) -> Sampling:
    """Take how tokens are drawn, and how many."""
    newer, older = fields.integer("max_completion_tokens"), fields.integer("max_tokens")
    if newer is not None:
        paths["max_tokens"] = "max_completion_tokens"
        if older is not None and older != newer:
            fields.report.dropped("max_tokens", "max_completion_tokens counts")
    return Sampling(
        max_tokens=older if newer is None else newer,
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_k=fields.integer("top_k"),
        frequency_penalty=fields.number("frequency_penalty"),
        presence_penalty=fields.number("presence_penalty"),
        seed=fields.integer("seed"),
        stop=fields.texts("stop"),
        logit_bias=fields.mapping("logit_bias") or None,
        logprobs=fields.flag("logprobs") or None,
        top_logprobs=fields.integer("top_logprobs"),
        candidates=fields.integer("n"),
    )


def read_user(fields: Fields, paths: dict[str, str], native: dict[str, Native]) -> str:
    """Take who the end user is: ``safety_identifier``, or ``user``, which came before it."""
    newer, older = fields.text("safety_identifier"), fields.text("user")
    if not newer:
        return older or ""
    paths["user"] = "safety_identifier"
    if older and older != newer:
        native["user"] = Native(older)
    return newer


def read_include_usage(fields: Fields) -> bool:
    """Take ``stream_options``."""
    options = fields.child("stream_options")
    if options is None:
        return False
    include = options.flag("include_usage") or False
    options.ignore("include_obfuscation")
    options.finish()
    return include


def keep_native(fields: Fields, native: dict[str, Native]) -> None:
    """Keep what is left for a provider of this dialect: others are told what they cannot have. ``null`` is absent."""
    for name, value in fields.left.items():
        if value is not None:
            native[name] = Native(value)
    fields.left.clear()


def _modalities(fields: Fields, native: dict[str, Native]) -> None:
    """Take what asks for spoken replies, which no other dialect's provider gives."""
    wanted = fields.texts("modalities")
    if any(modality != "text" for modality in wanted):
        native["modalities"] = Native(list(wanted), essential=True)
    audio = fields.mapping("audio")
    if audio is not None:
        native["audio"] = Native(audio, essential=True)


def _reasoning(fields: Fields, paths: dict[str, str], native: dict[str, Native]) -> Reasoning | None:
    """Take OpenRouter's ``reasoning``, or ``reasoning_effort``, with the older ``include_reasoning``."""
    plain, nested, shown = fields.text("reasoning_effort"), fields.child("reasoning"), fields.flag(INCLUDE)
    if nested is None:
        if plain is None and (switch := _taken_switch(fields)):
            paths["reasoning"] = switch
            return Reasoning(Effort.NONE, shown=shown)
        paths["reasoning"] = "reasoning_effort" if plain is not None or shown is None else INCLUDE
        if plain is not None and plain not in _EFFORTS:
            native["reasoning_effort"] = Native(plain)
            plain = None
        if plain is None and shown is None:
            return None
        return Reasoning(None if plain is None else _EFFORTS[plain], shown=shown)
    if plain is not None:
        fields.report.dropped("reasoning_effort", "reasoning counts")
    effort, budget = nested.text("effort"), nested.integer("max_tokens")
    enabled, exclude = nested.flag("enabled"), nested.flag("exclude")
    summary = nested.text("summary") or ""
    if effort is not None and effort not in _EFFORTS:
        raise FieldError(nested.at("effort"), f"expected one of {', '.join(_EFFORTS)}, got {effort!r}")
    nested.finish()
    level = _EFFORTS[effort] if effort else None
    if enabled is False:
        level = Effort.NONE
    elif enabled and level is None and budget is None:
        level = Effort.MEDIUM
    return Reasoning(level, budget, shown=shown if exclude is None else not exclude, summary=summary)


def _taken_switch(fields: Fields) -> str:
    """Take what switches reasoning off at providers with a field of their own; empty where nothing does."""
    for name, value in _SWITCHED_OFF:
        if fields.left.get(name) == value and type(fields.left[name]) is type(value):
            fields.ignore(name)
            return name
    return ""


def _output(fields: Fields) -> OutputFormat | None:
    output = fields.child("response_format")
    if output is None:
        return None
    kind, path = output.required_text("type"), output.path
    if kind == "text":
        read = None
    elif kind == "json_object":
        read = OutputFormat(path=path)
    elif kind == "json_schema":
        schema = output.child("json_schema")
        if schema is None:
            raise FieldError(output.at("json_schema"), "is required")
        read = OutputFormat(
            schema.mapping("schema") or {},
            schema.text("name") or "",
            schema.text("description") or "",
            schema.flag("strict"),
            path=path,
        )
        schema.finish()
    else:
        raise FieldError(output.at("type"), f"expected text, json_object or json_schema, got {kind!r}")
    output.finish()
    return read
