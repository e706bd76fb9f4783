"""A prompt as a Messages request for a provider."""

from typing import Any

from gephyr_core.conversation.parts import Text
from gephyr_core.conversation.prompt import OutputFormat, Prompt
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.marks import MOST_MARKERS, Marks
from gephyr_core.dialects.anthropic.message_writing import MessageWriter
from gephyr_core.dialects.anthropic.schemas import input_schema, strict_schema
from gephyr_core.dialects.anthropic.settings_writing import SettingsWriter
from gephyr_core.dialects.anthropic.thinking import ThinkingWriter
from gephyr_core.dialects.anthropic.tool_writing import ToolNames, ToolWriter
from gephyr_core.dialects.anthropic.versions import written_version
from gephyr_core.dialects.translator import Destination, Written

_COUNTED = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")
"""What a request that counts tokens takes."""
_OUTPUT_TOOL = "reply"
"""Name of the tool that stands in for structured output."""
_JSON_PLEASE = "Answer with one JSON object and nothing else."


def write_request(prompt: Prompt, destination: Destination, report: Report) -> Written:
    """Write a request; see :class:`gephyr_core.dialects.translator.Translator`."""
    names, marks = ToolNames(), Marks(report)
    body: dict[str, Any] = {"model": destination.model}
    settings = SettingsWriter(prompt, destination, report, body)
    settings.limit()
    tools = ToolWriter(prompt, destination, report, names, marks, body)
    tools.write()
    structured, wrapped = _output(prompt, destination, report, body)
    messages = MessageWriter(prompt, destination, report, names, marks)
    system = messages.texts(prompt.system)
    if prompt.output is not None and prompt.output.schema is None:
        report.emulated(prompt.output.path, "that JSON is wanted is said in the system prompt")
        system += messages.texts([Text(_JSON_PLEASE)])
    if system:
        body["system"] = system
    body["messages"] = messages.write()
    ThinkingWriter(prompt, destination, report, body, goes_on=messages.goes_on).write()
    settings.write()
    marks.settle(MOST_MARKERS - 1 if "cache_control" in body else MOST_MARKERS)
    if prompt.stream:
        body["stream"] = True
    return Written(
        body,
        (written_version(body, prompt, destination),),
        tool_names=names.changed,
        freeform=tuple(tools.freeform),
        structured=structured,
        structured_wrapped=wrapped,
    )


def write_count(prompt: Prompt, destination: Destination, report: Report) -> Written:
    """Write a request that counts the prompt's tokens."""
    written = write_request(prompt, destination, report)
    body = {name: value for name, value in written.body.items() if name in _COUNTED}
    return Written(body, (written_version(body, prompt, destination),))


def _output(prompt: Prompt, destination: Destination, report: Report, body: dict[str, Any]) -> tuple[str, bool]:
    """Write what the reply is to be. Returns the name of the tool that stands in for a schema the model does not take,
    and whether the schema is wrapped there."""
    output = prompt.output
    if output is None or output.schema is None:
        return "", False
    if destination.capabilities.structured_output:
        schema = strict_schema(_described(output), report, output.path)
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}
        return "", False
    if not destination.capabilities.forced_tools:
        raise report.refused(
            output.path, f"model {destination.model!r} takes no schema for its reply, and cannot be made to call a tool"
        )
    taken = [tool.get("name") for tool in body.get("tools", ())]
    name = _OUTPUT_TOOL
    while name in taken:
        name += "_"
    schema, wrapped = output.schema, output.schema.get("type") != "object"
    if wrapped:
        schema = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    tool = {"name": name, "description": output.description or "Gives the reply."}
    tools = body.setdefault("tools", [])
    tools.append({**tool, "input_schema": input_schema(schema, report, output.path)})
    body["tool_choice"] = {"type": "any"} if taken else {"type": "tool", "name": name}
    report.emulated(output.path, "a tool that has to be called stands in for structured output")
    return name, wrapped


def _described(output: OutputFormat) -> dict[str, Any]:
    """The schema with what the client says of it, which has no place of its own."""
    schema = output.schema or {}
    told = [text for text in (output.description, schema.get("description")) if text]
    return {**schema, "description": "\n\n".join(told)} if output.description else schema
