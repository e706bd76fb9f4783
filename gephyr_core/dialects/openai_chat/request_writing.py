"""A prompt as a Chat Completions request for a provider."""

from typing import Any

from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import OutputFormat, Prompt
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.message_writing import MessageWriter
from gephyr_core.dialects.openai_chat.reasoning import NAME
from gephyr_core.dialects.openai_chat.schemas import can_be_strict
from gephyr_core.dialects.openai_chat.settings_writing import SettingsWriter
from gephyr_core.dialects.openai_chat.targets import is_mistral, is_openai, tool_name
from gephyr_core.dialects.openai_chat.tool_writing import ToolNames, ToolWriter
from gephyr_core.dialects.translator import Destination, Written

_OUTPUT_TOOL = "reply"
"""Name of the tool that stands in for structured output, and of a schema without a name."""
_JSON_PLEASE = "Reply with a JSON object."
"""OpenAI refuses JSON mode unless the word JSON is said."""


def write_request(prompt: Prompt, destination: Destination, report: Report) -> Written:
    """Write a request; see :class:`gephyr_core.dialects.translator.Translator`."""
    names = ToolNames(takes_freeform=is_openai(destination) or prompt.dialect == NAME)
    names.reserve(prompt.tools)
    body: dict[str, Any] = {"model": destination.model, "messages": []}
    tools = ToolWriter(prompt, destination, report, names, body)
    tools.write()
    structured, wrapped = _output(prompt, destination, report, body)
    system = list(prompt.system)
    if prompt.output is not None and prompt.output.schema is None and prompt.dialect != NAME:
        report.emulated(prompt.output.path, "that JSON is wanted is said in the system prompt too")
        system.append(Text(_JSON_PLEASE))
    body["messages"] = MessageWriter(prompt, destination, report, names).write(system)
    SettingsWriter(prompt, destination, report, body).write()
    if prompt.stream:
        body["stream"] = True
        if not is_mistral(destination):  # It always tells the usage.
            body["stream_options"] = {"include_usage": True}
    return Written(
        body,
        tool_names=names.changed,
        freeform=tuple(tools.freeform),
        structured=structured,
        structured_wrapped=wrapped,
    )


def _output(prompt: Prompt, destination: Destination, report: Report, body: dict[str, Any]) -> tuple[str, bool]:
    """Write what the reply is to be. Returns the name of the tool that stands in for a schema the provider does not
    take, and whether the schema is wrapped there."""
    output = prompt.output
    if output is None:
        return "", False
    if output.schema is None:
        body["response_format"] = {"type": "json_object"}
        return "", False
    is_object = output.schema.get("type") == "object" or prompt.dialect == NAME
    if destination.capabilities.structured_output and is_object:
        body["response_format"] = {"type": "json_schema", "json_schema": _json_schema(output, prompt, report)}
        return "", False
    return _forced(output, destination, report, body), not is_object


def _json_schema(output: OutputFormat, prompt: Prompt, report: Report) -> dict[str, Any]:
    written: dict[str, Any] = {"name": output.name or _OUTPUT_TOOL, "schema": output.schema}
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
    taken = [tool["function"]["name"] for tool in body.get("tools", []) if "function" in tool]
    name = _OUTPUT_TOOL
    while name in taken:
        name += "_"
    schema: dict[str, Any] = output.schema or {}
    if schema.get("type") != "object":
        schema = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    function = {"name": name, "description": output.description or "Gives the reply.", "parameters": schema}
    body.setdefault("tools", []).append({"type": "function", "function": function})
    body["tool_choice"] = "required" if taken else {"type": "function", "function": {"name": name}}
    report.emulated(output.path, "a tool that has to be called stands in for structured output")
    return name
