"""Every recorded reply, whole and streamed, written for the clients of every dialect."""

import json
from collections.abc import Iterator

import attrs
import pytest

from gephyr_core.conversation.assembly import Assembler, deltas_of
from gephyr_core.conversation.parts import (
    Citation,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Delta,
    Ended,
    PartEnded,
    PartStarted,
    Started,
    Stop,
    StopReason,
    TextAdded,
    ThinkingAdded,
)
from gephyr_core.records import Usage
from tests.translation.answers import CUT, Answer, streamed, whole
from tests.translation.recorded import DIALECTS, Recording, recordings
from tests.translation.sdk_replies import stream_problem, whole_problem
from tests.translation.translating import CONTEXT, TRANSLATORS, read_deltas, read_reply, write_reply, write_stream

pytestmark = pytest.mark.recordings
over_pairs = pytest.mark.parametrize(
    ("source", "target"), [(source, target) for source in DIALECTS for target in DIALECTS]
)


def readable(dialect: str) -> Iterator[Recording]:
    """The recordings whose reply is one: some streams hold an error, or nothing."""
    return (recording for recording in recordings(dialect) if BROKEN not in recording.reply)


BROKEN = b"UNEXPECTED_TOOL_CALL"
"""In a reply of Gemini's: it is a failure, and is told to other clients as one."""


def expected(recording: Recording) -> Answer:
    """What the recorded reply says."""
    if recording.streamed:
        return streamed(recording.dialect, recording.reply)
    return whole(recording.dialect, json.loads(recording.reply))


def differences(expected: Answer, found: Answer) -> dict[str, object]:
    """What *found* says otherwise. Reasoning has tests of its own, as have calls that were cut off, and what the
    provider did not count may be 0."""
    want, said = attrs.asdict(expected), attrs.asdict(found)
    left = {"thinking"} | {name for name in _COUNTS if want[name] is None or (want[name] == 0 and not said[name])}
    cut = [name for name, arguments in expected.calls if arguments == CUT]
    want["calls"], said["calls"] = (
        [call for call in answer.calls if call[0] not in cut] for answer in (expected, found)
    )
    return {name: (want[name], said[name]) for name in want if name not in left and want[name] != said[name]}


CITATION = Citation("https://x.test", "X", "cited")
_COUNTS = ("input", "cached", "output")


def as_it_came(recording: Recording, target: str) -> bool:
    """Whether what the SDK does not take is the provider's own: its dialect's clients get it back as it was."""
    problem = stream_problem if recording.streamed else whole_problem
    return recording.dialect == target and problem(target, recording.reply) != ""


NO_CUSTOM_CALLS = "delta.tool_calls.0.type: Input should be 'function'"
"""OpenAI streams calls of custom tools in Chat, and its SDK has no type for them."""


@over_pairs
def test_a_whole_reply_is_valid_and_says_the_same(source: str, target: str) -> None:
    """The SDK's strict types take it; texts, calls and counts of tokens are those of the provider."""
    for recording in readable(source):
        reply = read_reply(recording)
        written = write_reply(target, reply)
        problem = whole_problem(target, written)
        assert problem == "" or as_it_came(recording, target), f"{recording.id}: {problem}"
        found = whole(target, json.loads(written))
        assert differences(expected(recording), found) == {}, recording.id


@over_pairs
def test_a_stream_is_valid_and_says_the_same(source: str, target: str) -> None:
    """Event by event, in the order of the dialect; a whole reply may be told as a stream too."""
    for recording in list(readable(source))[:: 1 if target != "openai-responses" else 3]:
        deltas = read_deltas(source, recording.reply) if recording.streamed else deltas_of(read_reply(recording))
        written = write_stream(target, deltas)
        problem = stream_problem(target, written)
        known = target == "openai-chat" and problem.endswith(NO_CUSTOM_CALLS)
        assert problem == "" or known or as_it_came(recording, target), f"{recording.id}: {problem}"
        assert differences(expected(recording), streamed(target, written)) == {}, recording.id


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_reply_told_as_a_stream_is_the_same_reply(dialect: str) -> None:
    """What is collected of a stream's deltas is what was told."""
    for recording in readable(dialect):
        reply = read_reply(recording)
        assembler = Assembler()
        for delta in deltas_of(reply):
            assembler.add(delta)
        assert attrs.evolve(assembler.reply(), service_tier=reply.service_tier) == reply, recording.id


@pytest.mark.parametrize("dialect", DIALECTS)
def test_where_a_stream_is_cut_changes_nothing(dialect: str) -> None:
    """In pieces of any size, the same deltas."""
    for recording in [recording for recording in readable(dialect) if recording.streamed][::5]:
        whole_stream = read_deltas(dialect, recording.reply)
        assert read_deltas(dialect, recording.reply, cut=17) == whole_stream, recording.id


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_stream_is_told_as_it_comes(dialect: str) -> None:
    """Each event of text is written at once: the writers hold nothing back but what must wait."""
    for recording in [recording for recording in readable(dialect) if recording.streamed][::5]:
        for target in DIALECTS:
            writer = TRANSLATORS[target].delta_writer(CONTEXT)
            for delta in read_deltas(dialect, recording.reply):
                written = writer.write(delta)
                assert written or not isinstance(delta, TextAdded) or not delta.text, recording.id


def told(dialect: str, data: bytes) -> list[Citation]:
    """What a stream says that its text rests on."""
    assembler = Assembler()
    for delta in read_deltas(dialect, data):
        assembler.add(delta)
    return [citation for part in assembler.reply().parts if isinstance(part, Text) for citation in part.citations]


@pytest.mark.parametrize("dialect", [dialect for dialect in DIALECTS if dialect != "openai-chat"])
def test_what_a_text_rests_on_is_told_though_it_comes_with_the_texts_beginning(dialect: str) -> None:
    said = [Started("r", "m"), PartStarted(0, Text("Hello", citations=(CITATION,))), PartEnded(0)]
    written = write_stream(dialect, [*said, Ended(Stop(StopReason.END), Usage())])
    assert [citation.url for citation in told(dialect, written)] == [CITATION.url]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("at_once", "in_pieces"),
    [
        (Text("Hello"), (TextAdded(0, "Hello"),)),
        (Thinking("Hello"), (ThinkingAdded(0, "Hello"),)),
        (Refusal("Hello"), (TextAdded(0, "Hello"),)),
        (ToolCall("c", "f", '{"a":1}'), (ArgumentsAdded(0, '{"a":1}'),)),
    ],
)
def test_what_comes_at_once_is_written_as_what_comes_in_pieces(
    dialect: str, at_once: Part, in_pieces: tuple[Delta, ...]
) -> None:
    """Some providers send a part whole in one event."""
    started = attrs.evolve(at_once, arguments="") if isinstance(at_once, ToolCall) else type(at_once)("")
    end = Ended(Stop(StopReason.END), Usage())
    first, second = (
        write_stream(dialect, [Started("r", "m"), *said, PartEnded(0), end])
        for said in ([PartStarted(0, at_once)], [PartStarted(0, started), *in_pieces])
    )
    assert streamed(dialect, first) == streamed(dialect, second)


def test_of_a_reply_that_was_cut_off_before_its_tokens_were_told_nothing_is_known_of_them() -> None:
    """Providers tell them at the beginning, at the end, or never."""
    for told, usage in ((None, Usage()), (Usage(input=3), Usage(input=3))):
        assembler = Assembler()
        assembler.add(Started("r", "m", told))
        assert assembler.reply().usage == usage
