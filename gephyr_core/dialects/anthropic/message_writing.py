"""Turns as messages for a provider: roles that alternate, beginning with the user's, and no empty text."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import attrs

from gephyr_core.conversation.arguments import BROKEN, as_object, decoded, kept_of_broken
from gephyr_core.conversation.parts import (
    Audio,
    Document,
    HostedCall,
    HostedResult,
    Image,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Video,
)
from gephyr_core.conversation.prompt import TOOL_SEARCH, Prompt, Role, Turn, called
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.turns import NO_RESULT, answered, report_names, searches
from gephyr_core.dialects.anthropic import hosted
from gephyr_core.dialects.anthropic.blocks_reading import CALL_EXTRAS
from gephyr_core.dialects.anthropic.marks import Marks
from gephyr_core.dialects.anthropic.media_writing import write_media
from gephyr_core.dialects.anthropic.names import NAME, accepts, call_id, short_digest
from gephyr_core.dialects.anthropic.tool_writing import ToolNames
from gephyr_core.dialects.hosted_text import hosted_text
from gephyr_core.dialects.translator import Destination

Block = dict[str, Any]
_NOTHING = "..."
"""What the user says where a conversation begins without them."""
_GO_ON = "Continue."


@attrs.define
class MessageWriter:
    """Writes one prompt's messages."""

    prompt: Prompt
    destination: Destination
    report: Report
    names: ToolNames
    marks: Marks
    messages: list[Block] = attrs.field(factory=list)
    _deferred: list[Block] = attrs.field(factory=list)
    """Media of the assistant's, which only a user's message can hold."""
    _ids: dict[str, deque[str]] = attrs.field(factory=dict)
    """The client's id of a call to those that calls with it were written with and that wait for their result."""
    _written: dict[str, None] = attrs.field(factory=dict)
    """Ids of calls that were written: they have to be unique."""

    def write(self) -> list[Block]:
        """Write them all."""
        report_names(self.prompt.turns, self.report, "Anthropic has no names of participants")
        turns = answered(self.prompt.turns, self.report)
        for turn in turns:
            self._turn(turn)
        self._answer_last(turns)
        self._flush()
        if not self.messages:
            self.report.emulated("messages", "the target wants a message of the user's")
            self._add("user", [_text_block(_NOTHING)])
        elif self.messages[-1]["role"] == "assistant":
            self._last(turns[-1])
        return self.messages

    @property
    def goes_on(self) -> bool:
        """The model is to go on with what the assistant said last."""
        return bool(self.messages) and self.messages[-1]["role"] == "assistant"

    def texts(self, parts: Sequence[Part]) -> list[Block]:
        """Write text; what is empty is left out, since Anthropic refuses it."""
        written: list[Block] = []
        for part in parts:
            if isinstance(part, Text):
                written += self._text(part)
        return written

    def _add(self, role: str, blocks: list[Block]) -> None:
        if not blocks:
            return
        if not self.messages and role != "user":
            self.report.emulated("messages", "the target wants a message of the user's first")
            self.messages.append({"role": "user", "content": [_text_block(_NOTHING)]})
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": role, "content": blocks})

    def _turn(self, turn: Turn) -> None:
        if turn.role is Role.ASSISTANT:
            self._flush()
            self._add("assistant", self._assistant(turn))
        elif turn.role is Role.SYSTEM:
            self._system(turn)
        else:
            self._user(turn.parts)

    def _user(self, parts: Sequence[Part]) -> None:
        results: list[Block] = []
        others: list[Block] = []
        for part in parts:
            if isinstance(part, ToolResult):
                results.append(self._result(part, others))
            else:
                others += self._said(part)
        self._add("user", [*results, *self._deferred, *others])
        self._deferred = []

    def _system(self, turn: Turn) -> None:
        follows_user = bool(self.messages) and self.messages[-1]["role"] == "user"
        blocks = self.texts(turn.parts)
        if self.destination.capabilities.system_turns and follows_user:
            self._add("system", blocks)
            return
        for block in blocks:
            block["text"] = f"<system>\n{block['text']}\n</system>"
        for part in turn.parts:
            self.report.emulated(part.path, "a system message in the middle is carried as marked text of the user's")
        self._add("user", blocks)

    def _flush(self) -> None:
        if self._deferred:
            self._add("user", self._deferred)
            self._deferred = []

    # -- content ----------------------------------------------------------------------------------------------------

    def _text(self, text: Text) -> list[Block]:
        if text.signature is not None:
            self.report.dropped(f"{text.path}.signature", "Anthropic has no place for the signature of a text")
        if text.phase:
            self.report.dropped(f"{text.path}.phase", "Anthropic does not tell commentary from answers")
        if not text.text.strip():
            if text.cache is not None:
                self.report.dropped(text.path, "Anthropic takes no empty text, and no cache marker on it")
            elif text.text:
                self.report.dropped(text.path, "Anthropic takes no text that is only white space")
            return []
        block = _text_block(text.text)
        if text.citations:
            self._citations(text, block)
        self.marks.put(block, text.cache, text.path)
        return [block]

    def _citations(self, text: Text, block: Block) -> None:
        own = [hosted.citation_object(one) for one in text.citations if one.raw and one.dialect == NAME]
        if own:
            block["citations"] = own
        if len(own) < len(text.citations):
            where = "annotations" if self.prompt.dialect == "openai-responses" else "citations"
            self.report.dropped(f"{text.path}.{where}", "citations of other providers are not taken")

    def _said(self, part: Part) -> list[Block]:
        match part:
            case Text():
                return self._text(part)
            case Refusal(text=text):
                self.report.changed(part.path, "a refusal is carried as text")
                return [_text_block(text)] if text.strip() else []
            case Image() | Document() | Audio() | Video():
                return [self._media(part)]
        raise self.report.refused(part.path, f"a {type(part).__name__} cannot stand in a user's message")

    def _media(self, part: Media) -> Block:
        native = self.prompt.native.get(part.path) if self.prompt.dialect == NAME and part.path else None
        block = dict(native.value) if native is not None else write_media(part, self.destination, self.report)
        self.marks.put(block, part.cache, part.path)
        return block

    # -- the assistant ----------------------------------------------------------------------------------------------

    def _assistant(self, turn: Turn) -> list[Block]:
        blocks: list[Block] = []
        foreign = [part.call_id for part in turn.parts if isinstance(part, HostedResult) and not _is_own(part)]
        searched = searches(turn.parts) if self.prompt.dialect != NAME else {}
        for part in turn.parts:
            match part:
                case Thinking():
                    blocks += self._thinking(part)
                case ToolCall():
                    blocks.append(self._call(part))
                case HostedCall() | HostedResult() if part.kind == TOOL_SEARCH and self.prompt.dialect != NAME:
                    blocks += self._searched(part, searched)
                case HostedCall() | HostedResult():
                    blocks += self._hosted(part, foreign)
                case Document(path=path) if self.prompt.dialect == NAME and path not in self.prompt.native:
                    blocks.append(self._media(part))  # where the client's version takes it
                case Image() | Document() | Audio() | Video():
                    self.report.emulated(part.path, "media of the assistant's follow in a user's message")
                    self._deferred += [_text_block("The assistant's reply had:"), self._media(part)]
                case ToolResult():
                    raise self.report.refused(part.path, "a tool's result cannot stand in an assistant's message")
                case _:
                    blocks += self._said(part)
        return blocks

    def _thinking(self, part: Thinking) -> list[Block]:
        signature = part.signature
        if signature is None or not accepts(self.destination, signature):
            reason = "is of another provider, model or organisation" if signature is not None else "is not signed"
            self.report.dropped(part.path, f"the reasoning {reason}, and would be refused")
            return []
        if part.redacted:
            return [{"type": "redacted_thinking", "data": signature.value}]
        return [{"type": "thinking", "thinking": part.text, "signature": signature.value}]

    def _hosted(self, part: HostedCall | HostedResult, foreign: Sequence[str]) -> list[Block]:
        """Write what a provider's own tool was asked or gave. A call may be without result: the provider paused."""
        call = part.id if isinstance(part, HostedCall) else part.call_id
        written: Block | None = None
        if call not in foreign and self.prompt.dialect == NAME:
            if isinstance(part, HostedResult):
                written = hosted.result_object(part, call, bash=False)
            elif (written := hosted.call_object(part, call)) is not None:
                server = self.prompt.native.get(f"{part.path}.server_name")
                written.update({} if server is None else {"server_name": server.value})
        if written is not None:
            return [written]
        told = hosted_text(part, self.report)
        return [_text_block(told)] if told else []

    def _searched(self, part: HostedCall | HostedResult, searched: dict[str, None]) -> list[Block]:
        """Write a search of tools, of which there are both halves, and that refers to tools of this request only."""
        call = part.id if isinstance(part, HostedCall) else part.call_id
        if call not in searched:
            self.report.dropped(part.path, "the search of tools is not told: its call or its result is missing")
            return []
        self.report.changed(part.path, "another provider's search of tools is told as one of Anthropic's")
        written = f"srvtoolu_{short_digest(call, 24)}"
        if isinstance(part, HostedCall):
            block = hosted.call_object(part, written)
        else:
            known = {called(tool): None for tool in self.prompt.tools}
            found = tuple(self.names.of(name) for name in part.tools if name in known)
            block = hosted.result_object(attrs.evolve(part, tools=found), written, bash=False)
        return [] if block is None else [block]

    # -- tools ------------------------------------------------------------------------------------------------------

    def _call(self, call: ToolCall) -> Block:
        if call.signature is not None:
            self.report.dropped(f"{call.path}.signature", "Anthropic has no place for the signature of a call")
        written = call_id(call.id)
        if written in self._written:
            written = f"toolu_{short_digest(f'{written} {len(self._written)}', 24)}"
        if written != call.id:
            self.report.changed(call.path, f"the call's id is {written!r} there")
        self._ids.setdefault(call.id, deque()).append(written)
        self._written[written] = None
        block = {"type": "tool_use", "id": written, "name": self.names.of(call.name), "input": self._input(call)}
        if self.prompt.dialect == NAME:
            for field in CALL_EXTRAS:
                if (native := self.prompt.native.get(f"{call.path}.{field}")) is not None:
                    block[field] = native.value
        self.marks.put(block, call.cache, call.path)
        return block

    def _input(self, call: ToolCall) -> Block:
        if call.freeform:
            return {"input": call.arguments}
        arguments = decoded(as_object(call.arguments))
        if arguments is not None:
            return arguments
        self.report.changed(call.path, BROKEN)
        return dict(kept_of_broken(call.arguments))

    def _result(self, result: ToolResult, behind: list[Block]) -> Block:
        """Write a result. What may not stand in it goes *behind* the results."""
        content: list[Block] = []
        for part in result.content:
            if result.is_error and not isinstance(part, Text):
                self.report.emulated(part.path, "what is no text in a failed tool's result follows behind it")
                behind.append(self._media(part))
            else:
                content += self._said(part)
        waiting = self._ids.get(result.call_id)  # Results stand behind their calls, in the same order.
        answered_id = waiting.popleft() if waiting else call_id(result.call_id)
        block: Block = {"type": "tool_result", "tool_use_id": answered_id}
        if content:
            block["content"] = content
        if result.is_error:
            block["is_error"] = True
        self.marks.put(block, result.cache, result.path)
        return block

    # -- the end ----------------------------------------------------------------------------------------------------

    def _answer_last(self, turns: Sequence[Turn]) -> None:
        """Answer the calls of the last message: Anthropic refuses a conversation that ends in calls."""
        results: list[Part] = []
        for part in turns[-1].parts if turns and turns[-1].role is Role.ASSISTANT else ():
            if isinstance(part, ToolCall):
                self.report.emulated(part.path, "the call has no result, and the target wants one: an error stands in")
                results.append(ToolResult(part.id, (Text(NO_RESULT),), is_error=True))
        if results:
            self._user(results)

    def _last(self, turn: Turn) -> None:
        """The assistant spoke last: the model is to go on with it."""
        if not self.destination.capabilities.prefill:
            if self.prompt.dialect == NAME:
                raise self.report.refused(
                    turn.path, f"model {self.destination.model!r} does not go on with an assistant's message"
                )
            self.report.emulated(turn.path, "the user asks to go on: the model takes no beginning of its reply")
            self._add("user", [_text_block(_GO_ON)])
            return
        block = self.messages[-1]["content"][-1]
        if block["type"] == "text" and block["text"] != (kept := block["text"].rstrip()):
            self.report.changed(turn.path, "Anthropic takes no white space at the end of what it is to go on with")
            block["text"] = kept


def _text_block(text: str) -> Block:
    return {"type": "text", "text": text}


def _is_own(part: HostedResult) -> bool:
    return part.dialect == NAME and bool(part.raw)
