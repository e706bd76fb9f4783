"""Tools that the client runs and whose shape OpenAI knows by their type: what stands in for them as a function, and
their calls and outputs as a function's.

A function of a namespace is one of these too. Elsewhere it is called ``namespace__function``.
"""

from typing import Any

import msgspec

from gephyr_core.conversation.prompt import ClientTool, FunctionTool
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.decoding import decode, mapping, text
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.rendering import encode_json

NAMESPACE = "namespace "
"""How the type of a namespace's function begins; the namespace follows."""
NAMESPACE_FREEFORM = "freeform namespace "
"""The same for a freeform tool in a namespace."""

MARKS = (NAMESPACE_FREEFORM, NAMESPACE)
TYPED = "typed"

_STRINGS = {"type": "array", "items": {"type": "string"}}
_MILLISECONDS = {"type": "integer", "description": "Milliseconds until the command is stopped."}


def _schema(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


FREEFORM_SCHEMA = {**_schema("input", input={"type": "string"}), "additionalProperties": False}

_FUNCTIONS = {
    "local_shell": FunctionTool(
        "local_shell",
        "Runs a command on the user's machine and returns its output.",
        _schema(
            "command",
            command={**_STRINGS, "description": "The program and its arguments."},
            env={"type": "object", "additionalProperties": {"type": "string"}},
            timeout_ms=_MILLISECONDS,
            working_directory={"type": "string"},
        ),
    ),
    "shell": FunctionTool(
        "shell",
        "Runs shell commands on the user's machine and returns their output as JSON.",
        _schema(
            "commands",
            commands={**_STRINGS, "description": "Commands, run one after the other."},
            timeout_ms=_MILLISECONDS,
            max_output_length={"type": "integer", "description": "Characters of output that are returned."},
        ),
    ),
    "apply_patch": FunctionTool(
        "apply_patch",
        "Creates, updates or deletes one file. An update's diff is in the V4A format: lines that begin with @@ anchor "
        "a hunk, and its lines begin with a space, + or -. A new file's diff is its lines, each behind a +.",
        _schema(
            "type path",
            type={"type": "string", "enum": ["create_file", "update_file", "delete_file"]},
            path={"type": "string"},
            diff={"type": "string", "description": "Needed unless the file is deleted."},
        ),
    ),
    "computer": FunctionTool(
        "computer",
        "Acts on the user's screen: click, double_click, drag, keypress, move, screenshot, scroll, type, wait.",
        _schema(
            "actions",
            actions={
                "type": "array",
                "items": {
                    **_schema(
                        "type",
                        type={"type": "string"},
                        x={"type": "integer"},
                        y={"type": "integer"},
                        scroll_x={"type": "integer"},
                        scroll_y={"type": "integer"},
                        button={"type": "string"},
                        keys=_STRINGS,
                        text={"type": "string"},
                        path={"type": "array", "items": _schema("x y", x={"type": "integer"}, y={"type": "integer"})},
                    ),
                },
            },
        ),
    ),
    "tool_search": FunctionTool(
        "tool_search",
        "Finds further tools for a task.",
        _schema("query", query={"type": "string"}),
    ),
}
_TYPES = {"computer_use_preview": "computer", "computer_use": "computer"}
_CALLS = {
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
    "computer_call": ("computer", "actions"),
    "tool_search_call": ("tool_search", "arguments"),
}
CALL_TYPES = tuple(_CALLS)
OUTPUT_TYPES = {
    "local_shell_call_output": "local_shell",
    "shell_call_output": "shell",
    "apply_patch_call_output": "apply_patch",
    "computer_call_output": "computer",
    "tool_search_output": "tool_search",
}
"""The outputs' types to the functions' names."""


def client_tool(kind: str, options: dict[str, Any], path: str) -> ClientTool | None:
    """The client tool of a type; None where the type is no client's."""
    function = _FUNCTIONS.get(_TYPES.get(kind, kind))
    if function is None:
        return None
    if kind == "tool_search":
        described = text(options.get("description")) or function.description
        function = FunctionTool(function.name, described, mapping(options.get("parameters")) or function.schema)
    return ClientTool(kind, NAME, options, function, path=path)


def flat_name(namespace: str, name: str) -> str:
    """The name of a namespace's function elsewhere. A function that a search found is in a namespace of its name."""
    return name if namespace in ("", name) else f"{namespace}__{name}"


def namespace_of(tool: ClientTool) -> str:
    """The namespace of a tool that is in one."""
    for mark in MARKS:
        if tool.type.startswith(mark):
            return tool.type.removeprefix(mark)
    return ""


def kind_of(tool: ClientTool) -> str:
    """What tells a typed tool from others of its name: the namespace that it is in, or that it is typed."""
    namespace = namespace_of(tool)
    return f"{NAMESPACE}{namespace}" if namespace else TYPED


def known_name(keys: ToolKeys | None, namespace: str, name: str) -> str:
    """The name by which the function is known here that a call or a choice speaks of. A function that a search found
    is in a namespace of its own name."""
    known = None if keys is None else keys.of(f"{NAMESPACE}{namespace}" if namespace else "", name)
    if known is None and keys is not None and namespace == name:
        known = keys.of("", name)
    return known or flat_name(namespace, name)


def read_call(kind: str, item: dict[str, Any]) -> tuple[str, str]:
    """The function's name and arguments that a call of the type *kind* means."""
    name, field = _CALLS[kind]
    told = item.get(field)
    if kind == "computer_call":
        action = item.get("action")
        told = {"actions": told if isinstance(told, list) else [action] if isinstance(action, dict) else []}
    elif kind == "local_shell_call" and isinstance(told, dict):
        told = {key: value for key, value in told.items() if key != "type"}
    if isinstance(told, str):
        return name, told or "{}"
    return name, encode_json(told if isinstance(told, dict) else {}).decode()


def write_call(kind: str, arguments: str) -> dict[str, Any] | None:
    """The item of a typed call, without ids and status; None where the arguments do not fit its shape."""
    told = mapping(decode(_ANY, arguments or "{}"))
    if told is None:
        return None
    kind = _TYPES.get(kind, kind)
    match kind:
        case "local_shell":
            command = _texts(told.get("command"))
            if command is None:
                return None
            environment = mapping(told.get("env")) or {}
            env = {name: value for name, value in environment.items() if isinstance(value, str)}
            action = {"type": "exec", "command": command, "env": env, **_limits(told, "timeout_ms")}
            directory = text(told.get("working_directory"))
            return {"type": "local_shell_call", "action": {**action, **_some(working_directory=directory)}}
        case "shell":
            commands = _texts(told.get("commands"))
            if commands is None:
                return None
            limits = _limits(told, "timeout_ms", "max_output_length")
            return {"type": "shell_call", "action": {"commands": commands, **limits}}
        case "apply_patch":
            operation = _operation(told)
            return None if operation is None else {"type": "apply_patch_call", "operation": operation}
        case "computer":
            actions = told.get("actions")
            if not isinstance(actions, list) or not all(isinstance(action, dict) for action in actions):
                return None
            return {"type": "computer_call", "actions": actions, "pending_safety_checks": []}
        case "tool_search":
            return {"type": "tool_search_call", "arguments": told, "execution": "client"}
    return None


_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def _texts(value: object) -> list[str] | None:
    """A list of strings; a single one counts as one."""
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) and all(isinstance(one, str) for one in value) else None


def _limits(told: dict[str, Any], *names: str) -> dict[str, int]:
    return {name: told[name] for name in names if type(told.get(name)) is int}


def _some(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _operation(told: dict[str, Any]) -> dict[str, str] | None:
    kind, path, diff = told.get("type"), told.get("path"), told.get("diff")
    if not isinstance(path, str):
        return None
    if kind == "delete_file":
        return {"type": kind, "path": path}
    if kind in ("create_file", "update_file") and isinstance(diff, str):
        return {"type": kind, "path": path, "diff": diff}
    return None
