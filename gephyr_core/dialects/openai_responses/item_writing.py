"""Turns as the ``input`` of a request for a provider."""

import hashlib
from collections.abc import Sequence
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Document,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gephyr_core.conversation.prompt import TOOL_SEARCH, ClientTool, Prompt, Role, Turn
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.turns import NO_RESULT, as_users, paired, report_names, searches
from gephyr_core.dialects.decoding import decode
from gephyr_core.dialects.hosted_text import hosted_text
from gephyr_core.dialects.openai_chat.targets import MOST_MARKERS, is_openai, marker_field, marker_object
from gephyr_core.dialects.openai_responses.client_outputs import write_output
from gephyr_core.dialects.openai_responses.client_tools import namespace_of, write_call
from gephyr_core.dialects.openai_responses.hosted import raw_item, search_call, search_output
from gephyr_core.dialects.openai_responses.media_writing import write_media
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.openai_responses.tool_writing import ToolNames
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import Destination

_FAILED = "Error: "
_LONGEST_ID = 64
"""Characters of ids that OpenAI takes."""
_EASY = ("type", "text")
_MARKER = "prompt_cache_breakpoint"
NO_MARKERS = "model {!r} is not known to take cache markers"
_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def call_id(wanted: str) -> str:
    """The id of a tool call as OpenAI takes it; the same for the call and its result."""
    if len(wanted) <= _LONGEST_ID:
        return wanted
    return f"call_{hashlib.sha256(wanted.encode()).hexdigest()[:32]}"


def takes_markers(prompt: Prompt, destination: Destination) -> bool:
    """Whether parts may carry cache markers: a client of this dialect knows, others are told by the model's name."""
    return prompt.dialect == NAME or marker_field(destination) == _MARKER


@attrs.define
class ItemWriter:
    """Writes one prompt's items."""

    prompt: Prompt
    destination: Destination
    report: Report
    names: ToolNames
    items: list[dict[str, Any]] = attrs.field(factory=list)
    _deferred: list[dict[str, Any]] = attrs.field(factory=list)
    """Parts of a user's message that has to wait until all calls are answered."""
    _unmarked: int = 0
    """Cache markers to be left out: of too many, the first."""
    _typed: dict[str, str] = attrs.field(factory=dict)
    """Call ids to the types of this dialect's own client tools."""

    @property
    def own(self) -> bool:
        """The client speaks this dialect too."""
        return self.prompt.dialect == NAME

    def write(self, system: Sequence[Text]) -> list[dict[str, Any]]:
        """Write them all. *system*: instructions that stand first, for the sake of their cache markers."""
        self._unmarked = max(0, _markers(system, self.prompt) - MOST_MARKERS)
        if system:
            self._message("developer", system)
        given: Sequence[Turn] = self.prompt.turns
        report_names(given, self.report, "a participant's name has no place in Responses")
        if not self.destination.capabilities.system_turns:
            given = as_users(given, self.report)
        turns = paired(given, self.report)
        for turn in turns:
            self._turn(turn)
        self._unanswered(turns)
        self._flush()
        if turns and turns[-1].role is Role.ASSISTANT and not self.own:
            self.report.changed(
                turns[-1].path, f"model {self.destination.model!r} answers it instead of going on with it"
            )
        return self.items

    def _turn(self, turn: Turn) -> None:
        if turn.role is Role.USER:
            results = [part for part in turn.parts if isinstance(part, ToolResult)]
            for result in results:
                self._result(result)
            others = [part for part in turn.parts if not isinstance(part, ToolResult)]
            if others or not results:
                self._flush()
                self._message("user", others)
            return
        self._flush()
        if turn.role is Role.ASSISTANT:
            self._assistant(turn.parts)
        else:
            self._message("developer", [part for part in turn.parts if isinstance(part, Text)])

    def _unanswered(self, turns: Sequence[Turn]) -> None:
        """Answer the calls of the last message: OpenAI refuses a conversation that ends in calls."""
        for part in turns[-1].parts if turns and turns[-1].role is Role.ASSISTANT else ():
            if isinstance(part, ToolCall):
                self.report.emulated(part.path, "the call has no result, and the target wants one: an error stands in")
                self._result(ToolResult(part.id, (Text(NO_RESULT),), freeform=part.freeform))

    def _message(self, role: str, parts: Sequence[Part]) -> None:
        self.items.append({"role": role, "content": _shortened(self._content(parts))})

    def _flush(self) -> None:
        if self._deferred:
            self.items.append({"role": "user", "content": self._deferred})
            self._deferred = []

    # -- content ----------------------------------------------------------------------------------------------------

    def _content(self, parts: Sequence[Part]) -> list[dict[str, Any]]:
        written: list[dict[str, Any]] = []
        for part in parts:
            if isinstance(part, Text):
                written.append(self._marked({"type": "input_text", "text": part.text}, part.cache, part.path))
            elif isinstance(part, Image | Document | Audio | Video):
                written += self._media(part)
            else:
                raise self.report.refused(part.path, f"a {type(part).__name__} cannot stand in a user's message")
        return written

    def _media(self, part: Media) -> list[dict[str, Any]]:
        written = write_media(part, self.destination, self.report, own=self.own)
        self._marked(written[-1], part.cache, part.path)
        return written

    def _marked(self, written: dict[str, Any], cache: CacheMarker | None, path: str) -> dict[str, Any]:
        """Put a part's cache marker on it, where the model takes one."""
        if cache is None:
            return written
        path = cache.path or path
        if not takes_markers(self.prompt, self.destination):
            self.report.dropped(path, NO_MARKERS.format(self.destination.model))
        elif self._unmarked > 0:
            self._unmarked -= 1
            self.report.dropped(path, f"only the last {MOST_MARKERS} cache markers are taken")
        else:
            marker = marker_object(_MARKER, cache)
            if cache.ttl and marker.get("ttl", "") != cache.ttl:
                self.report.changed(path, f"cached for {marker.get('ttl') or 'the usual time'} instead of {cache.ttl}")
            written[_MARKER] = marker
        return written

    # -- tools ------------------------------------------------------------------------------------------------------

    def _result(self, result: ToolResult) -> None:
        written = self._content(result.content)
        if result.cache is not None and written:
            self._marked(written[-1], result.cache, result.path)
        answered = call_id(result.call_id)
        kind = self._typed.get(result.call_id)
        if kind is not None:
            self.items.append(write_output(kind, answered, written, failed=result.is_error))
            return
        if result.is_error:
            self.report.emulated(result.path, "that the tool failed is told in its result's text")
            if written and written[0]["type"] == "input_text":
                written[0] = {**written[0], "text": _FAILED + written[0]["text"]}
            else:
                written.insert(0, {"type": "input_text", "text": _FAILED.rstrip()})
        custom = result.freeform and self.names.takes_freeform
        output = {"type": "custom_tool_call_output" if custom else "function_call_output", "call_id": answered}
        self.items.append({**output, "output": _shortened(written)})

    def _call(self, call: ToolCall) -> None:
        if call.signature is not None:
            self.report.dropped(call.path, "the call's signature is another provider's")
        tool = self.names.client_tool(call.name) if self.own else None
        identity = call_id(call.id)
        if tool is not None and (typed := self._typed_call(tool, call, identity)) is not None:
            self.items.append(typed)
        elif call.freeform and self.names.takes_freeform:
            named = {"call_id": identity, "name": self.names.of(call.name)}
            self.items.append({"type": "custom_tool_call", **named, "input": call.arguments})
        else:
            arguments = encode_json({"input": call.arguments}).decode() if call.freeform else call.arguments
            named = {"call_id": identity, "name": self.names.of(call.name)}
            # OpenAI puts a function that a search found into a namespace of its own name.
            found = {"namespace": named["name"]} if call.name in self.names.deferred else {}
            self.items.append({"type": "function_call", **named, **found, "arguments": arguments or "{}"})

    def _typed_call(self, tool: ClientTool, call: ToolCall, identity: str) -> dict[str, Any] | None:
        namespace = namespace_of(tool)
        if namespace:
            name = tool.function.own_name
            kind, field = ("custom_tool_call", "input") if call.freeform else ("function_call", "arguments")
            named = {"type": kind, "call_id": identity, "name": name, "namespace": namespace}
            return {**named, field: call.arguments}
        written = write_call(tool.type, call.arguments)
        if written is None:
            return None
        self._typed[call.id] = tool.type
        return {**written, "id": f"item_{len(self.items)}", "call_id": identity, "status": "completed"}

    # -- the assistant ----------------------------------------------------------------------------------------------

    def _assistant(self, parts: Sequence[Part]) -> None:
        said: list[Text | Refusal] = []
        searched = searches(parts)
        for given in parts:
            part = given
            if isinstance(given, HostedCall | HostedResult) and given.kind == TOOL_SEARCH:
                self._say(said)
                said = []
                self._search(given, searched)
                continue
            if isinstance(given, HostedCall | HostedResult) and not self.own:
                part = Text(hosted_text(given, self.report))
            if isinstance(part, Text | Refusal) and (not said or _phase(said[-1]) == _phase(part)):
                said.append(part)
                continue
            self._say(said)
            said = []
            match part:
                case Text() | Refusal():
                    said = [part]
                case Thinking():
                    self._reasoning(part)
                case ToolCall():
                    self._call(part)
                case HostedResult() if (item := raw_item(part)) is not None:
                    self.items.append(item)
                case HostedCall() | HostedResult():
                    pass  # A result of this dialect's own holds its call too.
                case Image(source=Inline(data=data)) if self.own:
                    image = {"type": "image_generation_call", "id": f"ig_{len(self.items)}", "result": data}
                    self.items.append({**image, "status": "completed"})
                case Image() | Document() | Audio() | Video():
                    self.report.emulated(part.path, "media of the assistant's follow in a user's message")
                    told = {"type": "input_text", "text": "The assistant's reply had:"}
                    self._deferred += [told, *self._media(part)]
                case _:
                    raise self.report.refused(part.path, "a tool's result cannot stand in an assistant's message")
        self._say(said)

    def _search(self, part: HostedCall | HostedResult, searched: dict[str, None]) -> None:
        """Write a search of tools. One that another provider made is told as the client's own: OpenAI made no such
        item."""
        if self.own:
            server = {"id": part.id, "execution": "server", "call_id": None} if isinstance(part, HostedCall) else {}
            item = search_call(part, **server) if isinstance(part, HostedCall) else raw_item(part)
            self.items += [] if item is None else [item]
            return
        call = part.id if isinstance(part, HostedCall) else part.call_id
        if call not in searched:
            self.report.dropped(part.path, "the search of tools is not told: its call or its result is missing")
            return
        self.report.changed(part.path, "another provider's search of tools is told as one that the client ran")
        identity = {"call_id": call_id(call), "execution": "client"}
        if isinstance(part, HostedCall):
            self.items.append(search_call(part, **identity))
        else:
            known = self.names.deferred
            self.items.append(search_output([known[name] for name in part.tools if name in known], **identity))

    def _say(self, said: Sequence[Text | Refusal]) -> None:
        """Write a message. A single text is written in the easy form, which needs no id."""
        for part in said:
            if isinstance(part, Text) and part.signature is not None:
                self.report.dropped(part.path, "the text's signature is another provider's")
            if isinstance(part, Text) and part.cache is not None:
                self.report.dropped(part.cache.path or part.path, "what the assistant says takes no cache marker")
            if isinstance(part, Text) and part.citations and not self.own:
                self.report.dropped(part.path, "citations of what was said earlier are not sent back")
        kept = [part for part in said if part.text]
        if not kept:
            return
        phase = {"phase": _phase(kept[0])} if _phase(kept[0]) else {}
        if len(kept) == 1 and isinstance(kept[0], Text) and not (self.own and kept[0].citations):
            self.items.append({"role": "assistant", "content": kept[0].text, **phase})
            return
        content: list[dict[str, Any]] = [
            {"type": "output_text", "text": part.text, "annotations": self._annotations(part)}
            if isinstance(part, Text)
            else {"type": "refusal", "refusal": part.text}
            for part in kept
        ]
        message = {"type": "message", "id": f"msg_{len(self.items)}", "role": "assistant", "status": "completed"}
        self.items.append({**message, "content": content, **phase})

    def _annotations(self, text: Text) -> list[Any]:
        if not self.own:
            return []
        return [decode(_ANY, citation.raw) for citation in text.citations if citation.dialect == NAME]

    def _reasoning(self, part: Thinking) -> None:
        """Write reasoning where the provider takes it for its own: sealed, or as text where it is open."""
        signature = part.signature
        accepted = self.destination.accepts(signature) or (signature is None and self.own)
        sealed = signature.value if signature is not None else ""
        is_open = bool(part.text) and not part.summary and not is_openai(self.destination)
        if not accepted or not (sealed or is_open):
            self.report.dropped(part.path, f"the reasoning is not provider {self.destination.provider!r}'s own")
            return
        item: dict[str, Any] = {"type": "reasoning", "summary": []}
        if signature is not None and signature.id:
            if len(signature.id) <= _LONGEST_ID or not is_openai(self.destination):
                item["id"] = signature.id
            else:
                self.report.changed(part.path, f"OpenAI takes ids of {_LONGEST_ID} characters: sent without one")
        # A client of another dialect cannot say that a text is a summary; what is sealed has no other text.
        if part.text and (part.summary or (sealed and not self.own)):
            item["summary"].append({"type": "summary_text", "text": part.text})
        elif part.text:
            item["content"] = [{"type": "reasoning_text", "text": part.text}]
        if sealed:
            item["encrypted_content"] = sealed
        self.items.append(item)


def _phase(part: Text | Refusal) -> str:
    return part.phase if isinstance(part, Text) else ""


def _shortened(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """One plain text is written as a string."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "input_text" and len(parts[0]) == len(_EASY):
        text: str = parts[0]["text"]
        return text
    return parts


def _markers(system: Sequence[Text], prompt: Prompt) -> int:
    marked = [text for text in system if text.cache is not None]
    number = len(marked)
    for turn in prompt.turns:
        for part in turn.parts:
            inner = part.content if isinstance(part, ToolResult) else ()
            number += len([one for one in (part, *inner) if getattr(one, "cache", None) is not None])
    return number
