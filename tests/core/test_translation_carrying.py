"""A tool call's signature comes back through a client of Anthropic, which has no place for it."""

from collections.abc import Iterable

import msgspec
import pytest

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.parts import Origin, Part, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import (
    Delta,
    Ended,
    Failed,
    PartEnded,
    PartStarted,
    Reply,
    Started,
    Stop,
    StopReason,
)
from gephyr_core.translation.carrying import CarryingPresenter, returned
from gephyr_core.translation.showing import EVERYTHING, NOTHING, Shown

GEMINI = Origin("gemini")
SIGNED = Signature("c2ln", GEMINI)
CALL = ToolCall("call_1", "look", '{"a":1}', signature=SIGNED)


def told(*parts: Part, shown: Shown = EVERYTHING) -> tuple[Part, ...]:
    """What the client is told of a reply of *parts*, which is the same whether it streams or not."""
    reply = Reply("r", "m", parts, Stop(StopReason.TOOL_CALL))
    presenter = CarryingPresenter(shown, GEMINI)
    streamed = _in_order(out for delta in deltas_of(reply) for out in presenter.feed(delta))
    assert CarryingPresenter(shown, GEMINI).parts(parts) == streamed
    return streamed


def _in_order(deltas: Iterable[Delta]) -> tuple[Part, ...]:
    """The parts in the order in which they begin, whatever their numbers."""
    numbers: dict[int, int] = {}
    assembler = Assembler()
    for delta in deltas:
        if isinstance(delta, PartStarted):
            numbers[delta.index] = len(numbers)
        if not isinstance(delta, Started | Ended | Failed):
            delta = msgspec.structs.replace(delta, index=numbers[delta.index])  # noqa: PLW2901
        assembler.add(delta)
    return assembler.reply().parts


def test_the_signature_stands_in_a_block_of_its_own_before_its_call() -> None:
    text, carrier, call, after = told(Text("a"), CALL, Text("b"))
    assert (text, after) == (Text("a"), Text("b"))
    assert isinstance(carrier, Thinking)
    assert carrier.text == ""
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"a":1}'


def test_a_block_that_carries_a_signature_has_ended_when_its_call_begins() -> None:
    begins = PartStarted(3, CALL)
    started, ended, call = CarryingPresenter(EVERYTHING, GEMINI).feed(begins)
    assert call is begins
    assert isinstance(started, PartStarted)
    assert isinstance(ended, PartEnded)
    assert started.index == ended.index != begins.index


def test_what_the_client_sends_back_is_what_the_provider_said() -> None:
    parts = (Thinking("hm", SIGNED), Text("a"), CALL, ToolCall("call_2", "look", "{}"), Text("b"))
    bare = tuple(
        ToolCall(part.id, part.name, part.arguments) if isinstance(part, ToolCall) else part for part in told(*parts)
    )
    prompt = Prompt("anthropic", "m", turns=(Turn(Role.ASSISTANT, bare),))
    assert returned(prompt).turns[0].parts == parts


def test_reasoning_that_nobody_signed_gets_the_mark_of_its_maker() -> None:
    """A block of thinking without a signature would be refused by Anthropic, and nothing would tell whose it is."""
    assert told(Thinking("hm"), Text("a")) == (Thinking("hm", Signature("", GEMINI)), Text("a"))


def test_a_call_without_a_signature_has_no_block() -> None:
    assert told(ToolCall("c", "look", "{}")) == (ToolCall("c", "look", "{}"),)


def test_a_client_that_asked_for_no_thinking_gets_no_block_of_it() -> None:
    assert told(Thinking("hm", SIGNED), Text("a"), CALL, shown=NOTHING) == (Text("a"), CALL)


@pytest.mark.parametrize("text", ["hm", ""])
@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize(
    "shown", [Shown(texts=texts, proofs=proofs) for texts in (False, True) for proofs in (False, True)]
)
def test_a_stream_shows_what_a_whole_reply_shows(text: str, shown: Shown, *, redacted: bool) -> None:
    thought = Thinking("" if redacted else text, SIGNED, redacted=redacted)
    seen = shown.part(thought)
    rest = (Text("a"), ToolCall("c", "look", "{}"))
    assert told(thought, *rest, shown=shown) == (*(() if seen is None else (seen,)), *rest)
