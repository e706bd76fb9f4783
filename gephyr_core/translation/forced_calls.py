"""Calls that a client forces, of models that cannot be made to call a tool: a schema for the whole reply stands in.

Some models refuse a forced call, always or while they think, and take a schema for their reply. That schema is then the
tool's own, or says which of several tools is called with which arguments; :mod:`gephyr_core.translation.calls_of_text`
makes the call of the reply.
"""

from typing import Any

import attrs

from gephyr_core.conversation.prompt import (
    Choice,
    ClientTool,
    Effort,
    FreeformTool,
    FunctionTool,
    HostedTool,
    OutputFormat,
    Prompt,
    Reasoning,
    Tool,
    ToolChoice,
    called,
)
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.schema import inlined
from gephyr_core.dialects.translator import Destination, StandIn, Written

FORCING = (Choice.REQUIRED, Choice.NAMED, Choice.REQUIRED_OF)
"""Choices that leave the model no way but to call a tool."""
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
_NOT_PLAIN = ("anyOf", "oneOf", "allOf", "not", "enum", "if", "$ref")
"""What a root has that not every provider takes for a reply's schema."""
_PLAIN_ROOTS = ("openai-chat", "openai-responses")
"""Dialects in which a reply's schema has an object at its root."""
_OF_ROOT = ("$schema", "$id")
"""What means nothing inside another schema."""


def possible_calls(prompt: Prompt, destination: Destination, report: Report) -> tuple[Prompt, StandIn | None]:
    """Return *prompt* as the destination's model can be asked for the call that it forces; with it what stands in for
    the forced call, if something does. A model for which nothing can is asked as it is, and the writer refuses it."""
    choice, capabilities = prompt.tool_choice, destination.capabilities
    forces = choice is not None and choice.choice in FORCING
    thinks = prompt.reasoning is not None and prompt.reasoning.is_wanted
    hindered = thinks and not capabilities.forced_tools_with_thinking
    if not (forces or _is_had_by_a_call(prompt, destination)) or (capabilities.forced_tools and not hindered):
        return prompt, None
    tools = _callable(prompt.tools, choice) if choice is not None and forces else []
    if tools and choice is not None and capabilities.structured_output:
        return _with_schema(prompt, tools, choice, destination, report)
    if not forces and capabilities.structured_output:
        return _with_root(prompt, report)
    if capabilities.forced_tools:
        reason = f"model {destination.model!r} does not think where it is made to call a tool"
        report.dropped(prompt.path("reasoning"), reason)
        return attrs.evolve(prompt, reasoning=Reasoning(Effort.NONE)), None
    return prompt, None


def _is_had_by_a_call(prompt: Prompt, destination: Destination) -> bool:
    """Whether a forced call stands in for a schema of the reply: the other way round."""
    if prompt.output is None or prompt.output.schema is None:
        return False
    return not destination.capabilities.structured_output or (
        destination.dialect in _PLAIN_ROOTS and prompt.output.schema.get("type") != "object"
    )


def with_stand_in(written: Written, stand_in: StandIn | None) -> Written:
    """Return the request with what the reply's reader has to know."""
    if stand_in is None:
        return written
    freeform = tuple(dict.fromkeys((*written.freeform, *stand_in.freeform)))
    return attrs.evolve(written, stand_in=stand_in, freeform=freeform)


def _with_root(prompt: Prompt, report: Report) -> tuple[Prompt, StandIn]:
    """Put the reply's schema into an object: the provider takes no other root, and no call can stand in."""
    output = prompt.output
    assert output is not None
    assert output.schema is not None
    report.emulated(output.path, "the reply is a member of an object, which is taken off again")
    within = attrs.evolve(output, schema=_object(value=output.schema))
    return attrs.evolve(prompt, output=within), StandIn(of_value=True)


def _callable(tools: tuple[Tool, ...], choice: ToolChoice) -> list[FunctionTool | FreeformTool | ClientTool]:
    """The tools that may be called, of those that the client runs."""
    names = dict.fromkeys(choice.names)
    everything = choice.choice is Choice.REQUIRED
    return [tool for tool in tools if not isinstance(tool, HostedTool) and (everything or called(tool) in names)]


def _with_schema(
    prompt: Prompt,
    tools: list[FunctionTool | FreeformTool | ClientTool],
    choice: ToolChoice,
    destination: Destination,
    report: Report,
) -> tuple[Prompt, StandIn]:
    schemas = [_arguments(tool) for tool in tools]
    name = called(tools[0])
    alone = len(tools) == 1 and _is_plain(schemas[0])
    if alone:
        schema, description = schemas[0], f"The reply is the input of a call of the tool {name!r}."
    else:
        calls = [_call(tool, one, report) for tool, one in zip(tools, schemas, strict=True)]
        schema = _object(call=calls[0] if len(calls) == 1 else {"anyOf": calls})
        description = "The reply is a call of a tool: the tool's name, and the arguments of the call."
    report.emulated(
        choice.path,
        f"model {destination.model!r} cannot be made to call a tool: it is given a schema for its reply, which comes "
        "back as the call, one at a time",
    )
    if prompt.output is not None:
        report.dropped(prompt.output.path, "the reply is a call of a tool, and has no text")
    for tool in prompt.tools:
        if isinstance(tool, HostedTool):
            report.dropped(tool.path, "no tool of the provider's is called where a schema stands in for a call")
    fitted = attrs.evolve(
        prompt,
        tool_choice=ToolChoice(Choice.NONE, path=choice.path),
        parallel_tools=None,
        output=OutputFormat(schema, name if alone else "call", description, path=choice.path),
    )
    freeform = tuple(tool.name for tool in tools if isinstance(tool, FreeformTool))
    return fitted, StandIn(name if alone else "", freeform)


def _arguments(tool: FunctionTool | FreeformTool | ClientTool) -> dict[str, Any]:
    """The schema of a call's arguments."""
    if isinstance(tool, FreeformTool):
        described = {"description": f"It follows this {tool.syntax} grammar:\n{tool.definition}"} if tool.syntax else {}
        return _object(input={"type": "string", **described})
    schema = tool.function.schema if isinstance(tool, ClientTool) else tool.schema
    if not schema:
        return _NO_ARGUMENTS
    return schema if "type" in schema or any(key in schema for key in _NOT_PLAIN) else {"type": "object", **schema}


def _is_plain(schema: dict[str, Any]) -> bool:
    return schema.get("type") == "object" and not any(key in schema for key in _NOT_PLAIN)


def _call(tool: FunctionTool | FreeformTool | ClientTool, schema: dict[str, Any], report: Report) -> dict[str, Any]:
    whole = inlined(schema, report, tool.path)
    arguments = {key: value for key, value in whole.items() if key not in _OF_ROOT}
    return _object(name={"type": "string", "enum": [called(tool)]}, arguments=arguments)


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
