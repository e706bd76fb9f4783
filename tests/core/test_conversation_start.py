"""The start of a conversation: the same over its turns, another one for another conversation."""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Raw
from strategies import broken_bodies, json_values, written

from gephyr_core.envelope import Envelope, EnvelopeError, read_envelope
from gephyr_core.routing.conversation_start import conversation_start
from tests.recordings import traffic

Object = dict[str, Any]
REMINDER = "<system-reminder>\nAs you answer, mind this: 2026-11-23\n</system-reminder>\n\n"
ENVIRONMENT = "<environment_context>\n  <cwd>/home/me</cwd>\n</environment_context>"
AGENTS_MD = "# AGENTS.md instructions for /home/me\n\n<INSTRUCTIONS>\nBe <b>good</b>.\n</INSTRUCTIONS>"
CONTEXT = "<session_context>\nThis is the Gemini CLI.\n</session_context>"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 300_000}}


def chat(*texts: Any, system: Any = "Be brief.") -> Object:
    messages = [{"role": "system", "content": system}]
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]
    return {"model": "m", "messages": messages}


def anthropic(*texts: Any, system: Any = "Be brief.") -> Object:
    return {"model": "m", "system": system, "messages": chat(*texts)["messages"][1:]}


def gemini(*texts: Any, system: Any = "Be brief.") -> Object:
    contents: list[Object] = []
    for text in texts:
        parts = text if isinstance(text, list) else [{"text": text}]
        contents += [{"role": "user", "parts": parts}, {"role": "model", "parts": [{"text": "Yes."}]}]
    return {"systemInstruction": {"parts": [{"text": system}]}, "contents": contents}


def responses(*texts: Any, system: Any = "Be brief.") -> Object:
    return {"model": "m", "instructions": system, "input": chat(*texts)["messages"][1:]}


DIALECTS: dict[str, Callable[..., Object]] = {
    "openai-chat": chat,
    "anthropic": anthropic,
    "gemini": gemini,
    "openai-responses": responses,
}
TURNS = {"openai-chat": "messages", "anthropic": "messages", "gemini": "contents", "openai-responses": "input"}
each_dialect = pytest.mark.parametrize("dialect", DIALECTS)
dialects = st.sampled_from(list(DIALECTS))


def start(dialect: str, value: Object) -> tuple[str, ...] | None:
    return conversation_start(dialect, read_envelope(json.dumps(value).encode()))


# -- what it is made of -------------------------------------------------------------------------------------------


def test_it_is_the_same_in_the_next_release() -> None:
    """Sessions that the store holds find their accounts again: who changes this parts them from their caches."""
    texts = ["short", "long " * 3_000, [{"type": "text", "text": "a part"}, PICTURE]]
    found = [start(dialect, make(text)) for dialect, make in DIALECTS.items() for text in texts if make is not gemini]
    found += [start("gemini", gemini(text)) for text in texts[:2]]
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    assert digest[:16] == "49564f43d4659d62"


@each_dialect
@pytest.mark.parametrize("length", [1, 400, 3_000, 300_000])
def test_it_holds_over_the_turns_and_differs_between_conversations(dialect: str, length: int) -> None:
    make = DIALECTS[dialect]
    asked = 'What is "this", C:\\\\?\n' * length
    first = start(dialect, make(asked))
    assert first is not None
    assert first == start(dialect, make(asked, "And that?", "Go on."))
    assert first != start(dialect, make("Say: " + asked))
    assert first != start(dialect, make(asked + "."))
    assert first != start(dialect, make(asked, system="Be long."))
    assert sum(map(len, first)) < 20_000, "what is hashed has a bound"


@each_dialect
@pytest.mark.parametrize("own", [REMINDER, ENVIRONMENT, AGENTS_MD, CONTEXT, AGENTS_MD + "\n" + ENVIRONMENT, "  "])
def test_what_an_agent_puts_first_is_passed_over(dialect: str, own: str) -> None:
    make = DIALECTS[dialect]
    assert start(dialect, make(own, "Fix it.")) == start(dialect, make("Fix it."))
    assert start(dialect, make(own)) is None


@each_dialect
def test_what_an_agent_puts_around_the_words_is_passed_over(dialect: str) -> None:
    make = DIALECTS[dialect]
    around = make(f"{REMINDER}{REMINDER}Fix it.\n\n{REMINDER}")
    apart = make([{"type": "text", "text": REMINDER}, {"type": "text", "text": "Fix it."}])
    assert start(dialect, around) == start(dialect, apart) == start(dialect, make("Fix it."))


@each_dialect
def test_a_long_reminder_is_passed_over_too(dialect: str) -> None:
    make = DIALECTS[dialect]
    long = f"<system-reminder>\n{'Mind this. ' * 5_000}\n</system-reminder>\n\n"
    assert start(dialect, make([{"text": long}, {"text": "Fix it."}])) == start(dialect, make("Fix it."))
    assert start(dialect, make(f"{long}Fix it.")) == start(dialect, make("Fix it."))


def test_gemini_clis_first_turn_was_its_own() -> None:
    own = "This is the Gemini CLI. We are setting up the context for our chat.\nToday is Friday."
    assert start("gemini", gemini(own, "Fix it.")) == start("gemini", gemini("Fix it."))


@pytest.mark.parametrize("parts", [list, "\n".join])
def test_claude_codes_billing_line_changes_and_does_not_count(parts: Callable[[list[str]], Any]) -> None:
    def of(dialect: str, number: int) -> tuple[str, ...] | None:
        system = parts([f"x-anthropic-billing-header: cc_version=2.1; cch={number};", "Code."])
        if isinstance(system, list):
            system = [{"type": "text", "text": text, "cache_control": {"ttl": f"{number}m"}} for text in system]
        return start(dialect, DIALECTS[dialect]("Hi", system=system))

    assert of("anthropic", 1) == of("anthropic", 2) == start("anthropic", anthropic("Hi", system="Code."))
    assert of("openai-chat", 1) == of("openai-chat", 2) == ("Code.", "Hi")


def test_codex_leads_with_its_own_turns() -> None:
    def turn(role: str, text: str) -> Object:
        return {"type": "message", "role": role, "content": [{"type": "input_text", "text": text}]}

    tools = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [{"type": "function", "description": "x" * 9_000}],
    }
    own = [tools, turn("developer", "You are Codex."), turn("user", AGENTS_MD), turn("user", ENVIRONMENT)]
    thought = {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "Hm."}]}
    assert start("openai-responses", {"input": [*own, turn("user", "Fix it.")]}) == ("You are Codex.", "Fix it.")
    assert start("openai-responses", {"input": [*own, thought]}) is None


def test_a_picture_of_megabytes_before_the_words_is_passed_over() -> None:
    first = chat([PICTURE, {"type": "text", "text": "What is it?"}])
    assert start("openai-chat", first) == ("Be brief.", "What is it?")


def test_a_long_system_prompt_counts_by_its_beginning_its_end_and_its_length() -> None:
    prompt = 'Say "yes".\n' * 4_000
    found = start("openai-chat", chat("Hi", system=prompt))
    assert found is not None
    assert found[0].startswith('Say "yes".\nSay')
    assert found[-1] == "Hi"
    others = [f"Say. {prompt}", f"{prompt} Go.", prompt.replace("yes", "no!", 200)]
    assert len({found, *(start("openai-chat", chat("Hi", system=other)) for other in others)}) == 4


def test_an_input_that_is_one_text_begins_a_conversation() -> None:
    assert start("openai-responses", {"input": " Hello\n"}) == ("Hello",)
    assert start("openai-responses", {"input": [{"role": "user", "content": "Hello"}]}) == ("Hello",)
    assert start("openai-responses", {"input": "Hello " * 9_000}) is not None


def test_gemini_has_two_spellings_and_may_leave_the_role_out() -> None:
    contents = [{"parts": {"text": "Hi"}}]
    for name in ("systemInstruction", "system_instruction"):
        assert start("gemini", {name: {"parts": {"text": "Be."}}, "contents": contents}) == ("Be.", "Hi")


NOTHING_SAID: list[Object] = [
    *({}, {"messages": []}, {"messages": 7}, {"messages": None}, {"messages": [1, [], "", {"role": 7}]}),
    {"messages": [{"role": "assistant", "content": "Hi"}]},
    {"messages": [{"role": "user", "content": [PICTURE]}]},
    {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}]},
    {"messages": [[0] * 50_000, {"role": "user", "content": "too far away"}]},
    {"messages": [*[{"role": "assistant", "content": "x"}] * 5_000, {"role": "user", "content": "too far away"}]},
]


@pytest.mark.parametrize("value", NOTHING_SAID, ids=range(len(NOTHING_SAID)))
def test_where_nothing_was_said_there_is_none(value: Object) -> None:
    assert start("openai-chat", value) is None


def test_what_has_no_turns_has_no_start() -> None:
    assert start("openai-completions", {"prompt": "Once upon a time"}) is None
    assert start("", chat("Hi")) is None


# -- laws ---------------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [REMINDER, "<system-reminder>", 'a "quote"', "\\", '\\"', "C:\\\\", "\U0001f600"]
)
texts = st.builds(lambda text, times: text * times, words, st.sampled_from([1, 1, 7, 150, 2_000]))
contents = texts | st.lists(st.builds(lambda text: {"type": "text", "text": text}, texts), max_size=4)


@given(dialects, st.lists(contents, min_size=1, max_size=4), contents, st.lists(contents, min_size=1, max_size=3))
def test_more_turns_never_change_it(dialect: str, said: list[Any], system: Any, more: list[Any]) -> None:
    make = DIALECTS[dialect]
    before = start(dialect, make(*said, system=system))
    assert before is None or before == start(dialect, make(*said, *more, system=system))


@given(dialects, st.lists(json_values, max_size=5), st.lists(json_values, max_size=5), json_values)
def test_whatever_is_appended_never_changes_it(dialect: str, turns: list[Any], more: list[Any], other: Any) -> None:
    begun = DIALECTS[dialect]("Hi")[TURNS[dialect]]
    before = start(dialect, {TURNS[dialect]: [*turns, *begun], "other": other})
    assert before == start(dialect, {TURNS[dialect]: [*turns, *begun, *more]})
    assert before is not None


@given(dialects, st.lists(contents, min_size=1, max_size=3), st.data())
def test_it_is_the_same_however_it_is_written(dialect: str, said: list[Any], data: st.DataObject) -> None:
    value = DIALECTS[dialect](*said)
    assume(len(json.dumps(value, indent=2)) <= 2_048)  # a longer text is told by its bytes
    one, other = data.draw(written(value)), data.draw(written(value))
    assert conversation_start(dialect, read_envelope(one)) == conversation_start(dialect, read_envelope(other))


@given(dialects, texts)
def test_a_text_of_any_length_is_read_to_its_end(dialect: str, text: str) -> None:
    """Whatever stands in it, what follows is found."""
    make = DIALECTS[dialect]
    found = start(dialect, make([{"type": "image", "data": text}, {"type": "text", "text": "Hi"}]))
    assert found == ("Be brief.", "Hi")


@given(dialects, json_values, json_values)
def test_any_json_has_a_start_or_none(dialect: str, turns: Any, system: Any) -> None:
    """And a start is texts, of which the last is the user's first words: there are some."""
    names = ("system", "instructions", "systemInstruction")
    found = start(dialect, {TURNS[dialect]: turns, **dict.fromkeys(names, system)})
    assert found is None or ({type(text) for text in found} == {str} and found[-1])


@given(dialects, broken_bodies, st.sampled_from(["messages", "contents", "input", "system"]))
def test_any_body_has_a_start_or_none(dialect: str, data: bytes, name: str) -> None:
    for body in (data, b'{"messages":["Hi"],"contents":["Hi"],"input":["Hi"],"%b":%b}' % (name.encode(), data)):
        try:
            envelope = read_envelope(body)
        except EnvelopeError:
            continue
        found = conversation_start(dialect, envelope)
        assert found is None or ({type(text) for text in found} == {str} and found[-1])


@pytest.mark.parametrize("opening", [b"[", b'{"parts":'])
def test_what_is_nested_too_deeply_has_none(opening: bytes) -> None:
    nested = Raw(opening * 5_000 + opening.translate(bytes.maketrans(b"[{", b"]}"), b'"parts:') * 5_000)
    assert conversation_start("gemini", Envelope({"contents": nested}, b"")) is None


# -- recordings ---------------------------------------------------------------------------------------------------

RECORDED = {
    "openai-chat": "openai-chat",
    "anthropic-messages": "anthropic",
    "gemini-generate": "gemini",
    "openai-responses": "openai-responses",
}


def recorded(file: str) -> Iterator[tuple[str, Object]]:
    """The recorded requests, with the cassette that each is from."""
    for record in traffic.records(file):
        if isinstance(record.get("request"), dict):
            yield record["id"].rpartition("#")[0], record["request"]


def without_turns(request: Object) -> Object:
    return {name: request.get(name) for name in ("system", "instructions", "systemInstruction", "system_instruction")}


@pytest.mark.recordings
@pytest.mark.parametrize("file", RECORDED)
def test_recorded_turns_of_one_conversation_agree(file: str) -> None:
    dialect = RECORDED[file]
    cassettes: dict[str, list[Object]] = {}
    for cassette, request in recorded(file):
        if isinstance(request.get(TURNS[dialect]), list):
            cassettes.setdefault(cassette, []).append(request)
    seen = 0
    for requests in cassettes.values():
        for one, other in combinations(requests, 2):
            turns = one[TURNS[dialect]]
            if turns == other[TURNS[dialect]][: len(turns)] and without_turns(one) == without_turns(other):
                before = start(dialect, one)
                assert before is None or before == start(dialect, other)
                seen += before is not None
    assert seen > 20


@pytest.mark.recordings
@pytest.mark.parametrize("file", RECORDED)
def test_recorded_conversations_have_a_start(file: str) -> None:
    """All but those that begin with a picture alone, or with the result of a tool."""
    starts = [start(RECORDED[file], request) for _, request in recorded(file)]
    assert starts.count(None) < len(starts) / 20
    assert len(dict.fromkeys(starts)) > len(starts) / 10
