"""A client's Responses request, read."""

from typing import Any

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import Effort, Native, OutputFormat, Prompt, Reasoning, Sampling
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.openai_responses.client_tools import kind_of
from gephyr_core.dialects.openai_responses.input_reading import InputReader
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.openai_responses.tool_reading import read_choice, read_tools

_PATHS = {
    "max_tokens": "max_output_tokens",
    "parallel_tools": "parallel_tool_calls",
    "output": "text.format",
    "verbosity": "text.verbosity",
    "cache_key": "prompt_cache_key",
}
_EFFORTS = {effort.value: effort for effort in Effort if effort is not Effort.ADAPTIVE}
_ELSEWHERE = ("previous_response_id", "conversation", "prompt")
"""What refers to something that OpenAI keeps."""
_MEANINGLESS = ("stream_options", "store")
"""Says nothing about the reply itself: obfuscation of the stream, and what is kept where."""


def read_request(body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
    """Read a request; see :class:`gephyr_core.dialects.translator.Translator`."""
    fields = Fields(body, "", report)
    fields.ignore("model", "stream", *_MEANINGLESS)
    native: dict[str, Native] = {}
    paths = dict(_PATHS)
    system = _instructions(fields)
    keys = ToolKeys(report, kind_of)
    tools = keys.add(read_tools(fields, native))
    reader = InputReader(report, native, tools, keys)
    given = fields.take("input")
    if given is None and not any(body.get(name) for name in _ELSEWHERE):
        raise FieldError("input", "is required")
    reader.read(given)
    settings = fields.child("text")
    output = _output(settings) if settings is not None else None
    verbosity = (settings.text("verbosity") if settings is not None else None) or ""
    if settings is not None:
        _keep(settings, native)
    prompt = Prompt(
        NAME,
        model,
        (*system, *reader.system),
        tuple(reader.turns),
        tuple(tools),
        read_choice(fields, native, tools, keys),
        fields.flag("parallel_tool_calls"),
        _sampling(fields),
        _reasoning(fields, native),
        output,
        verbosity,
        _user(fields, paths, native),
        fields.mapping("metadata"),
        fields.text("service_tier") or "",
        fields.text("prompt_cache_key") or "",
        stream=stream,
        native=native,
        paths=paths,
    )
    _essential(fields, native)
    _keep(fields, native)
    return prompt


def _instructions(fields: Fields) -> list[Text]:
    value = fields.take("instructions")
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [Text(value, path="instructions")]
    raise fields.wrong("instructions", "a string", value)


def _sampling(fields: Fields) -> Sampling:
    top = fields.integer("top_logprobs")
    return Sampling(
        max_tokens=fields.integer("max_output_tokens"),
        temperature=fields.number("temperature"),
        top_p=fields.number("top_p"),
        top_logprobs=top,
    )


def _user(fields: Fields, paths: dict[str, str], native: dict[str, Native]) -> str:
    """Take who the end user is: ``safety_identifier``, or ``user``, which came before it."""
    newer, older = fields.text("safety_identifier"), fields.text("user")
    if not newer:
        return older or ""
    paths["user"] = "safety_identifier"
    if older and older != newer:
        native["user"] = Native(older)
    return newer


def _reasoning(fields: Fields, native: dict[str, Native]) -> Reasoning | None:
    reasoning = fields.child("reasoning")
    if reasoning is None:
        return None
    effort = reasoning.text("effort")
    summary = reasoning.text("summary") or reasoning.text("generate_summary") or ""
    if effort is not None and effort not in _EFFORTS:
        raise FieldError(reasoning.at("effort"), f"expected one of {', '.join(_EFFORTS)}, got {effort!r}")
    _keep(reasoning, native)
    if effort is None and not summary:
        return None
    return Reasoning(_EFFORTS[effort] if effort else None, shown=True if summary else None, summary=summary)


def _output(settings: Fields) -> OutputFormat | None:
    form = settings.child("format")
    if form is None:
        return None
    kind, path = form.required_text("type"), form.path
    if kind == "text":
        read = None
    elif kind == "json_object":
        read = OutputFormat(path=path)
    elif kind == "json_schema":
        read = OutputFormat(
            form.mapping("schema") or {},
            form.text("name") or "",
            form.text("description") or "",
            form.flag("strict"),
            path=path,
        )
    else:
        raise FieldError(form.at("type"), f"expected text, json_object or json_schema, got {kind!r}")
    form.finish()
    return read


def _essential(fields: Fields, native: dict[str, Native]) -> None:
    """Take what cannot be left out without changing what is asked for."""
    if fields.flag("background"):
        native["background"] = Native(value=True, essential=True)
    for name in _ELSEWHERE:
        value = fields.take(name)
        if value is not None:
            native[name] = Native(value, essential=True)


def _keep(fields: Fields, native: dict[str, Native]) -> None:
    """Keep what is left for a provider of this dialect. ``null`` is absent."""
    for name, value in fields.left.items():
        if value is not None:
            native[fields.at(name)] = Native(value)
    fields.left.clear()
