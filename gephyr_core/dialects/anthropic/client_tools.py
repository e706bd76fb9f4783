"""Tools that Anthropic's models know by their type and the client runs, as functions for the models of others.

The schemas are written after Anthropic's public descriptions of the tools' inputs.
"""

from typing import Any

from gephyr_core.conversation.prompt import FunctionTool

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
_POINT = {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2}


def _object(required: tuple[str, ...] = (), /, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _said(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


_BASH = _object(
    command=_said(_TEXT, "The bash command to run. Required unless the tool is being restarted."),
    restart=_said({"type": "boolean"}, "True restarts the tool; nothing else happens then."),
)
_PATH = _said(_TEXT, "Absolute path of the file or directory.")
_RANGE = _said({**_POINT, "items": _NUMBER}, "For view: first and last line, from 1; -1 as the last is the file's end.")
_OLD = _said(_TEXT, "For str_replace: the text to replace, which must be there exactly once.")
_LINE = _said(_NUMBER, "For insert: the line after which to insert; 0 is the file's beginning.")


def _editor(*commands: str, new: str) -> dict[str, Any]:
    inserted = {} if new == "new_str" else {"insert_text": _said(_TEXT, "For insert: the text to insert.")}
    return _object(
        ("command", "path"),
        command=_said({"type": "string", "enum": list(commands)}, "What to do."),
        path=_PATH,
        file_text=_said(_TEXT, "For create: the content of the file."),
        old_str=_OLD,
        new_str=_said(_TEXT, "For str_replace: what comes in its place."),
        insert_line=_LINE,
        view_range=_RANGE,
        **inserted,
    )


_EDITING = ("view", "create", "str_replace", "insert")
_EDITOR = _editor(*_EDITING, new="insert_text")
_OLD_EDITOR = _editor(*_EDITING, "undo_edit", new="new_str")
_MEMORY = _object(
    ("command",),
    command=_said({"type": "string", "enum": [*_EDITING, "delete", "rename"]}, "What to do."),
    path=_said(_TEXT, "Path below /memories; for all commands but rename."),
    view_range=_RANGE,
    file_text=_said(_TEXT, "For create: the content of the file."),
    old_str=_OLD,
    new_str=_said(_TEXT, "For str_replace: what comes in its place."),
    insert_line=_LINE,
    insert_text=_said(_TEXT, "For insert: the text to insert."),
    old_path=_said(_TEXT, "For rename: the path as it is."),
    new_path=_said(_TEXT, "For rename: the path as it is to be."),
)
_ACTIONS = (
    *("key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click", "double_click"),
    *(
        "triple_click",
        "left_mouse_down",
        "left_mouse_up",
        "scroll",
        "hold_key",
        "wait",
        "screenshot",
        "cursor_position",
    ),
    "zoom",
)
_COMPUTER = _object(
    ("action",),
    action=_said({"type": "string", "enum": list(_ACTIONS)}, "What to do."),
    coordinate=_said(_POINT, "Where, as x and y in pixels from the upper left corner."),
    start_coordinate=_said(_POINT, "For left_click_drag: where the drag begins."),
    text=_said(_TEXT, "For type: the text. For key and hold_key: the keys, joined by +. Else a modifier key to hold."),
    duration=_said({"type": "number"}, "For hold_key and wait: seconds."),
    scroll_direction=_said({"type": "string", "enum": ["up", "down", "left", "right"]}, "For scroll: which way."),
    scroll_amount=_said(_NUMBER, "For scroll: how many notches of the wheel."),
    region=_said({"type": "array", "items": _NUMBER, "minItems": 4, "maxItems": 4}, "For zoom: x0, y0, x1, y1."),
)

_TOOLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bash_": ("bash", "Runs commands in a bash shell that stays open between calls.", _BASH),
    "text_editor_20241022": ("str_replace_editor", "Views, creates and edits files.", _OLD_EDITOR),
    "text_editor_20250124": ("str_replace_editor", "Views, creates and edits files.", _OLD_EDITOR),
    "text_editor_20250429": (
        "str_replace_based_edit_tool",
        "Views, creates and edits files.",
        _editor(*_EDITING, new="new_str"),
    ),
    "text_editor_": ("str_replace_based_edit_tool", "Views, creates and edits files.", _EDITOR),
    "memory_": (
        "memory",
        "Files below /memories that stay from one conversation to the next. Look there before anything else.",
        _MEMORY,
    ),
    "computer_20": ("computer", "A screen with mouse and keyboard.", _COMPUTER),
}
"""By the beginning of the type: the tool's name, what it is, and its input. The first that fits counts."""


def equivalent(kind: str, options: dict[str, Any]) -> FunctionTool | None:
    """The function that stands in for a tool of this type; None for a type that the client does not run, or that is
    not known. *options*: the tool as the client wrote it."""
    for beginning, (name, description, schema) in _TOOLS.items():
        if kind.startswith(beginning):
            width, height = options.get("display_width_px"), options.get("display_height_px")
            size = f" The screen is {width} pixels wide and {height} high." if width and height else ""
            return FunctionTool(str(options.get("name") or name), description + size, schema)
    return None
