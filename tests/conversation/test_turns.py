"""Turns for the strict dialects: merged, and every call answered where it must be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.parts import Image, Inline, Part, Text, Thinking, ToolCall, ToolResult
from gephyr_core.conversation.prompt import Prompt, Role, Turn
from gephyr_core.conversation.report import Fate, Report
from gephyr_core.conversation.turns import NO_RESULT, answered, call_names, merged, paired


def user(*parts: Part) -> Turn:
    return Turn(Role.USER, parts, path="m[u]")


def assistant(*parts: Part) -> Turn:
    return Turn(Role.ASSISTANT, parts, path="m[a]")


def call(call_id: str, name: str = "look") -> ToolCall:
    return ToolCall(call_id, name, "{}", path=f"call {call_id}")


def result(call_id: str, said: str = "done") -> ToolResult:
    return ToolResult(call_id, (Text(said),), path=f"result {call_id}")


def told(turns: list[Turn]) -> list[list[str]]:
    """What each turn says, in short."""
    return [[_short(part) for part in turn.parts] for turn in turns]


def _short(part: Part) -> str:
    if isinstance(part, ToolCall):
        return f"{part.id}?"
    if isinstance(part, ToolResult):
        return f"{part.call_id}={''.join(text.text for text in part.content if isinstance(text, Text))}"
    return part.text if isinstance(part, Text) else type(part).__name__


def test_turns_of_one_role_become_one() -> None:
    turns = [user(Text("a")), user(Text("b")), assistant(Text("c")), user(Text("d"))]
    assert told(merged(turns)) == [["a", "b"], ["c"], ["d"]]


def test_without_tools_nothing_changes() -> None:
    turns = [user(Text("a")), user(Text("b")), assistant(Text("c"))]
    assert paired(turns, Report()) == turns


def test_results_stand_first_behind_their_calls_and_in_their_order() -> None:
    turns = [
        user(Text("hi")),
        assistant(call("1"), call("2")),
        user(Text("see"), result("2", "two"), Image(Inline("image/png", "AA"))),
        user(result("1", "one")),
    ]
    assert told(answered(turns, Report())) == [["hi"], ["1?", "2?"], ["1=one", "2=two", "see", "Image"]]


def test_a_result_learns_the_name_of_its_tool() -> None:
    turns = answered([assistant(call("1", "weather")), user(result("1"))], Report())
    assert [part.name for part in turns[1].parts if isinstance(part, ToolResult)] == ["weather"]


def test_a_call_without_result_is_answered_with_an_error() -> None:
    report = Report()
    turns = answered([user(Text("hi")), assistant(call("1")), user(Text("never mind"))], report)
    assert told(turns) == [["hi"], ["1?"], [f"1={NO_RESULT}", "never mind"]]
    assert [part.is_error for part in turns[2].parts if isinstance(part, ToolResult)] == [True]
    assert report.paths(Fate.EMULATED) == ["call 1"]


def test_calls_of_the_last_turn_may_wait() -> None:
    assert told(answered([user(Text("hi")), assistant(call("1"))], Report())) == [["hi"], ["1?"]]


@pytest.mark.parametrize(
    "turns", [[user(result("9", "lost"))], [assistant(call("1")), user(result("1"), result("9", "lost"))]]
)
def test_a_result_of_no_call_becomes_text(turns: list[Turn]) -> None:
    report = Report()
    assert told(answered(turns, report))[-1][-1] == "lost"
    assert report.paths(Fate.CHANGED) == ["result 9"]


def test_a_second_result_of_a_call_becomes_text() -> None:
    report = Report()
    turns = answered([assistant(call("1")), user(result("1", "a"), result("1", "b"))], report)
    assert told(turns) == [["1?"], ["1=a", "b"]]
    assert report.paths(Fate.CHANGED) == ["result 1"]


def test_an_id_may_come_again_in_a_later_turn() -> None:
    """Some clients count the calls of each turn anew; no two calls of a request have one id."""
    turns = [assistant(call("1")), user(result("1", "a")), assistant(call("1")), user(result("1", "b"))]
    assert told(answered(turns, Report())) == [["1?"], ["1=a"], ["1_2?"], ["1_2=b"]]


def test_calls_that_share_an_id_in_one_turn_are_answered_in_order() -> None:
    turns = [assistant(call("", "a"), call("", "b")), user(result("", "one"), result("", "two"))]
    assert told(answered(turns, Report())) == [["call?", "call_2?"], ["call=one", "call_2=two"]]


def test_a_system_message_between_call_and_result_waits() -> None:
    system = Turn(Role.SYSTEM, (Text("be brief"),))
    turns = answered([assistant(call("1")), system, user(result("1"))], Report())
    assert told(turns) == [["1?"], ["1=done"], ["be brief"]]


def test_the_tools_behind_the_ids_are_known() -> None:
    assert call_names(Prompt("x", "m", turns=(assistant(call("1", "a"), call("2", "b")),))) == {"1": "a", "2": "b"}


PARTS = st.one_of(
    st.sampled_from(["x", "y"]).map(Text),
    st.sampled_from("12").map(call),
    st.tuples(st.sampled_from("123"), st.sampled_from("ab")).map(lambda pair: result(*pair)),
)
TURNS = st.lists(st.tuples(st.sampled_from([Role.USER, Role.ASSISTANT]), st.lists(PARTS, max_size=4)), max_size=8)


@given(TURNS)
def test_each_call_but_the_last_turns_has_one_result_right_behind_it(drawn: list[tuple[Role, list[Part]]]) -> None:
    turns = [Turn(role, tuple(part for part in parts if fits(part, role))) for role, parts in drawn]
    ordered = answered(merged(turns), Report())
    for before, after in pairwise(ordered):
        assert before.role is not after.role
        calls = [part.id for part in before.parts if isinstance(part, ToolCall)]
        results = [part.call_id for part in after.parts if isinstance(part, ToolResult)]
        assert results == calls
        assert all(isinstance(part, ToolResult) for part in after.parts[: len(calls)])
    assert answered(ordered, Report()) == ordered


@given(TURNS)
def test_what_the_user_said_is_kept(drawn: list[tuple[Role, list[Part]]]) -> None:
    turns = [Turn(role, tuple(part for part in parts if fits(part, role))) for role, parts in drawn]
    said = sorted(text for turn in turns for part in turn.parts for text in texts(part))
    kept = [text for turn in answered(merged(turns), Report()) for part in turn.parts for text in texts(part)]
    assert sorted(text for text in kept if text != NO_RESULT) == said


def fits(part: Part, role: Role) -> bool:
    """Whether a part can stand in a turn of this role."""
    return not isinstance(part, ToolResult if role is Role.ASSISTANT else ToolCall)


def texts(part: Part) -> list[str]:
    """What a part says."""
    if isinstance(part, ToolResult):
        return [one.text for one in part.content if isinstance(one, Text)]
    return [part.text] if isinstance(part, Text) else []


THOUGHT = Thinking("hm", path="thought")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ([assistant(THOUGHT)], []),
        ([assistant(Text("so"), THOUGHT, THOUGHT)], [assistant(Text("so"))]),
        ([assistant(THOUGHT, Text(" "))], [assistant(Text(" "))]),
        ([assistant(Text("so")), assistant(THOUGHT)], [assistant(Text("so"))]),
        ([assistant(THOUGHT), assistant(THOUGHT, Text("so"))], [assistant(THOUGHT), assistant(THOUGHT, Text("so"))]),
        ([assistant(THOUGHT, Text("so"))], [assistant(THOUGHT, Text("so"))]),
    ],
)
def test_reasoning_that_nothing_came_of_is_left_out_and_told(said: list[Turn], kept: list[Turn]) -> None:
    report = Report()
    turns = [user(Text("hi")), *said, user(Text("again"))]
    assert paired(turns, report) == [user(Text("hi")), *kept, user(Text("again"))]
    assert [(one.path, one.fate) for one in report.entries] == ([("thought", Fate.DROPPED)] if said != kept else [])
