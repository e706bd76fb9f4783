"""A prompt as a Responses request for a provider."""

from typing import Any

import attrs

from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import OutputFormat, Prompt
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.schemas import can_be_strict
from gephyr_core.dialects.openai_chat.targets import is_openai, tool_name
from gephyr_core.dialects.openai_responses.item_writing import NO_MARKERS, ItemWriter, takes_markers
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.openai_responses.settings_writing import SettingsWriter
from gephyr_core.dialects.openai_responses.tool_writing import ToolNames, ToolWriter
from gephyr_core.dialects.translator import Destination, Written

_OUTPUT = "reply"
"""Name of the tool that stands in for structured output, and of a schema without a name."""
_JSON_PLEASE = "Reply with a JSON object."
"""OpenAI refuses JSON mode unless the word JSON stands in ``input``; it does not look at ``instructions``."""
_COUNTED = ("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "text")
"""What the counting endpoint takes."""


def write_request(prompt: Prompt, destination: Destination, report: Report) -> Written:
    """Write a request; see :class:`gephyr_core.dialects.translator.Translator`."""
    names = ToolNames(takes_freeform=is_openai(destination) or prompt.dialect == NAME)
    names.reserve(prompt.tools)
    body: dict[str, Any] = {"model": destination.model} if destination.model else {}  # A stored prompt may hold it.
    tools = ToolWriter(prompt, destination, report, names, body)
    tools.write()
    structured, wrapped = _output(prompt, destination, report, body)
    instructions, system = _system(prompt, destination, report)
    if instructions:
        body["instructions"] = instructions
    body["input"] = ItemWriter(prompt, destination, report, names).write(system)
    SettingsWriter(prompt, destination, report, body).write()
    if prompt.stream:
        body["stream"] = True
    return Written(
        body,
        tool_names=names.changed,
        freeform=tuple(tools.freeform),
        structured=structured,
        structured_wrapped=wrapped,
    )


def write_count(prompt: Prompt, destination: Destination, report: Report) -> Written | None:
    """Write a request that counts tokens; None where the provider has no endpoint for it."""
    if not is_openai(destination):
        return None
    body = write_request(prompt, destination, report).body
    return Written({name: body[name] for name in _COUNTED if name in body})


def _system(prompt: Prompt, destination: Destination, report: Report) -> tuple[str, tuple[Text, ...]]:
    """Return the instructions, and what stands as a developer's message instead.

    ``instructions`` has no place for cache markers, and OpenAI refuses a request with instructions and no input.
    """
    system = [text for text in prompt.system if text.text]
    please = _json_please(prompt, report)
    if takes_markers(prompt, destination) and any(text.cache is not None for text in system):
        return "", (*system, *please)
    for text in system:
        if text.cache is not None:
            report.dropped(text.cache.path or text.path, NO_MARKERS.format(destination.model))
    if not prompt.turns and prompt.dialect != NAME:
        return "", (*(attrs.evolve(text, cache=None) for text in system), *please)
    return "\n\n".join(text.text for text in system), please


def _json_please(prompt: Prompt, report: Report) -> tuple[Text, ...]:
    """What JSON mode wants said in the input: always, since a prefix is to be the same whatever comes after it."""
    output = prompt.output
    if output is None or output.schema is not None or prompt.dialect == NAME:
        return ()
    report.emulated(output.path, "that JSON is wanted is said in a developer's message too")
    return (Text(_JSON_PLEASE),)


def _output(prompt: Prompt, destination: Destination, report: Report, body: dict[str, Any]) -> tuple[str, bool]:
    """Write what the reply is to be. Returns the name of the tool that stands in for a schema the provider does not
    take, and whether the schema is wrapped there."""
    output = prompt.output
    if output is None:
        return "", False
    if output.schema is None:
        body["text"] = {"format": {"type": "json_object"}}
        return "", False
    is_object = output.schema.get("type") == "object" or prompt.dialect == NAME
    if destination.capabilities.structured_output and is_object:
        body["text"] = {"format": _json_schema(output, prompt, report)}
        return "", False
    return _forced(output, destination, report, body), not is_object


def _json_schema(output: OutputFormat, prompt: Prompt, report: Report) -> dict[str, Any]:
    written: dict[str, Any] = {"type": "json_schema", "name": output.name or _OUTPUT, "schema": output.schema}
    if output.description:
        written["description"] = output.description
    strict = output.strict
    if prompt.dialect != NAME:
        written["name"] = tool_name(written["name"])
        assert output.schema is not None
        possible = can_be_strict(output.schema)
        if strict and not possible:
            report.changed(output.path, "the schema cannot be held to strictly: OpenAI wants all fields required")
        strict = possible if strict is not False else False
    if strict is not None:
        written["strict"] = strict
    return written


def _forced(output: OutputFormat, destination: Destination, report: Report, body: dict[str, Any]) -> str:
    if not destination.capabilities.forced_tools:
        raise report.refused(
            output.path, f"model {destination.model!r} takes no schema for its reply, and cannot be made to call a tool"
        )
    taken = [tool.get("name") for tool in body.get("tools", [])]
    name = _OUTPUT
    while name in taken:
        name += "_"
    schema: dict[str, Any] = output.schema or {}
    if schema.get("type") != "object":
        schema = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    described = {"description": output.description or "Gives the reply."}
    tool = {"type": "function", "name": name, **described, "parameters": schema, "strict": False}
    body["tools"] = [*body.get("tools", []), tool]
    body["tool_choice"] = "required" if taken else {"type": "function", "name": name}
    report.emulated(output.path, "a tool that has to be called stands in for structured output")
    return name
