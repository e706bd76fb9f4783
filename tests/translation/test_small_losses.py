"""What was lost without a word on the way between two dialects, though it is little: names, titles, orders, words."""

import base64
import json
from typing import Any

import attrs
import pytest

from gephyr_core.config import CapabilityOverride
from gephyr_core.conversation.parts import Citation, Text
from gephyr_core.conversation.reply import Cited, PartEnded, PartStarted, Started, TextAdded
from gephyr_core.conversation.report import Fate, Report
from gephyr_core.dialects.translator import Destination
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.translation.requests import read_request
from tests.translation.translating import DESTINATIONS, read_deltas, write_reply, write_stream

DIALECTS = tuple(DESTINATIONS)
OPENAI = ("openai-chat", "openai-responses")


def sent(source: str, body: dict[str, Any], to: str | Destination) -> tuple[dict[str, Any], Report]:
    destination = DESTINATIONS[to] if isinstance(to, str) else to
    read = read_request(source, json.dumps({"model": "m", **body}).encode(), model="m", stream=False, headers=())
    call = read.call(destination, stream=False)
    assert call is not None
    return json.loads(call.body), call.report


# -- participants -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["anthropic", "gemini", "openai-responses"])
@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_each_name_of_a_participant_is_reported(role: str, target: str) -> None:
    """Who said what is what such a conversation is about."""
    named = [{"role": role, "name": name, "content": f"I am {name}."} for name in ("mara", "timo")]
    messages = [{"role": "user", "content": "Hi"}, *named, {"role": "user", "content": "Who?"}]
    _, report = sent("openai-chat", {"messages": messages}, target)
    lost = set(report.paths(Fate.DROPPED))
    assert {"messages[1].name", "messages[2].name"} <= lost


# -- system messages in the middle --------------------------------------------------------------------------------------

TURNS = [
    {"role": "user", "content": "Hello"},
    {"role": "system", "content": "The file has changed."},
    {"role": "assistant", "content": "Hello!"},
    {"role": "system", "content": "It has again."},
    {"role": "user", "content": "Go on."},
]


def without_system_turns(dialect: str) -> Destination:
    said = {"some-model": CapabilityOverride(system_turns=False)}
    capabilities = capabilities_of("openai-compatible", dialect, "some-model", said, None)
    return Destination(dialect, "openai-compatible", "some-model", capabilities)


@pytest.mark.parametrize("target", OPENAI)
@pytest.mark.parametrize("source", ["anthropic", "openai-chat"])
def test_a_model_without_system_turns_gets_them_as_marked_text(source: str, target: str) -> None:
    """Many templates refuse a system message that is not the first, and roles that do not alternate."""
    body, report = sent(source, {"max_tokens": 9, "messages": TURNS}, without_system_turns(target))
    messages = body["messages" if target == "openai-chat" else "input"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    texts = [[part["text"] for part in messages[place]["content"]] for place in (0, 2)]
    marked = "<system>\nThe file has changed.\n</system>", "<system>\nIt has again.\n</system>"
    assert texts == [["Hello", marked[0]], [marked[1], "Go on."]]
    assert len(report.paths(Fate.EMULATED)) == 2


@pytest.mark.parametrize("target", OPENAI)
def test_marked_text_stands_behind_the_results_of_tools(target: str) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Look."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
        {"role": "developer", "content": "Be short."},
    ]
    body, _ = sent("openai-chat", {"messages": messages}, without_system_turns(target))
    *_, result, last = body["messages" if target == "openai-chat" else "input"]
    assert "rain" in json.dumps(result)
    assert (last["role"], last["content"]) == ("user", "<system>\nBe short.\n</system>")


@pytest.mark.parametrize("target", OPENAI)
def test_other_models_of_openais_dialects_get_them_as_they_are(target: str) -> None:
    body, _ = sent("anthropic", {"max_tokens": 9, "messages": TURNS}, target)
    roles = [message["role"] for message in body["messages" if target == "openai-chat" else "input"]]
    assert roles[1] in ("system", "developer")


# -- search results -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("place", ["result", "message"])
def test_a_search_result_keeps_its_title_and_its_address(place: str, target: str) -> None:
    found = {
        "type": "search_result",
        "source": "https://bridges.example/old",
        "title": "The old bridge",
        "content": [{"type": "text", "text": "Built by the town."}],
    }
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [found]}
    messages = [
        {"role": "user", "content": "Who built it?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}]},
        {"role": "user", "content": [result]},
    ]
    if place == "message":
        messages = [{"role": "user", "content": [found, {"type": "text", "text": "Who built it?"}]}]
    body, _ = sent("anthropic", {"max_tokens": 99, "messages": messages}, target)
    told = json.dumps(body).replace(base64.b64encode(b"Built by the town.").decode(), "Built by the town.")
    for words in ("https://bridges.example/old", "The old bridge", "Built by the town."):
        assert words in told


def test_a_document_in_a_result_keeps_its_title_at_gemini() -> None:
    """Whether it is text or not."""
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    document = {"type": "document", "title": "Plans", "context": "Of 1890", "source": pdf}
    messages = [
        {"role": "user", "content": "Who built it?"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [document]}]},
    ]
    body, _ = sent("anthropic", {"max_tokens": 99, "messages": messages}, "gemini")
    (response,) = [part["functionResponse"] for part in body["contents"][-1]["parts"] if "functionResponse" in part]
    assert response["response"] == {"output": "Plans\nOf 1890"}


@pytest.mark.parametrize("target", ["openai-chat", "openai-responses", "gemini"])
def test_that_a_document_was_to_be_cited_is_reported(target: str) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Built by the town."}
    document = {"type": "document", "citations": {"enabled": True}, "source": source}
    _, report = sent("anthropic", {"max_tokens": 99, "messages": [{"role": "user", "content": [document]}]}, target)
    assert "messages[0].content[0]" in report.paths(Fate.DROPPED)


def test_a_document_at_an_address_keeps_its_title_in_responses() -> None:
    source = {"type": "url", "url": "https://bridges.example/plans.pdf"}
    document = {"type": "document", "title": "Plans of the bridge", "source": source}
    body, _ = sent("anthropic", {"max_tokens": 99, "messages": [{"role": "user", "content": [document]}]}, OPENAI[1])
    assert "Plans of the bridge" in json.dumps(body)


# -- the order of properties --------------------------------------------------------------------------------------------

LEAF = {"type": "STRING"}
ORDERED = {"type": "OBJECT", "properties": {"mark": LEAF, "more": LEAF, "reasons": LEAF}}
ORDER = ["reasons", "mark"]
SCHEMAS = [
    ({**ORDERED, "propertyOrdering": ORDER}, ("properties",)),
    ({**ORDERED, "property_ordering": ORDER}, ("properties",)),
    ({**ORDERED, "propertyOrdering": ["absent", *ORDER, 7]}, ("properties",)),
    ({"type": "ARRAY", "items": {**ORDERED, "propertyOrdering": ORDER}}, ("items", "properties")),
    ({"anyOf": [LEAF, {**ORDERED, "propertyOrdering": ORDER}]}, ("anyOf", 1, "properties")),
    (
        {"type": "OBJECT", "properties": {"one": {**ORDERED, "propertyOrdering": ORDER}}},
        ("properties", "one", "properties"),
    ),
    (
        {"type": "OBJECT", "properties": {"one": LEAF}, "$defs": {"x": {**ORDERED, "propertyOrdering": ORDER}}},
        ("$defs", "x", "properties"),
    ),
]


@pytest.mark.parametrize(("schema", "place"), SCHEMAS)
@pytest.mark.parametrize("field", ["responseSchema", "responseJsonSchema", "parameters", "parametersJsonSchema"])
def test_properties_stand_in_the_order_that_the_model_is_to_write_them_in(
    schema: dict[str, Any], place: tuple[Any, ...], field: str
) -> None:
    """Reasons before the mark are thought before it: another order is another answer."""
    contents = [{"role": "user", "parts": [{"text": "Judge it."}]}]
    if field.startswith("response"):
        config = {"responseMimeType": "application/json", field: schema}
        read = read_request(
            "gemini",
            json.dumps({"contents": contents, "generationConfig": config}).encode(),
            model="m",
            stream=False,
            headers=(),
        )
        assert read.prompt.output is not None
        found: Any = read.prompt.output.schema
    else:
        tools = [{"functionDeclarations": [{"name": "judge", field: schema}]}]
        data = json.dumps({"contents": contents, "tools": tools}).encode()
        (tool,) = read_request("gemini", data, model="m", stream=False, headers=()).prompt.tools
        found = getattr(tool, "schema", None)
    for step in place:
        found = found[step]
    assert list(found) == ["reasons", "mark", "more"]
    assert "rdering" not in json.dumps(found)


@pytest.mark.parametrize("target", ["openai-chat", "openai-responses", "anthropic"])
def test_the_order_arrives(target: str) -> None:
    config = {"responseMimeType": "application/json", "responseSchema": SCHEMAS[0][0]}
    contents = [{"role": "user", "parts": [{"text": "Judge it."}]}]
    body, _ = sent("gemini", {"contents": contents, "generationConfig": config}, target)
    told = json.dumps(body)
    assert told.index('"reasons"') < told.index('"mark"') < told.index('"more"')
    assert "rdering" not in told


# -- the word JSON ------------------------------------------------------------------------------------------------------

JSON_MODE = [
    (
        "openai-chat",
        {"messages": [{"role": "user", "content": "A colour?"}], "response_format": {"type": "json_object"}},
    ),
    (
        "gemini",
        {
            "contents": [{"role": "user", "parts": [{"text": "A colour?"}]}],
            "systemInstruction": {"parts": [{"text": "JSON only."}]},
            "generationConfig": {"responseMimeType": "application/json"},
        },
    ),
]


@pytest.mark.parametrize(("source", "body"), JSON_MODE)
def test_json_mode_says_json_where_openai_looks_for_it(source: str, body: dict[str, Any]) -> None:
    """OpenAI answers 400 unless the *input messages* contain the word; ``instructions`` are none."""
    request, report = sent(source, body, "openai-responses")
    assert request["text"] == {"format": {"type": "json_object"}}
    assert "json" in json.dumps(request["input"]).lower()
    assert report.paths(Fate.EMULATED)
    if source != "openai-chat":
        request, _ = sent(source, body, "openai-chat")
        assert "json" in json.dumps(request["messages"]).lower()


def test_what_json_mode_adds_does_not_depend_on_what_is_said_later() -> None:
    """A prefix has to stay the same, or the provider's prompt cache is lost."""
    user = {"role": "user", "content": "A colour?"}
    later = [user, {"role": "assistant", "content": "{}"}, {"role": "user", "content": "As JSON!"}]
    asked = [
        sent("openai-chat", {"messages": messages, "response_format": {"type": "json_object"}}, "openai-responses")[0]
        for messages in ([user], later)
    ]
    assert asked[1]["input"][: len(asked[0]["input"])] == asked[0]["input"]


# -- reasoning beside the output ----------------------------------------------------------------------------------------

COUNTS = [
    ({"prompt_tokens": 50, "completion_tokens": 2, "total_tokens": 252}, 200, 202),
    ({"prompt_tokens": 50, "completion_tokens": 300, "total_tokens": 550}, 200, 500),
    ({"prompt_tokens": 50, "completion_tokens": 202, "total_tokens": 252}, 200, 202),
    ({"prompt_tokens": 50, "completion_tokens": 2}, 200, 202),
    ({"prompt_tokens": 50, "completion_tokens": 202}, 200, 202),
    ({"prompt_tokens": 50, "completion_tokens": 0, "total_tokens": 250}, 200, 200),
    ({"prompt_tokens": 50, "completion_tokens": 2, "total_tokens": 52}, 0, 2),
]


def chat_usage(counts: dict[str, int], reasoning: int) -> dict[str, Any]:
    return {**counts, "completion_tokens_details": {"reasoning_tokens": reasoning}}


def written_counts(dialect: str, told: Any) -> tuple[int, int]:
    """The tokens of output, reasoning included, and of reasoning."""
    if dialect == "gemini":
        usage = told["usageMetadata"]
        thoughts = usage.get("thoughtsTokenCount", 0)
        assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"] + thoughts
        return usage["candidatesTokenCount"] + thoughts, thoughts
    if dialect == "anthropic":
        return told["usage"]["output_tokens"], told["usage"]["output_tokens_details"]["thinking_tokens"]
    usage, name = told["usage"], "completion_tokens" if dialect == "openai-chat" else "output_tokens"
    given = usage["prompt_tokens" if dialect == "openai-chat" else "input_tokens"]
    assert usage["total_tokens"] == given + usage[name]
    return usage[name], usage[f"{name}_details"]["reasoning_tokens"]


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize(("counts", "reasoning", "output"), COUNTS)
def test_the_output_counts_reasoning_wherever_the_provider_counts_it(
    counts: dict[str, int], reasoning: int, output: int, target: str
) -> None:
    """xAI's ``completion_tokens`` do not hold it; the total says so. Who pays by them would be told a hundredth."""
    message = {"role": "assistant", "content": "Yes."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = {"id": "c", "model": "grok-4", "choices": [choice], "usage": chat_usage(counts, reasoning)}
    reply = TRANSLATORS["openai-chat"].read_reply(json.dumps(body).encode(), Report())
    assert written_counts(target, json.loads(write_reply(target, reply))) == (output, reasoning)
    chunk = {**body, "choices": [{"index": 0, "delta": message, "finish_reason": "stop"}]}
    streamed = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
    (usage,) = [delta.usage for delta in read_deltas("openai-chat", streamed) if hasattr(delta, "stop")]
    assert (usage.output, usage.reasoning) == (output, reasoning)


def test_responses_of_such_a_provider_are_counted_likewise() -> None:
    usage = {
        "input_tokens": 50,
        "output_tokens": 2,
        "total_tokens": 252,
        "output_tokens_details": {"reasoning_tokens": 200},
    }
    body = {"id": "r", "status": "completed", "output": [], "usage": usage}
    reply = TRANSLATORS["openai-responses"].read_reply(json.dumps(body).encode(), Report())
    assert (reply.usage.output, reply.usage.reasoning) == (202, 200)


# -- citations before the text ------------------------------------------------------------------------------------------

CITED = "https://bridges.example/old"
ANNOTATION = {"type": "url_citation", "url_citation": {"url": CITED, "title": "Old", "start_index": 0, "end_index": 0}}


def chat_stream(*deltas: dict[str, Any]) -> bytes:
    def chunk(delta: Any, finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps({'id': 'c', 'model': 'm', 'choices': [choice]})}\n\n"

    return "".join([*map(chunk, deltas), chunk({}, "stop"), "data: [DONE]\n\n"]).encode()


def responses_stream() -> bytes:
    annotation = {"type": "url_citation", "url": CITED, "title": "Old", "start_index": 0, "end_index": 0}
    item = {"type": "message", "id": "i", "role": "assistant", "content": []}
    where = {"item_id": "i", "output_index": 0, "content_index": 0}
    events = [
        {"type": "response.created", "response": {"id": "r", "model": "m"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.annotation.added", **where, "annotation_index": 0, "annotation": annotation},
        {"type": "response.output_text.delta", **where, "delta": "It is old."},
        {"type": "response.completed", "response": {"id": "r", "status": "completed", "output": []}},
    ]
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


EARLY = [
    ("openai-chat", chat_stream({"content": "", "annotations": [ANNOTATION]}, {"content": "It is old."})),
    ("openai-chat", chat_stream({"annotations": [ANNOTATION]}, {"reasoning_content": "hm"}, {"content": "It is old."})),
    ("openai-responses", responses_stream()),
]


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize(("source", "stream"), EARLY)
def test_a_citation_that_comes_before_its_text_is_carried(source: str, stream: bytes, target: str) -> None:
    told = write_stream(target, read_deltas(source, stream)).decode()
    assert "It is old." in told
    assert CITED in told


def test_a_citation_that_no_text_follows_is_reported() -> None:
    report = Report()
    reader = TRANSLATORS["openai-chat"].delta_reader(report)
    for event in chat_stream({"annotations": [ANNOTATION]}, {"reasoning_content": "hm"}).split(b"\n\n"):
        reader.read(event + b"\n\n")
    assert report.paths(Fate.DROPPED) == ["choices[0].message.annotations"]


@pytest.mark.parametrize("target", DIALECTS)
def test_a_part_that_begins_with_its_citations_keeps_them(target: str) -> None:
    part = Text("It is old.", citations=(Citation(CITED, "Old"),))
    deltas = [Started("r", "m"), PartStarted(0, part), TextAdded(0, " Very."), PartEnded(0)]
    assert (
        CITED
        in write_stream(target, [*deltas, *read_deltas("openai-chat", chat_stream({"content": "x"}))[-1:]]).decode()
    )


def test_a_citation_is_the_same_whenever_it_comes() -> None:
    late = chat_stream({"content": "It is old."}, {"annotations": [ANNOTATION]})
    cited = [
        [delta.citation for delta in read_deltas("openai-chat", one) if isinstance(delta, Cited)]
        for one in (EARLY[0][1], late)
    ]
    assert cited[0] == cited[1] == [attrs.evolve(cited[0][0], url=CITED)]


def test_what_is_not_known_of_reasoning_is_said_by_its_path() -> None:
    body = {"messages": [{"role": "user", "content": "x"}], "reasoning": {"effort": "low", "mystery": 1}}
    request = read_request("openai-chat", json.dumps(body).encode(), model="m", stream=False, headers=())
    known = capabilities_of("anthropic", "anthropic", "claude-opus-4-8", {}, None)
    made = request.call(Destination("anthropic", "anthropic", "claude-opus-4-8", known), stream=False)
    assert made is not None
    assert "reasoning.mystery" in made.report.paths(Fate.DROPPED)
