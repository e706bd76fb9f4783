"""Chat and Completions: a stream's chunks made into a whole reply, and a whole reply into chunks."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import mapping, read_object
from gephyr_core.dialects.growing import grow, joined
from gephyr_core.dialects.openai_chat.stream import DONE
from gephyr_core.dialects.rendering import write_object
from gephyr_core.sse import encode

_CHUNK = ".chunk"
"""Ends the name of Chat's object in a stream; that of Completions is the same."""
_PADDING = "obfuscation"
"""Hides the length of a chunk (OpenAI's guide to streaming), and says nothing."""


@attrs.define
class ChatAssembly:
    """See :class:`gephyr_core.dialects.base.Assembly`."""

    _top: dict[str, Any] = attrs.field(factory=dict)
    _choices: dict[int, dict[str, Any]] = attrs.field(factory=dict)

    @property
    def complete(self) -> bool:
        """Every choice has told why it ended."""
        return bool(self._choices) and all(choice.get("finish_reason") for choice in self._choices.values())

    def add(self, event: dict[str, Any]) -> None:
        """Take in a chunk."""
        choices = event.pop("choices", None)
        event.pop(_PADDING, None)
        for name, value in event.items():
            if value is not None or name not in self._top:
                self._top[name] = value
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self._add(choice)

    def _add(self, choice: dict[str, Any]) -> None:
        index = choice.get("index")
        known = self._choices.setdefault(index if isinstance(index, int) else 0, {})
        if "delta" in choice:
            choice["message"] = choice.pop("delta")
        finish = choice.pop("finish_reason", None)
        grow(known, choice)
        known["finish_reason"] = finish or known.get("finish_reason")

    def reply(self) -> dict[str, Any]:
        """The whole reply."""
        choices = [joined(self._choices[index]) for index in sorted(self._choices)]
        for number, choice in enumerate(choices):
            choice.setdefault("index", number)
            message = mapping(choice.get("message"))
            if message is not None:
                choice["message"] = _message(message)
        name = self._top.get("object")
        top = {**self._top, "object": name.removesuffix(_CHUNK)} if isinstance(name, str) else self._top
        return {**top, "choices": choices}


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """A whole message: its role and content are always told, and its calls have no index."""
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        for call in calls:
            if isinstance(call, dict):
                call.pop("index", None)
    return {**message, "role": message.get("role") or "assistant", "content": message.get("content")}


def events_of(body: bytes) -> bytes:
    """Write the stream: what is said, then why it ended with the usage, then the end."""
    reply = read_object(body) or {}
    given = reply.pop("choices", None)
    choices = [choice for choice in given if isinstance(choice, dict)] if isinstance(given, list) else []
    usage = reply.pop("usage", None)
    name = reply.get("object")
    if isinstance(name, str) and name.endswith(".completion"):
        reply["object"] = name + _CHUNK
    said, ended = [], []
    for number, choice in enumerate(choices):
        finish = choice.pop("finish_reason", None)
        empty: dict[str, Any] = {"text": ""} if "text" in choice else {"delta": {}}
        message = mapping(choice.pop("message", None))
        if message is not None:
            finish = finish or ("tool_calls" if message.get("tool_calls") else None)
            choice["delta"] = {**message, **_numbered_calls(message.get("tool_calls"))}
        choice.setdefault("index", number)
        said.append({**choice, "finish_reason": None})
        ended.append({"index": choice["index"], **empty, "finish_reason": finish or "stop"})
    last = {**reply, "choices": ended} if usage is None else {**reply, "choices": ended, "usage": usage}
    written = [encode(write_object(chunk)) for chunk in ({**reply, "choices": said}, last)]
    return b"".join([*written, encode(DONE.encode())])


def _numbered_calls(calls: object) -> dict[str, Any]:
    """A message's calls, with the index that they have in a stream."""
    if not isinstance(calls, list) or not calls:
        return {}
    return {"tool_calls": [{"index": number, **(mapping(call) or {})} for number, call in enumerate(calls)]}
