"""Reasoning that does not come back through a client is put back where its provider wants it, and nowhere else."""

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import Origin, Part, Signature, Text, Thinking, ToolCall, ToolResult
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.reply import Reply, Stop, StopReason
from gephyr_core.records import RememberedReasoning
from gephyr_core.translation.memory import (
    LARGEST,
    ReasoningAssembler,
    ReasoningMemory,
    TextDigest,
    memorable,
    said_last,
    text_digest,
)

SIGNED = Signature("c2ln", Origin("gemini", "gemini-3-pro"))
THOUGHT = Thinking("let me see", SIGNED)
CALL = ToolCall("call_1", "look", "{}", signature=SIGNED)
BARE = ToolCall("call_1", "look", "{}")
DRAWN = "toolu_01A09q90qw90lq917835lq9"
ASKED = Turn(Role.USER, (Text("hi"),))
DAY = 86400.0


def conversation(*parts: Part, asked: Turn = ASKED) -> Prompt:
    answered = Turn(Role.USER, tuple(ToolResult(part.id) for part in parts if isinstance(part, ToolCall)))
    return Prompt("openai-chat", "m", turns=(asked, Turn(Role.ASSISTANT, parts), answered))


def learned(*parts: Part, memory: ReasoningMemory | None = None, now: float = 0.0) -> ReasoningMemory:
    """A memory that knows of a reply of *parts* to ``hi``."""
    memory = memory or ReasoningMemory(1_000_000, 30 * DAY)
    memory.learn("key", memorable(parts, said_last([ASKED])), now)
    return memory


def restored(memory: ReasoningMemory, prompt: Prompt, owner: str = "key", now: float = 1.0) -> tuple[Part, ...]:
    """What the assistant is held to have said."""
    turns = memory.of(owner, now, lasting=False).restore(prompt).turns
    return tuple(part for turn in turns if turn.role is Role.ASSISTANT for part in turn.parts)


def stripped(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """What is left of a reply where nothing of reasoning is shown."""
    bare = (attrs.evolve(p, signature=None) if isinstance(p, Text | ToolCall) else p for p in parts)
    return tuple(part for part in bare if not isinstance(part, Thinking) and part != Text(""))


SECOND = Thinking("and then", Signature("dHdv", Origin("anthropic")))
TEXT = Text("I look.")


@pytest.mark.parametrize(
    "parts",
    [
        (THOUGHT, CALL),
        (THOUGHT, TEXT, CALL),
        (TEXT, THOUGHT, CALL),
        (THOUGHT, TEXT, SECOND, CALL),
        (THOUGHT, CALL, ToolCall("call_2", "look", "{}")),
        (THOUGHT, CALL, SECOND, ToolCall("call_2", "look", "{}", signature=SIGNED)),
        (CALL, SECOND),
        (THOUGHT, CALL, TEXT, SECOND),
        (THOUGHT, TEXT),
        (THOUGHT, TEXT, SECOND, Text("I see.")),
        (THOUGHT, Text("I see.", signature=SIGNED)),
        (THOUGHT, TEXT, Text("", signature=SIGNED)),
        (Thinking("", SIGNED), Thinking("", SIGNED, redacted=True), BARE),
    ],
)
def test_what_was_not_shown_is_put_back_where_it_stood(parts: tuple[Part, ...]) -> None:
    """A provider refuses reasoning that is not in its place, and caches by prefix."""
    assert restored(learned(*parts), conversation(*stripped(parts))) == parts


def test_texts_that_the_client_joined_stay_joined_behind_the_reasoning_before_them() -> None:
    memory = learned(THOUGHT, Text("a"), SECOND, Text("b"), CALL)
    assert restored(memory, conversation(Text("ab"), BARE)) == (THOUGHT, Text("ab"), SECOND, CALL)


def test_a_text_that_the_client_dropped_costs_no_reasoning() -> None:
    assert restored(learned(THOUGHT, TEXT, CALL), conversation(BARE)) == (THOUGHT, CALL)


def test_a_reply_that_the_client_sends_as_several_messages_is_one() -> None:
    memory = learned(THOUGHT, TEXT, CALL)
    said = (Turn(Role.ASSISTANT, (TEXT,)), Turn(Role.ASSISTANT, (BARE,)))
    prompt = attrs.evolve(conversation(BARE), turns=(ASKED, *said))
    assert restored(memory, prompt) == (THOUGHT, TEXT, CALL)


def test_what_the_client_kept_is_not_doubled() -> None:
    assert restored(learned(THOUGHT, CALL), conversation(THOUGHT, CALL)) == (THOUGHT, CALL)
    assert restored(learned(THOUGHT, TEXT), conversation(THOUGHT, TEXT)) == (THOUGHT, TEXT)


def test_a_calls_signature_is_put_back_beside_reasoning_that_the_client_kept() -> None:
    assert restored(learned(THOUGHT, CALL), conversation(THOUGHT, BARE)) == (THOUGHT, CALL)
    signed = Text("I see.", signature=SIGNED)
    assert restored(learned(THOUGHT, signed), conversation(THOUGHT, Text("I see."))) == (THOUGHT, signed)


def test_reasoning_without_its_signature_is_replaced_by_what_was_signed() -> None:
    assert restored(learned(THOUGHT, CALL), conversation(Thinking("let me see"), CALL)) == (THOUGHT, CALL)


def test_another_client_gets_nothing() -> None:
    assert restored(learned(THOUGHT, CALL), conversation(BARE), owner="other") == (BARE,)


@pytest.mark.parametrize("said", [(TEXT,), (BARE,)], ids=["text", "call_1"])
def test_what_could_be_said_in_another_conversation_counts_with_what_the_user_said_before(said: tuple[Part]) -> None:
    """Providers that number calls from 0 give the same id in each conversation of an owner, and a text is soon said
    twice: nobody's reasoning may get into another's conversation."""
    memory = learned(THOUGHT, *said)
    assert restored(memory, conversation(*said)) == (THOUGHT, *said)
    assert restored(memory, conversation(*said, asked=Turn(Role.USER, (Text("bye"),)))) == said


def test_an_id_that_was_drawn_is_enough_by_itself() -> None:
    """Agents add notes to what the user said, and take them away later."""
    call = ToolCall(DRAWN, "look", "{}")
    noted = Turn(Role.USER, (Text("hi"), Text("note: it is late")))
    assert restored(learned(THOUGHT, call), conversation(call, asked=noted)) == (THOUGHT, call)


def test_in_a_loop_the_user_said_last_what_led_to_it() -> None:
    """Results of tools are nothing that a user says."""
    loop = (ASKED, Turn(Role.ASSISTANT, (CALL,)), Turn(Role.USER, (ToolResult("call_1", (Text("ok"),)),)))
    assert said_last(loop) == said_last([ASKED])
    assert said_last([*loop, Turn(Role.USER, (Text("more"),))]) != said_last([ASKED])


def test_the_oldest_is_forgotten_first() -> None:
    memory = ReasoningMemory(2000, DAY)
    for number in range(5):
        learned(ToolCall(f"call_{number}", "look", "{}", signature=SIGNED), memory=memory)
    assert restored(memory, conversation(ToolCall("call_1", "look", "{}"))) == (ToolCall("call_1", "look", "{}"),)
    last = ToolCall("call_4", "look", "{}")
    assert restored(memory, conversation(last)) == (attrs.evolve(last, signature=SIGNED),)


def test_what_is_too_old_is_forgotten() -> None:
    memory = learned(THOUGHT, CALL, memory=ReasoningMemory(1_000_000, DAY))
    assert restored(memory, conversation(BARE), now=DAY - 1) == (THOUGHT, CALL)
    assert restored(memory, conversation(BARE), now=DAY) == (BARE,)


def test_what_is_too_large_is_not_remembered() -> None:
    memory = learned(Thinking("x" * (LARGEST + 1), SIGNED), CALL)
    assert restored(memory, conversation(BARE)) == (BARE,)


@pytest.mark.parametrize("shared", [0, 1, LARGEST // 2, LARGEST])
def test_what_is_said_and_what_proves_it_count_together_and_are_not_even_kept_for_a_moment(shared: int) -> None:
    proof = Signature("x" * (LARGEST - shared), SIGNED.origin)
    for more, kept in ((0, True), (1, False)):
        thought = Thinking("x" * (shared + more), proof)
        assert bool(memorable([thought, BARE], "")) is kept
        assert bool(memorable([BARE, thought], "")) is kept
        assert bool(memorable([thought, TEXT], "")) is (kept and bool(proof.value))
    signed = Text("a", signature=attrs.evolve(proof, value="x" * (LARGEST + 1)))
    assert memorable([signed, BARE], "") == {}


def test_half_a_surrogate_pair_is_not_remembered_and_disturbs_nobody() -> None:
    memory = learned(Thinking("\ud83d", SIGNED), BARE)
    assert restored(memory, conversation(BARE)) == (BARE,)


def test_reasoning_that_nobody_signed_is_not_remembered() -> None:
    assert memorable([Thinking("hm"), BARE], "") == {}


def test_reasoning_that_is_only_marked_is_remembered_in_a_tool_loop_alone() -> None:
    """DeepSeek's reasoner has refused requests that hold the reasoning behind an answer."""
    marked = Thinking("hm", Signature("", Origin("openai-chat"), "reasoning_content"))
    assert memorable([marked, TEXT], "") == {}
    assert restored(learned(marked, BARE), conversation(BARE)) == (marked, BARE)


def test_what_was_saved_is_known_after_a_restart_until_its_time() -> None:
    memory = ReasoningMemory(1_000_000, DAY)
    found = memorable((THOUGHT, CALL), said_last([ASKED]))
    saved = memory.learn("key", found, 0.0)
    again = ReasoningMemory(1_000_000, DAY)
    again.restore([*saved, RememberedReasoning("key", "call:x", b"\xff", 10.0)], 5.0)
    assert restored(again, conversation(BARE)) == (THOUGHT, CALL)
    late = ReasoningMemory(1_000_000, DAY)
    late.restore(saved, DAY)
    assert restored(late, conversation(BARE), now=DAY) == (BARE,)


def test_what_cannot_be_read_any_more_is_as_if_it_were_not_there() -> None:
    """Another version of Gephyr may have written it."""
    memory = ReasoningMemory(1_000_000, DAY)
    saved = memory.learn("key", memorable((THOUGHT, CALL), said_last([ASKED])), 0.0)
    other = ReasoningMemory(1_000_000, DAY)
    other.restore([attrs.evolve(record, data=b"\xc1" + record.data) for record in saved], 0.0)
    assert restored(other, conversation(BARE)) == (BARE,)


def test_a_time_that_lies_too_far_ahead_is_clamped() -> None:
    saved = ReasoningMemory(1_000_000, 9 * DAY).learn("key", memorable((THOUGHT, CALL), said_last([ASKED])), 0.0)
    memory = ReasoningMemory(1_000_000, DAY)
    memory.restore(saved, 0.0)
    assert restored(memory, conversation(BARE), now=2 * DAY) == (BARE,)


def test_a_lasting_view_does_not_change_with_what_is_learned() -> None:
    """A job in another thread reads it."""
    memory = ReasoningMemory(1_000_000, DAY)
    learned(THOUGHT, ToolCall("call_0", "look", "{}"), memory=memory)
    lasting, live = (memory.of("key", 1.0, lasting=lasting) for lasting in (True, False))
    learned(THOUGHT, CALL, memory=memory)
    assert lasting.restore(conversation(BARE)) == conversation(BARE)
    assert live.restore(conversation(BARE)) == conversation(THOUGHT, CALL)


def test_of_a_stream_the_reasoning_is_collected_and_of_the_text_a_digest() -> None:
    assembler = ReasoningAssembler()
    parts = (THOUGHT, Text("long "), Text("text"), attrs.evolve(CALL, arguments='{"a":1}'))
    for delta in deltas_of(Reply("id", "m", parts, Stop(StopReason.TOOL_CALL))):
        assembler.add(delta)
    assert assembler.reply().parts == (THOUGHT, Text(""), Text(""), CALL)
    assert assembler.text.digest() == text_digest(parts)
    bare = ReasoningAssembler()
    for delta in deltas_of(Reply("id", "m", (THOUGHT, TEXT), Stop(StopReason.END))):
        bare.add(delta)
    assert memorable(bare.reply().parts, "", bare.text) == memorable((THOUGHT, TEXT), "")
    assert assembler.size == len("let me see")


@given(st.text(alphabet=" a\nbé😀"), st.lists(st.integers(0, 2000)))
def test_a_text_has_one_digest_however_it_comes(said: str, cuts: list[int]) -> None:
    """Providers cut it, and clients join, trim and wrap it."""
    digest = TextDigest()
    places = sorted({0, len(said), *(cut % (len(said) + 1) for cut in cuts)})
    for begin, end in itertools.pairwise(places):
        digest.add(said[begin:end])
    assert digest.digest() == text_digest([Text(f"  {said}\n")])


def test_a_text_of_many_pieces_has_the_digest_of_the_whole() -> None:
    digest = TextDigest()
    for number in range(3000):
        digest.add(f"{number} ")
    assert digest.digest() == text_digest([Text("".join(f"{number} " for number in range(3000)))])
    assert digest.digest() != text_digest([Text("other")])


def test_restoring_a_long_loop_reads_what_the_user_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who pastes a megabyte and lets an agent work on it for hundreds of steps makes nobody wait."""
    read: list[int] = []
    add = TextDigest.add
    monkeypatch.setattr(TextDigest, "add", lambda digest, text: (read.append(len(text)), add(digest, text))[1])
    steps = [
        turn
        for number in range(200)
        for turn in (
            Turn(Role.ASSISTANT, (ToolCall(f"call_{number}", "look", "{}"),)),
            Turn(Role.USER, (ToolResult(f"call_{number}"),)),
        )
    ]
    said = "x" * 10_000
    prompt = attrs.evolve(conversation(BARE), turns=(Turn(Role.USER, (Text(said),)), *steps))
    memory = learned(THOUGHT, CALL)
    read.clear()
    memory.of("key", 1.0, lasting=False).restore(prompt)
    assert sum(read) == len(said)
