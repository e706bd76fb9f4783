"""Characters that were cut into halves of a surrogate pair, as programs do that count in UTF-16 code units."""

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gephyr_core.conversation.reply import ThinkingAdded
from gephyr_core.conversation.report import Fate, Report
from gephyr_core.dialects.translators import TRANSLATORS
from gephyr_core.translation.requests import read_request
from tests.translation.answers import canonical, payloads, streamed, whole
from tests.translation.translating import DESTINATIONS, read_deltas, write_reply, write_stream

DIALECTS = tuple(DESTINATIONS)
HIGH, LOW = "\ud83c", "\udf09"
BRIDGE = "\N{BRIDGE AT NIGHT}"
LOST = "\N{REPLACEMENT CHARACTER}"
Pieces = list[str]


def events(*datas: Any, named: bool = False) -> bytes:
    lines = (f"event: {data['type']}\n" if named else "" for data in datas)
    return "".join(f"{line}data: {json.dumps(data)}\n\n" for line, data in zip(lines, datas, strict=True)).encode()


def chat(*deltas: dict[str, Any]) -> bytes:
    def chunk(delta: Any, finish: str | None = None) -> dict[str, Any]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": choices}

    return events(*map(chunk, deltas), chunk({}, "stop")) + b"data: [DONE]\n\n"


def chat_call(pieces: Pieces) -> bytes:
    def called(**function: str) -> dict[str, Any]:
        return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}

    return chat(
        called(name="find", arguments=""),
        *({"tool_calls": [{"index": 0, "function": {"arguments": one}}]} for one in pieces),
    )


def anthropic(block: dict[str, Any], deltas: Iterable[dict[str, Any]]) -> bytes:
    message = {"id": "msg", "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}
    added = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    return events(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *added,
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
        named=True,
    )


def responses(item: dict[str, Any], name: str, pieces: Pieces) -> bytes:
    where = {"item_id": "i", "output_index": 0, "content_index": 0, "summary_index": 0}
    return events(
        {"type": "response.created", "response": {"id": "resp", "model": "m"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *({"type": f"response.{name}.delta", "delta": piece, **where} for piece in pieces),
        {"type": "response.completed", "response": {"id": "resp", "status": "completed", "output": []}},
        named=True,
    )


def gemini(pieces: Pieces, **more: Any) -> bytes:
    def chunk(part: Any, **ending: Any) -> dict[str, Any]:
        return {
            "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0, **ending}],
            "modelVersion": "m",
        }

    chunks = [chunk({"text": piece, **more}) for piece in pieces]
    return events(*chunks, chunk({"text": ""}, finishReason="STOP"))


def anthropic_text(pieces: Pieces) -> bytes:
    return anthropic({"type": "text", "text": ""}, ({"type": "text_delta", "text": piece} for piece in pieces))


def anthropic_thinking(pieces: Pieces) -> bytes:
    deltas = ({"type": "thinking_delta", "thinking": piece} for piece in pieces)
    return anthropic({"type": "thinking", "thinking": "", "signature": ""}, deltas)


def anthropic_call(pieces: Pieces) -> bytes:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
    return anthropic({"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}}, deltas)


MESSAGE = {"type": "message", "id": "i", "role": "assistant", "content": []}
CALL = {"type": "function_call", "id": "i", "call_id": "call_1", "name": "find", "arguments": ""}
REASONING = {"type": "reasoning", "id": "i", "summary": []}
Stream = Callable[[Pieces], bytes]
TEXTS: dict[str, Stream] = {
    "openai-chat": lambda pieces: chat(*({"content": piece} for piece in pieces)),
    "openai-responses": lambda pieces: responses(MESSAGE, "output_text", pieces),
    "anthropic": anthropic_text,
    "gemini": gemini,
}
THOUGHTS: dict[str, Stream] = {
    "openai-chat": lambda pieces: chat(*({"reasoning_content": piece} for piece in pieces)),
    "openai-responses": lambda pieces: responses(REASONING, "reasoning_summary_text", pieces),
    "anthropic": anthropic_thinking,
    "gemini": lambda pieces: gemini(pieces, thought=True),
}
ARGUMENTS: dict[str, Stream] = {
    "openai-chat": chat_call,
    "openai-responses": lambda pieces: responses(CALL, "function_call_arguments", pieces),
    "anthropic": anthropic_call,
}
REFUSALS: dict[str, Stream] = {
    "openai-chat": lambda pieces: chat(*({"refusal": piece} for piece in pieces)),
    "openai-responses": lambda pieces: responses(MESSAGE, "refusal", pieces),
}


def thoughts(source: str, stream: bytes) -> str:
    return "".join(delta.text for delta in read_deltas(source, stream) if isinstance(delta, ThinkingAdded))


def translated(source: str, target: str, stream: bytes) -> bytes:
    return write_stream(target, read_deltas(source, stream))


def units(text: str, cuts: Iterable[int]) -> Pieces:
    """Cut a text at places counted in UTF-16 code units."""
    encoded = text.encode("utf-16-le")
    places = sorted({0, len(encoded), *(2 * cut for cut in cuts if 2 * cut < len(encoded))})
    return [encoded[a:b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(places)]


cut_texts = st.builds(
    units,
    st.text(st.sampled_from(("a", "\N{LATIN SMALL LETTER E WITH ACUTE}", BRIDGE, "\\", '"', "\n")), min_size=1),
    st.lists(st.integers(1, 30)),
)


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
@settings(max_examples=20)
@given(pieces=cut_texts)
def test_a_text_arrives_whole_wherever_its_stream_was_cut(source: str, target: str, pieces: Pieces) -> None:
    text = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16")
    assert streamed(target, translated(source, target, TEXTS[source](pieces))).text == text


@pytest.mark.parametrize("source", DIALECTS)
@settings(max_examples=20)
@given(pieces=cut_texts)
def test_reasoning_is_read_whole_wherever_its_stream_was_cut(source: str, pieces: Pieces) -> None:
    text = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16")
    assert thoughts(source, THOUGHTS[source](pieces)) == text


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", tuple(ARGUMENTS))
@settings(max_examples=20)
@given(pieces=cut_texts)
def test_arguments_arrive_whole_wherever_their_stream_was_cut(source: str, target: str, pieces: Pieces) -> None:
    text = "".join(pieces).encode("utf-16", "surrogatepass").decode("utf-16")
    quoted = json.dumps(text, ensure_ascii=False)[1:-1]
    ((_, arguments),) = streamed(
        target, translated(source, target, ARGUMENTS[source](['{"q":"', *units(quoted, [1, 3, 4, 7]), '"}']))
    ).calls
    assert arguments == canonical({"q": text})


@pytest.mark.parametrize("source", tuple(REFUSALS))
def test_a_refusal_arrives_whole(source: str) -> None:
    stream = REFUSALS[source](["no " + HIGH, LOW + "!"])
    told = b"".join(
        json.dumps(event, ensure_ascii=False).encode() for event in payloads(translated(source, "openai-chat", stream))
    )
    assert f'"refusal": "{BRIDGE}!"'.encode() in told


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["well " + HIGH], "well " + LOST),
        ([HIGH], LOST),
        ([LOW + " done"], LOST + " done"),
        (["a" + HIGH, "b", LOW + "c"], f"a{LOST}b{LOST}c"),
        ([HIGH, HIGH + LOW], LOST + BRIDGE),
        ([HIGH, "", LOW], BRIDGE),
    ],
)
def test_a_half_that_stays_alone_is_a_replacement_character(
    source: str, target: str, pieces: Pieces, text: str
) -> None:
    """It is no error: clients of the provider's own dialect get the reply too."""
    stream = translated(source, target, TEXTS[source](pieces))
    assert streamed(target, stream).text == text
    assert "error" not in {event.get("type") for event in payloads(stream)}


def test_halves_find_each_other_past_other_parts() -> None:
    """Calls interleave, and reasoning may stand between two pieces of one message."""

    def called(index: int, arguments: str, name: str = "") -> dict[str, Any]:
        function = {"arguments": arguments, **({"name": name} if name else {})}
        return {"tool_calls": [{"index": index, **({"id": f"call_{index}"} if name else {}), "function": function}]}

    stream = chat(
        {"content": "a " + HIGH},
        {"reasoning_content": "hm " + HIGH},
        {"content": LOW + " b"},
        {"reasoning_content": LOW + " so"},
        called(0, '{"q":"' + HIGH, "one"),
        called(1, '{"q":"' + HIGH, "two"),
        called(0, LOW + '"}'),
        called(1, LOW + '"}'),
    )
    assert thoughts("openai-chat", stream) == f"hm {BRIDGE} so"
    for target in DIALECTS:
        answer = streamed(target, translated("openai-chat", target, stream))
        assert answer.text == f"a {BRIDGE} b"
        assert answer.calls == [(name, canonical({"q": BRIDGE})) for name in ("one", "two")]


# -- whole replies ------------------------------------------------------------------------------------------------------


def whole_replies(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "finishReason": "STOP", "index": 0}
    return {
        "openai-chat": {"id": "c", "model": "m", "choices": [choice]},
        "openai-responses": {"id": "r", "status": "completed", "output": [{**MESSAGE, "content": [part]}]},
        "anthropic": {"id": "m", "model": "m", "content": [{"type": "text", "text": text}], "stop_reason": "end_turn"},
        "gemini": {"candidates": [candidate], "usageMetadata": {"promptTokenCount": 3}},
    }


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
def test_a_whole_reply_with_a_half_is_a_reply(source: str, target: str) -> None:
    body = json.dumps(whole_replies(f"a {HIGH} {BRIDGE} b")[source]).encode()
    reply = TRANSLATORS[source].read_reply(body, Report())
    assert whole(target, json.loads(write_reply(target, reply))).text == f"a {LOST} {BRIDGE} b"


def test_a_whole_gemini_reply_joins_what_its_parts_cut() -> None:
    """A collected stream is such a reply: its parts are the chunks'."""
    parts = [{"text": "a " + HIGH}, {"text": LOW + " b"}]
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}
    reply = TRANSLATORS["gemini"].read_reply(json.dumps(body).encode(), Report())
    assert whole("anthropic", json.loads(write_reply("anthropic", reply))).text == f"a {BRIDGE} b"


# -- requests -----------------------------------------------------------------------------------------------------------


def requests(text: str) -> dict[str, tuple[dict[str, Any], str]]:
    """A request of each dialect, and where the text stands in it."""
    user = {"role": "user", "content": text}
    return {
        "openai-chat": ({"model": "m", "messages": [user]}, "messages[0].content"),
        "openai-responses": ({"model": "m", "input": text}, "input"),
        "anthropic": ({"model": "m", "max_tokens": 9, "messages": [user]}, "messages[0].content"),
        "gemini": ({"contents": [{"role": "user", "parts": [{"text": text}]}]}, "contents[0].parts[0].text"),
    }


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
def test_a_request_that_is_written_anew_says_where_a_half_was_replaced(source: str, target: str) -> None:
    body, path = requests(f"a {HIGH}, {BRIDGE}")[source]
    read = read_request(source, json.dumps(body).encode(), model="m", stream=False, headers=())
    call = read.call(DESTINATIONS[target], stream=False)
    assert call is not None
    assert f"a {LOST}, {BRIDGE}" in json.dumps(json.loads(call.body), ensure_ascii=False)
    assert path in call.report.paths(Fate.CHANGED)


def test_a_half_inside_arguments_keeps_them_arguments() -> None:
    """They are JSON in a JSON string: the half is escaped twice, and the request itself is faultless."""
    call = {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": json.dumps({"q": HIGH})}}
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "none"},
    ]
    body = json.dumps({"model": "m", "messages": messages}).encode()
    read = read_request("openai-chat", body, model="m", stream=False, headers=())
    for target in ("anthropic", "gemini"):
        written = read.call(DESTINATIONS[target], stream=False)
        assert written is not None
        assert f'{{"q": "{LOST}"}}' in json.dumps(json.loads(written.body), ensure_ascii=False)
