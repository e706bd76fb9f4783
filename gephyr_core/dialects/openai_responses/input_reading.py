"""A client's ``input`` as turns."""

from typing import Any

import attrs

from gephyr_core.conversation.fields import FieldError, Fields
from gephyr_core.conversation.parts import Part, Text, ToolCall, ToolResult
from gephyr_core.conversation.prompt import Native, Role, Tool, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.tool_keys import ToolKeys
from gephyr_core.dialects.decoding import text
from gephyr_core.dialects.openai_responses.client_tools import OUTPUT_TYPES
from gephyr_core.dialects.openai_responses.hosted import ESSENTIAL, QUESTIONS, read_hosted
from gephyr_core.dialects.openai_responses.item_reading import Loose, attached, read_item
from gephyr_core.dialects.openai_responses.media_reading import read_content
from gephyr_core.dialects.openai_responses.tool_reading import read_tools
from gephyr_core.dialects.rendering import encode_json

_ROLES = ("user", "assistant", "system", "developer")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")


@attrs.define
class InputReader:
    """Reads one conversation. What the model wrote in one step is one turn, and so are the results that follow."""

    report: Report
    native: dict[str, Native]
    tools: list[Tool]
    """Tools that the conversation adds are added here."""
    keys: ToolKeys
    system: list[Text] = attrs.field(factory=list)
    """The leading instructions."""
    turns: list[Turn] = attrs.field(factory=list)
    _said: list[Part | Loose] = attrs.field(factory=list)
    """What the model wrote since somebody else spoke."""
    _results: list[Part] = attrs.field(factory=list)
    _path: str = ""
    """Of the first item of the open turn."""
    _asked: list[str] = attrs.field(factory=list)
    """Paths of questions about a hosted tool, and of answers to them, since anything else was said."""
    _names: dict[str, str] = attrs.field(factory=dict)
    """The tools' names by the calls' ids."""

    def read(self, given: object) -> None:
        """Read ``input``: a text of the user's, or items."""
        if isinstance(given, str):
            self.turns.append(Turn(Role.USER, (Text(given, path="input"),), path="input"))
            return
        if given is not None and not isinstance(given, list):
            raise FieldError("input", "expected a string or an array")
        for index, value in enumerate(given or ()):
            item = Fields(value, f"input[{index}]", self.report)
            self._item(item)
            item.finish()
        self._close()

    def _item(self, item: Fields) -> None:
        kind = item.left.get("type") or ("message" if "role" in item.left else "item_reference")
        if not isinstance(kind, str):
            raise item.wrong("type", "a string", kind)
        role = item.left.get("role")
        if kind not in QUESTIONS:
            self._settle()
        if kind == "message" and role != "assistant":
            self._message(item)
        elif kind in _OUTPUTS or (kind in OUTPUT_TYPES and self._answers(kind, item.left)):
            self._to(self._results, item)
            self._results.append(self._output(item, kind))
        elif kind == "additional_tools":
            item.ignore("type", "role", "id")
            self._add_tools(item)
        elif kind in ESSENTIAL:
            self._native(item, kind)
        else:
            self._to(self._said, item)
            said = read_item(item, self.keys)
            self._names.update({part.id: part.name for part in said if isinstance(part, ToolCall)})
            self._said += said

    def _settle(self) -> None:
        """The conversation went on: what was asked about a hosted tool is history, and can be left out."""
        for path in self._asked:
            self.native[path] = Native(self.native[path].value)
        self._asked.clear()

    def _to(self, parts: list[Any], item: Fields) -> None:
        """Go on with the open turn if it is made of *parts*, else open one."""
        if not parts:
            self._close()
            self._path = item.path

    def _close(self) -> None:
        if self._said:
            kept = [part for part in attached(self._said) if not _is_nothing(part)]
            self.turns.append(Turn(Role.ASSISTANT, tuple(kept), path=self._path))
            self._said = []
        if self._results:
            self.turns.append(Turn(Role.USER, tuple(self._results), path=self._path))
            self._results = []

    def _message(self, item: Fields) -> None:
        self._close()
        item.ignore("type", "id", "status")
        role, phase = item.required_text("role"), item.text("phase") or ""
        if role not in _ROLES:
            raise FieldError(item.at("role"), f"expected one of {', '.join(_ROLES)}, got {role!r}")
        parts = read_content(item, phase=phase)
        if role == "user":
            self.turns.append(Turn(Role.USER, tuple(parts), path=item.path))
            return
        texts = [part for part in parts if isinstance(part, Text)]
        if len(texts) != len(parts):
            raise self.report.refused(item.path, f"a message of the {role} can only be text")
        if self.turns:
            self.turns.append(Turn(Role.SYSTEM, tuple(texts), path=item.path))
        else:
            self.system += texts

    # -- tools ------------------------------------------------------------------------------------------------------

    def _answers(self, kind: str, item: dict[str, Any]) -> bool:
        """Whether an output is the client's. A search of tools, and a shell, may be OpenAI's."""
        if kind == "tool_search_output":
            return item.get("execution") == "client"
        return kind != "shell_call_output" or (text(item.get("call_id")) or "") in self._names

    def _output(self, item: Fields, kind: str) -> ToolResult:
        item.ignore("type")
        failed = item.left.get("status") == "failed" and kind == "apply_patch_call_output"
        call_id = item.text("call_id") or (item.text("id") if kind not in _OUTPUTS else None)
        if call_id is None:
            raise FieldError(item.at("call_id"), "is required")
        item.ignore("id", "status", "caller", "namespace", "acknowledged_safety_checks", "max_output_length")
        if kind == "tool_search_output":
            item.left["output"] = self._add_tools(item)
        content = self._content(item, kind)
        name = self._names.get(call_id) or item.text("name") or OUTPUT_TYPES.get(kind, "")
        item.ignore("name", "execution")
        freeform = kind == "custom_tool_call_output"
        return ToolResult(call_id, content, failed, name, freeform, path=item.path)

    @staticmethod
    def _content(item: Fields, kind: str) -> tuple[Any, ...]:
        output = item.left.get("output")
        if isinstance(output, dict):
            item.left["output"] = [output]
        elif kind in ("shell_call_output", "tool_search_output") or not isinstance(output, str | list):
            item.left["output"] = "" if output is None else encode_json(output).decode()
        return tuple(read_content(item, "output"))

    def _native(self, item: Fields, kind: str) -> None:
        """Keep an item that only OpenAI understands in its place."""
        self._to(self._said, item)
        whole = {"type": kind, **item.left}
        item.left.clear()
        self.native[item.path] = Native(whole, essential=True)
        if kind in QUESTIONS:
            self._asked.append(item.path)
        self._said += read_hosted(whole, item.path)

    def _add_tools(self, item: Fields) -> list[Any]:
        """Offer the tools that an item adds from the start. Returns them as they stand there."""
        listed = item.array("tools")
        copies = [dict(tool) if isinstance(tool, dict) else tool for tool in listed]
        found = Fields({"tools": copies}, item.path, self.report)
        added = [tool for tool in read_tools(found, self.native) if not self.keys.knows(tool)]
        self.tools += self.keys.add(added)
        if added:
            self.report.emulated(item.at("tools"), "the tools are offered from the start")
        return listed


def _is_nothing(part: Part) -> bool:
    """Whether a part is text that says nothing."""
    return isinstance(part, Text) and not (part.text or part.signature or part.cache)
