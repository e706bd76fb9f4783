"""The text of a reply that a schema made a call of: taken apart as it comes, in whatever pieces."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.parts import Origin, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import (
    ArgumentsAdded,
    Delta,
    Ended,
    PartEnded,
    PartStarted,
    Reply,
    Signed,
    Started,
    Stop,
    StopReason,
    TextAdded,
)
from gephyr_core.dialects.translator import StandIn, Written
from gephyr_core.records import Usage
from gephyr_core.translation.calls_of_text import CallingRestorer, CallOfText
from gephyr_core.translation.restoring import Restorer, collected, restored

ONE, SEVERAL = StandIn("weather"), StandIn("")
END, CUT = Stop(StopReason.END), Stop(StopReason.MAX_TOKENS)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(max_size=8), values, max_size=4)
names = st.text(min_size=1, max_size=20)
spacing = st.sampled_from([None, 1, "\t"])


def restorer(stand_in: StandIn, *freeform: str) -> CallingRestorer:
    written = Written({}, stand_in=stand_in, freeform=freeform)
    return CallingRestorer(Restorer(written, "", "k"), CallOfText(stand_in))


def stream(text: str, cuts: list[int], stop: Stop = END) -> list[Delta]:
    """The deltas of a reply that thinks, and says *text* in pieces."""
    places = sorted({min(cut, len(text)) for cut in cuts})
    pieces = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    thought = [PartStarted(0, Thinking("")), PartEnded(0)]
    said = [TextAdded(1, piece) for piece in pieces]
    return [Started("r", "m"), *thought, PartStarted(1, Text("")), *said, PartEnded(1), Ended(stop, Usage())]


def read(stand_in: StandIn, deltas: list[Delta], *freeform: str) -> Reply:
    reader = restorer(stand_in, *freeform)
    return collected(told for delta in deltas for told in reader.feed(delta))


def the_call(reply: Reply) -> ToolCall:
    [call] = [part for part in reply.parts if not isinstance(part, Thinking)]
    assert isinstance(call, ToolCall)
    return call


@given(arguments=objects, indent=spacing, cuts=st.lists(st.integers(0, 200), max_size=30))
def test_the_arguments_of_the_one_tool_are_the_text(arguments: Any, indent: Any, cuts: list[int]) -> None:
    reply = read(ONE, stream(json.dumps(arguments, indent=indent), cuts))
    call = the_call(reply)
    assert (call.name, call.id, json.loads(call.arguments)) == ("weather", "call_k_1", arguments)
    assert reply.stop.reason is StopReason.TOOL_CALL


@given(
    name=names,
    arguments=objects,
    indent=spacing,
    ascii_only=st.booleans(),
    order=st.sampled_from([("name", "arguments"), ("arguments", "name")]),
    wrapped=st.booleans(),
    cuts=st.lists(st.integers(0, 300), max_size=40),
)
def test_of_several_tools_the_one_that_the_text_names_is_called(
    name: str,
    arguments: Any,
    indent: Any,
    ascii_only: bool,
    order: tuple[str, str],
    wrapped: bool,
    cuts: list[int],
) -> None:
    """In whatever order, however it is spaced, and where a model forgets what is around the call."""
    both = {"name": name, "arguments": arguments}
    call = {key: both[key] for key in order}
    text = json.dumps({"call": call} if wrapped else call, indent=indent, ensure_ascii=ascii_only)
    reply = read(SEVERAL, stream(text, cuts))
    made = the_call(reply)
    assert (made.name, json.loads(made.arguments)) == (name, arguments)
    assert reply.stop.reason is StopReason.TOOL_CALL


@given(name=names, arguments=objects, cuts=st.lists(st.integers(0, 300), max_size=40))
def test_a_whole_reply_is_the_call_that_its_stream_is(name: str, arguments: Any, cuts: list[int]) -> None:
    text = json.dumps({"call": {"name": name, "arguments": arguments}})
    whole = Reply("r", "m", (Thinking("hm"), Text(text)), END)
    assert the_call(restored(whole, restorer(SEVERAL))) == the_call(read(SEVERAL, stream(text, cuts)))


@given(value=values, indent=spacing, cuts=st.lists(st.integers(0, 200), max_size=30), first=st.booleans())
def test_a_value_is_taken_out_of_the_object_around_it(value: Any, indent: Any, cuts: list[int], first: bool) -> None:
    """For a list, say, where a provider takes only objects."""
    around = {"value": value, "more": 1} if first else {"more": 1, "value": value}
    reply = read(StandIn(of_value=True), stream(json.dumps(around, indent=indent), cuts))
    _, told = reply.parts
    assert isinstance(told, Text)
    assert json.loads(told.text) == value
    assert reply.stop.reason is StopReason.END


@pytest.mark.parametrize("said", ["No.", "", "[1]", '{"other": 1}'])
def test_a_text_without_the_value_is_told_as_it_is(said: str) -> None:
    assert read(StandIn(of_value=True), stream(said, [1])).parts == (Thinking(""), Text(said))


def test_the_arguments_go_on_as_they_come() -> None:
    """A client that shows a file while it is written does not wait for the end of it."""
    reader = restorer(SEVERAL)
    text = '{"call": {"name": "write", "arguments": {"text": "one two three"}}}'
    told = [reader.feed(delta) for delta in stream(text, [*range(len(text))])]
    started = next(
        place
        for place, deltas in enumerate(told)
        if any(isinstance(one, PartStarted) for one in deltas[:1]) and place > 3
    )
    pieces = [one.text for deltas in told[started:] for one in deltas if isinstance(one, ArgumentsAdded)]
    assert len(pieces) == len('{"text": "one two three"}')
    assert "".join(pieces) == '{"text": "one two three"}'


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a":"say \\"hi\\""}',
        '{"a":"C:\\\\","b":"}"}',
        '{"a":"\\u007d","b":[{"c":"]"},{}]}',
        '[["\\\\\\""],[]]',
        '"a,b"',
        "7",
        "-1.5e3",
        "true",
    ],
)
@pytest.mark.parametrize("length", [1, 2, 3, 5, 200])
def test_the_arguments_end_where_their_json_does_however_it_is_cut(arguments: str, length: int) -> None:
    """Quotes, brackets and commas in a text are no marks, nor is what a backslash stands before, in the piece before
    too; what comes behind the arguments is none of theirs."""
    text = f'{{"call": {{"name": "f", "arguments": {arguments} , "more": {{}}}}}}'
    reply = read(SEVERAL, stream(text, [*range(0, len(text), length)]))
    assert the_call(reply).arguments.rstrip() == arguments


@pytest.mark.parametrize("stand_in", [ONE, SEVERAL])
@pytest.mark.parametrize("said", ["I cannot do that.", "", "  \n", "[1, 2]", '"text"'])
def test_what_is_no_call_stays_text(stand_in: StandIn, said: str) -> None:
    """A refusal, for example, does not follow the schema."""
    reply = read(stand_in, stream(said, [1, 3]))
    assert reply.parts == (Thinking(""), Text(said))
    assert reply.stop.reason is StopReason.END


@pytest.mark.parametrize(
    "said", ['{"answer": 1}', '{"call": 7}', '{"call": {"arguments": {}}}', '{"call": {"name": "f']
)
def test_what_names_no_tool_stays_text(said: str) -> None:
    reply = read(SEVERAL, stream(said, [2]))
    assert reply.parts == (Thinking(""), Text(said))


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ('{"call": {"name": "f", "arguments": {"a": "one', '{"a": "one'),
        ('{"call": {"name": "f", "arguments": {"a": "on\\', '{"a": "on\\'),
        ('{"call": {"name": "f", "arguments": {}', "{}"),
        ('{"call": {"name": "f", "arguments": null}}', "null"),
        ('{"call": {"name": "f", "arguments": 7 }}', "7"),
    ],
)
def test_a_call_that_is_cut_off_is_as_long_as_it_came(said: str, arguments: str) -> None:
    reply = read(SEVERAL, stream(said, [1, 20, 36], CUT))
    assert (the_call(reply).name, the_call(reply).arguments) == ("f", arguments)
    assert reply.stop == CUT


def test_the_input_of_a_freeform_tool_is_taken_out_of_the_text() -> None:
    for stand_in, text in (
        (StandIn("exec", ("exec",)), '{"input": "print(1)\\n"}'),
        (StandIn("", ("exec",)), '{"call": {"name": "exec", "arguments": {"input": "print(1)\\n"}}}'),
    ):
        call = the_call(read(stand_in, stream(text, [5, 30]), "exec"))
        assert (call.freeform, call.arguments) == (True, "print(1)\n")


@pytest.mark.parametrize("stand_in", [ONE, SEVERAL])
def test_white_space_in_front_may_be_long(stand_in: StandIn) -> None:
    said = '{"city": "Oslo"}' if stand_in.name else '{"call": {"name": "weather", "arguments": {"city": "Oslo"}}}'
    call = the_call(read(stand_in, stream(" " * 5000 + said, [*range(0, 5000, 100)])))
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Oslo"})


def test_a_signature_of_the_text_is_the_calls() -> None:
    """Gemini signs text, and wants the signature back with the call that the client makes of it."""
    signature = Signature("c2ln", Origin("gemini"))
    for place in (4, 5, 6):
        deltas = stream('{"city": "Oslo"}', [4])
        deltas.insert(place, Signed(1, signature))
        assert the_call(read(ONE, deltas)).signature == signature


def test_there_is_one_call_and_later_texts_are_texts() -> None:
    parts = (Text('{"city": "Oslo"}'), Text('{"city": "Rome"}'))
    reply = restored(Reply("r", "m", parts, END), restorer(ONE))
    assert [type(part) for part in reply.parts] == [ToolCall, Text]


def test_parts_keep_their_order_where_an_empty_text_comes_first() -> None:
    """Some providers open a text before they think, and say nothing in it."""
    deltas: list[Delta] = [
        PartStarted(0, Text("")),
        PartStarted(1, Thinking("")),
        PartEnded(1),
        PartEnded(0),
        PartStarted(2, Text("")),
        TextAdded(2, '{"city": "Oslo"}'),
        PartEnded(2),
        Ended(END, Usage()),
    ]
    reader = restorer(ONE)
    told = [one for delta in deltas for one in reader.feed(delta)]
    assert [one.index for one in told if isinstance(one, PartStarted)] == [0, 1, 2]
    assert [type(part) for part in collected(told).parts] == [Text, Thinking, ToolCall]
