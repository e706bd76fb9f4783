"""A tool call's signature comes back through a client of Anthropic, which has no place for it."""

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import Origin, Part, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Reply, Stop, StopReason
from gephyr_core.dialects.translator import Written
from gephyr_core.translation.carrying import CarryingRestorer, returned
from gephyr_core.translation.restoring import collected

SIGNED = Signature("c2ln", Origin("gemini"))
CALL = ToolCall("call_1", "look", '{"a":1}', signature=SIGNED)


def told(*parts: Part) -> tuple[Part, ...]:
    """What the client is told of a reply of *parts*."""
    restorer = CarryingRestorer(Written({}), "", "k")
    reply = Reply("r", "m", parts, Stop(StopReason.TOOL_CALL))
    return collected(out for delta in deltas_of(reply) for out in restorer.feed(delta)).parts


def test_the_signature_stands_in_a_block_of_its_own_before_its_call() -> None:
    text, carrier, call, after = told(Text("a"), CALL, Text("b"))
    assert (text, after) == (Text("a"), Text("b"))
    assert isinstance(carrier, Thinking)
    assert carrier.text == ""
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"a":1}'


def test_what_the_client_sends_back_is_what_the_provider_said() -> None:
    parts = (Thinking("hm"), Text("a"), CALL, ToolCall("call_2", "look", "{}"), Text("b"))
    bare = tuple(
        ToolCall(part.id, part.name, part.arguments) if isinstance(part, ToolCall) else part for part in told(*parts)
    )
    prompt = Prompt("anthropic", "m", turns=(Turn(Role.ASSISTANT, bare),))
    assert returned(prompt).turns[0].parts == parts


def test_a_call_without_a_signature_has_no_block() -> None:
    assert told(ToolCall("c", "look", "{}")) == (ToolCall("c", "look", "{}"),)
