"""What a translation changed on the way to the provider is changed back on the way to the client."""

from gephyr_core.conversation.assembly import deltas_of
from gephyr_core.conversation.parts import Origin, Signature, Text, Thinking, ToolCall
from gephyr_core.conversation.reply import ArgumentsAdded, Ended, PartEnded, PartStarted, Reply, Stop, StopReason
from gephyr_core.dialects.translator import Written
from gephyr_core.translation.restoring import Restorer, collected, restored

CALLED = Stop(StopReason.TOOL_CALL)


def reply(*parts: Text | ToolCall | Thinking) -> Reply:
    return Reply("r", "m", parts, CALLED)


def test_a_renamed_tool_gets_its_own_name_back() -> None:
    written = Written({}, tool_names={"get_weather_1": "get weather!"})
    (call,) = restored(reply(ToolCall("c", "get_weather_1", "{}")), Restorer(written, "", "k")).parts
    assert call == ToolCall("c", "get weather!", "{}")


def test_a_call_without_an_id_gets_one_that_is_the_same_for_each_attempt() -> None:
    calls = reply(ToolCall("", "a", "{}"), ToolCall("", "a", "{}"))
    first = restored(calls, Restorer(Written({}), "", "k")).parts
    assert first == restored(calls, Restorer(Written({}), "", "k")).parts
    assert [part.id for part in first if isinstance(part, ToolCall)] == ["call_k_0", "call_k_1"]


def test_a_freeform_call_that_went_as_a_function_is_its_input_again() -> None:
    deltas = [
        PartStarted(0, ToolCall("c", "patch", "")),
        ArgumentsAdded(0, '{"inp'),
        ArgumentsAdded(0, 'ut": "*** Begin\\n"}'),
        PartEnded(0),
        Ended(CALLED, reply().usage),
    ]
    restorer = Restorer(Written({}, freeform=("patch",)), "", "k")
    whole = collected(out for delta in deltas for out in restorer.feed(delta))
    assert whole.parts == (ToolCall("c", "patch", "*** Begin\n", freeform=True),)


def test_the_forced_call_that_stood_in_for_structured_output_is_the_text_and_the_reply_just_ends() -> None:
    restorer = Restorer(Written({}, structured="answer"), "", "k")
    whole = restored(reply(ToolCall("c", "answer", '{"a": 1}')), restorer)
    assert whole.parts == (Text('{"a": 1}'),)
    assert whole.stop == Stop(StopReason.END)


def test_structured_output_streams_as_it_comes() -> None:
    restorer = Restorer(Written({}, structured="answer"), "", "k")
    restorer.feed(PartStarted(0, ToolCall("c", "answer", "")))
    (delta,) = restorer.feed(ArgumentsAdded(0, '{"a"'))
    assert (type(delta).__name__, getattr(delta, "text", "")) == ("TextAdded", '{"a"')


def test_a_wrapped_value_is_unwrapped() -> None:
    restorer = Restorer(Written({}, structured="answer", structured_wrapped=True), "", "k")
    whole = restored(reply(ToolCall("c", "answer", '{"value": [1, 2]}')), restorer)
    assert whole.parts == (Text("[1,2]"),)


def test_signatures_learn_whose_organisation_made_them() -> None:
    thinking = Thinking("hm", Signature("s", Origin("anthropic", "claude")))
    restorer = Restorer(Written({}), "0rg", "k")
    (part,) = restored(reply(thinking), restorer).parts
    assert isinstance(part, Thinking)
    assert part.signature == Signature("s", Origin("anthropic", "claude", "0rg"))


def test_nothing_to_restore_leaves_every_delta_alone() -> None:
    restorer = Restorer(Written({}), "", "k")
    for delta in deltas_of(reply(Text("a"), ToolCall("c", "n", '{"x": 1}'))):
        assert restorer.feed(delta) == [delta]
