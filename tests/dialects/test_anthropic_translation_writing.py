"""Prompts written for Anthropic: what it would refuse is said otherwise, left out with a word, or refused by name."""

import base64
from typing import Any

import attrs
import pytest
from anthropic_cases import (
    ABLE,
    FOREIGN,
    NEW,
    OLD,
    OWN,
    assistant,
    body_of,
    dropped,
    fates,
    foreign,
    messages_of,
    read,
    user,
    write,
)

from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.parts import (
    Audio,
    CacheMarker,
    Citation,
    Document,
    FileId,
    HostedCall,
    HostedResult,
    Image,
    Inline,
    Origin,
    Refusal,
    Signature,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Url,
)
from gephyr_core.conversation.prompt import Role, Turn
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.anthropic.translator import AnthropicTranslator, needs_inline
from gephyr_core.dialects.translator import FOREIGN as ANOTHER
from gephyr_core.dialects.translator import Destination

CALL = ToolCall("call_1", "weather", '{"city":"Oslo"}', path="messages[1].tool_calls[0]")
TEXT = {"type": "text", "text": "Hi"}
MARK = CacheMarker("1h")


def said(messages: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Roles, and the texts or the types of the blocks."""
    return [(one["role"], [block.get("text", block["type"]) for block in one["content"]]) for one in messages]


def refusal(*turns: Turn, destination: Destination = ABLE) -> str:
    with pytest.raises(UntranslatableError) as caught:
        messages_of(*turns, destination=destination)
    return str(caught.value)


# -- turns ----------------------------------------------------------------------------------------------------------


def test_roles_alternate_and_empty_text_is_left_out() -> None:
    report = Report()
    turns = (user("a"), user("", " \n", "b"), assistant(Text("")), user("c"))
    assert said(messages_of(*turns, report=report)) == [("user", ["a", "b", "c"])]
    assert [fate for fate, _ in fates(report)].count("dropped") == 1


def test_a_conversation_begins_with_the_user() -> None:
    report = Report()
    assert said(messages_of(assistant("Hello"), user("Hi"), report=report))[0] == ("user", ["..."])
    assert ("emulated", "messages") in fates(report)
    assert said(messages_of(Turn(Role.USER, ()))) == [("user", ["..."])]


def test_a_system_message_in_the_middle_stays_one_where_the_model_takes_it() -> None:
    system = Turn(Role.SYSTEM, (Text("Be brief.", path="messages[1].content"),))
    assert said(messages_of(user("a"), system, assistant("b"), user("c")))[1] == ("system", ["Be brief."])
    report = Report()
    written = said(messages_of(user("a"), system, destination=OLD, report=report))
    assert written == [("user", ["a", "<system>\nBe brief.\n</system>"])]
    assert ("emulated", "messages[1].content") in fates(report)
    after_assistant = messages_of(user("a"), assistant("b"), system)
    assert said(after_assistant)[-1] == ("user", ["<system>\nBe brief.\n</system>"])


def test_a_prefill_is_handed_on_without_its_last_white_space() -> None:
    report = Report()
    assert said(messages_of(user("Count"), assistant("1, 2, "), report=report))[-1] == ("assistant", ["1, 2,"])
    assert ("changed", "messages[a]") in fates(report)


def test_only_the_last_message_loses_its_last_white_space() -> None:
    written = said(messages_of(user("Count "), assistant("1, "), user("On "), assistant("2, ")))
    assert written == [("user", ["Count "]), ("assistant", ["1, "]), ("user", ["On "]), ("assistant", ["2,"])]


def test_a_model_without_prefill_is_asked_to_go_on() -> None:
    report = Report()
    written = said(messages_of(user("Count"), assistant("1, 2,"), destination=NEW, report=report))
    assert written[-1] == ("user", ["Continue."])
    assert ("emulated", "messages[a]") in fates(report)


def test_an_anthropic_client_that_means_a_prefill_is_refused_there() -> None:
    prompt = read(messages=[{"role": "user", "content": "Count"}, {"role": "assistant", "content": "1,"}])
    with pytest.raises(UntranslatableError, match=r"messages\[1\].*claude-opus-5-5"):
        write(prompt, NEW)


def test_the_same_turns_are_written_the_same_whatever_follows() -> None:
    turns = [user("a"), assistant(CALL), user(ToolResult("call_1", (Text("Rain"),))), assistant("Rain."), user("b")]
    shorter, longer = (messages_of(*turns[:count]) for count in (3, 5))
    assert longer[:3] == shorter


# -- tools ----------------------------------------------------------------------------------------------------------


def test_results_stand_first_in_the_order_of_their_calls() -> None:
    calls = assistant(CALL, attrs.evolve(CALL, id="call_2"))
    results = user("Look:", ToolResult("call_2", (Text("two"),)), ToolResult("call_1", (Text("one"),)))
    message = messages_of(user("Hi"), calls, results)[2]
    assert [block.get("tool_use_id") for block in message["content"]] == ["call_1", "call_2", None]


def test_calls_that_nobody_answered_are_answered_with_an_error() -> None:
    report = Report()
    message = messages_of(user("Hi"), assistant(CALL), report=report)[-1]
    assert message["role"] == "user"
    assert message["content"][0]["is_error"] is True
    assert ("emulated", CALL.path) in fates(report)


def test_ids_that_anthropic_refuses_are_replaced_on_both_sides() -> None:
    turns = (user("Hi"), assistant(attrs.evolve(CALL, id="f.look:0")), user(ToolResult("f.look:0")))
    _, asked, told = messages_of(*turns)
    assert asked["content"][0]["id"] == told["content"][0]["tool_use_id"]
    assert asked["content"][0]["id"].startswith("toolu_")
    assert messages_of(*turns)[1] == asked


def test_an_id_that_comes_again_is_written_anew() -> None:
    turns = [user("Hi")]
    for number in range(2):
        turns += [assistant(CALL), user(ToolResult("call_1", (Text(str(number)),)))]
    _, first, one, second, two = messages_of(*turns)
    ids = [message["content"][0]["id"] for message in (first, second)]
    assert ids[0] != ids[1]
    assert [message["content"][0]["tool_use_id"] for message in (one, two)] == ids


@pytest.mark.parametrize(
    ("arguments", "freeform", "expected"),
    [
        ('{"a": [1]}', False, {"a": [1]}),
        ("", False, {}),
        ("*** Begin", True, {"input": "*** Begin"}),
        ("[]", False, {}),
        ("[1]", False, {"INVALID_JSON": "[1]"}),
        ('{"a', False, {"INVALID_JSON": '{"a'}),
    ],
)
def test_arguments_are_an_object(arguments: str, freeform: bool, expected: object) -> None:
    turns = (user("Hi"), assistant(ToolCall("c", "f", arguments, freeform)), user(ToolResult("c")))
    assert messages_of(*turns)[1]["content"][0]["input"] == expected


def test_a_failed_result_holds_text_only() -> None:
    report = Report()
    image = Image(Inline("image/png", "AA=="), path="image")
    result = ToolResult("call_1", (Text("no"), image), is_error=True)
    blocks = messages_of(user("Hi"), assistant(CALL), user(result), report=report)[2]["content"]
    assert [block["type"] for block in blocks] == ["tool_result", "image"]
    assert blocks[0]["content"] == [{"type": "text", "text": "no"}]
    assert ("emulated", "image") in fates(report)


def test_an_image_result_stays_in_the_result() -> None:
    result = ToolResult("call_1", (Image(Url("https://x/a.png")),))
    (block,) = messages_of(user("Hi"), assistant(CALL), user(result))[2]["content"]
    assert block["content"] == [{"type": "image", "source": {"type": "url", "url": "https://x/a.png"}}]


# -- thinking in the history ----------------------------------------------------------------------------------------


def test_signed_thinking_goes_back_to_who_made_it() -> None:
    dated = attrs.evolve(OLD, model="claude-sonnet-4-5", organization="o")
    thought = Thinking("hm", attrs.evolve(OWN, origin=attrs.evolve(OWN.origin, organization="o")))
    hidden = Thinking("", OWN, redacted=True)
    blocks = messages_of(user("Hi"), assistant(thought, hidden, "x"), user("y"), destination=dated)[1]["content"]
    assert blocks[:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "proof"},
        {"type": "redacted_thinking", "data": "proof"},
    ]


@pytest.mark.parametrize(
    ("signature", "destination"),
    [
        (None, OLD),
        (FOREIGN, OLD),
        (OWN, ABLE),
        (attrs.evolve(OWN, value=""), OLD),
        (OWN, attrs.evolve(OLD, organization=ANOTHER)),
        (Signature("p", Origin("anthropic", "", "one")), attrs.evolve(OLD, organization="two")),
    ],
)
def test_thinking_of_others_is_dropped_with_a_word(signature: Signature | None, destination: Destination) -> None:
    report = Report()
    turns = (user("Hi"), assistant(Thinking("hm", signature, path="thought"), "x"), user("y"))
    assert said(messages_of(*turns, destination=destination, report=report))[1] == ("assistant", ["x"])
    assert "thought" in dropped(report)


def test_signatures_without_a_place_are_told_of() -> None:
    report = Report()
    call = attrs.evolve(CALL, signature=FOREIGN)
    text = Text("x", signature=FOREIGN, path="text")
    messages_of(user("Hi"), assistant(text, call), user(ToolResult("call_1")), report=report)
    assert dropped(report) == ["text.signature", f"{CALL.path}.signature"]


# -- media and other parts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (Image(Inline("image/jpg", "AA==")), {"type": "base64", "media_type": "image/jpeg", "data": "AA=="}),
        (Image(FileId("f", "anthropic")), {"type": "file", "file_id": "f"}),
        (Document(Url("https://x/a.pdf")), {"type": "url", "url": "https://x/a.pdf"}),
        (
            Document(Inline("application/pdf", "AA==")),
            {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
        ),
        (
            Document(Inline("text/csv", base64.b64encode(b"a,b").decode())),
            {"type": "text", "media_type": "text/plain", "data": "a,b"},
        ),
    ],
)
def test_media_are_written_as_anthropic_takes_them(part: Image | Document, source: dict[str, Any]) -> None:
    assert messages_of(user(part))[0]["content"][0]["source"] == source


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Image(Inline("image/tiff", "AA=="), path="p"), "image/tiff"),
        (Image(FileId("f", "openai-chat"), path="p"), "'f' of 'openai-chat'"),
        (Audio(Inline("audio/wav", "AA=="), path="p"), "audio"),
        (Document(Inline("application/zip", "AA=="), path="p"), "application/zip"),
        (Document(Inline("text/plain", "/w=="), path="p"), "UTF-8"),
        (Document(Url("https://x/a.txt", "text/plain"), path="p"), "bytes"),
    ],
)
def test_media_that_anthropic_does_not_take_are_refused_by_name(part: Image | Document | Audio, words: str) -> None:
    assert words in refusal(user(part))


def test_a_model_that_sees_nothing_is_shown_nothing() -> None:
    blind = attrs.evolve(ABLE, capabilities=Capabilities(modalities=()))
    assert "takes no image" in refusal(user(Image(Url("https://x"), path="p")), destination=blind)


def test_only_documents_that_are_no_pdf_have_to_be_fetched() -> None:
    addresses = [Url("https://x"), Url("https://x", "application/pdf"), Url("https://x", "text/plain")]
    assert [needs_inline(Document(source)) for source in addresses] == [False, False, True]
    assert not needs_inline(Image(Url("https://x", "image/png")))


def test_the_assistants_media_follow_in_a_users_message() -> None:
    image = Image(Inline("image/png", "AA=="), path="p")
    assert said(messages_of(user("Draw"), assistant("Here", image), user("Nice"))) == [
        ("user", ["Draw"]),
        ("assistant", ["Here"]),
        ("user", ["The assistant's reply had:", "image", "Nice"]),
    ]


def test_refusals_and_foreign_tools_are_told_as_text() -> None:
    report = Report()
    hosted = (
        HostedCall("h", "web_search", "web_search", '{"query":"x"}', path="h"),
        HostedResult("h", "web_search", output="found", path="r"),
    )
    turns = (user("Hi"), assistant(Refusal("No.", path="n"), *hosted), user("Why?"))
    (_, (_, texts), _) = said(messages_of(*turns, report=report))
    assert texts == ["No.", '[web_search: {"query":"x"}]', "[result of web_search]\nfound"]
    assert [path for fate, path in fates(report) if fate == "changed"] == ["n", "h", "r"]


def test_citations_of_others_are_dropped() -> None:
    report = Report()
    cited = Text("x", citations=(Citation("https://x"),), path="t")
    assert "citations" not in messages_of(user("Hi"), assistant(cited), user("y"), report=report)[1]["content"][0]
    assert dropped(report) == ["t.citations"]


def test_participants_have_no_names() -> None:
    report = Report()
    messages_of(attrs.evolve(user("Hi"), name="ada"), report=report)
    assert dropped(report) == ["messages[u].name"]


# -- cache markers --------------------------------------------------------------------------------------------------


def test_of_too_many_markers_the_last_four_count() -> None:
    report = Report()
    marked = [Text(str(number), CacheMarker(), path=f"p{number}") for number in range(6)]
    body = body_of(ABLE, user(*marked[1:]), system=(marked[0],), report=report)
    blocks = [*body["system"], *body["messages"][0]["content"]]
    assert ["cache_control" in block for block in blocks] == [False, False, True, True, True, True]
    assert dropped(report) == ["p0", "p1"]


def test_a_lasting_marker_makes_those_before_it_last() -> None:
    report = Report()
    blocks = messages_of(
        user(Text("a", CacheMarker(), path="a"), Text("b", MARK), Text("c", CacheMarker("5m"))), report=report
    )
    ttls = [block["cache_control"].get("ttl") for block in blocks[0]["content"]]
    assert ttls == ["1h", "1h", "5m"]
    assert ("changed", "a") in fates(report)


def test_lifetimes_are_rounded_up() -> None:
    report = Report()
    (block,) = messages_of(user(Text("a", CacheMarker("30m"), path="a")), report=report)[0]["content"]
    assert block["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    assert ("changed", "a") in fates(report)


def test_clients_whose_own_provider_caches_by_itself_are_cached() -> None:
    turns = (user("a"), assistant("b"), user("c"))
    assert body_of(ABLE, *turns)["cache_control"] == {"type": "ephemeral"}
    assert "cache_control" not in body_of(ABLE, user("a"))
    assert "cache_control" not in body_of(OLD, *turns)
    assert "cache_control" not in body_of(ABLE, user(Text("a", MARK)), *turns[1:])


# -- counting -------------------------------------------------------------------------------------------------------


def test_a_count_is_asked_without_what_makes_no_tokens() -> None:
    prompt = foreign(user("Hi"), system=(Text("Be brief."),), stream=True, user="u")
    counted = AnthropicTranslator().write_count(prompt, ABLE, Report())
    assert counted is not None
    assert list(counted.body) == ["model", "system", "messages"]
    assert counted.headers == ((b"anthropic-version", b"2023-06-01"),)


def test_counts_are_read_and_written() -> None:
    translator = AnthropicTranslator()
    assert translator.read_count(translator.write_count_reply(42)) == 42
    with pytest.raises(ValueError, match="no count"):
        translator.read_count(b'{"tokens": 1}')
