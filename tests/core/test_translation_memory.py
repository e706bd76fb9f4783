"""Reasoning that a client's dialect has no place for is put back where a provider wants it."""

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import Origin, Part, Signature, Text, Thinking, ToolCall, ToolResult
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Reply, Stop, StopReason
from gephyr_core.translation.memory import ReasoningAssembler, SignatureMemory

SIGNED = Signature("c2ln", Origin("gemini", "gemini-3-pro"))
THOUGHT = Thinking("let me see", SIGNED)
CALL = ToolCall("call_1", "look", "{}", signature=SIGNED)


def prompt(*parts: Part) -> Prompt:
    turns = (
        Turn(Role.USER, (Text("hi"),)),
        Turn(Role.ASSISTANT, parts),
        Turn(Role.USER, (ToolResult("call_1", (Text("ok"),)),)),
    )
    return Prompt("openai-chat", "m", turns=turns)


def test_what_the_client_dropped_is_put_back() -> None:
    memory = SignatureMemory()
    memory.learn("key", [THOUGHT, CALL])
    bare = prompt(ToolCall("call_1", "look", "{}"))
    assert memory.restore("key", bare).turns[1].parts == (THOUGHT, CALL)


def test_what_the_client_kept_is_not_doubled() -> None:
    memory = SignatureMemory()
    memory.learn("key", [THOUGHT, CALL])
    kept = prompt(THOUGHT, CALL)
    assert memory.restore("key", kept) == kept


def test_reasoning_without_its_signature_is_replaced_by_what_was_signed() -> None:
    memory = SignatureMemory()
    memory.learn("key", [THOUGHT, CALL])
    assert memory.restore("key", prompt(Thinking("let me see"), CALL)).turns[1].parts == (THOUGHT, CALL)


def test_another_client_gets_nothing() -> None:
    memory = SignatureMemory()
    memory.learn("key", [THOUGHT, CALL])
    bare = prompt(ToolCall("call_1", "look", "{}"))
    assert memory.restore("other", bare) == bare


def test_the_oldest_is_forgotten_first() -> None:
    memory = SignatureMemory(most_bytes=1500)
    for number in range(5):
        memory.learn("key", [ToolCall(f"call_{number}", "look", "{}", signature=SIGNED)])
    bare = prompt(ToolCall("call_1", "look", "{}"))
    assert memory.restore("key", bare) == bare
    memory.learn("key", [THOUGHT, CALL])
    assert memory.restore("key", bare) != bare


def test_of_a_stream_the_reasoning_is_collected_and_not_the_text() -> None:
    assembler = ReasoningAssembler()
    whole = Reply("id", "m", (THOUGHT, Text("long"), CALL), Stop(StopReason.TOOL_CALL))
    for delta in deltas_of(whole):
        assembler.add(delta)
    assert assembler.reply().parts == (THOUGHT, Text(""), CALL)
