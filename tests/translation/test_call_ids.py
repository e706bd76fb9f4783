"""No two calls have one id: clients match results by it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.conversation.ids import CallIds
from gephyr_core.conversation.report import Fate, Report
from tests.translation.passing import PAIRS, PROVIDERS, asked, sse, streamed, told

PAGES = ("one", "two", "three")


def reply_with_ids(dialect: str, ids: list[str | None]) -> dict[str, Any]:
    """A provider's reply that calls ``open`` for a page with each id; None: it tells no id."""
    named = [({} if one is None else {"id": one}, page) for one, page in zip(ids, PAGES, strict=False)]
    match dialect:
        case "openai-chat":
            calls = [
                {**known, "function": {"name": "open", "arguments": json.dumps({"page": page})}}
                for known, page in named
            ]
            return {"choices": [{"message": {"role": "assistant", "tool_calls": calls}, "finish_reason": "tool_calls"}]}
        case "openai-responses":
            items = [
                {
                    "type": "function_call",
                    "call_id": known.get("id", ""),
                    "name": "open",
                    "arguments": json.dumps({"page": page}),
                }
                for known, page in named
            ]
            return {"status": "completed", "model": "m", "output": items}
        case "anthropic":
            blocks = [{"type": "tool_use", **known, "name": "open", "input": {"page": page}} for known, page in named]
            return {"type": "message", "model": "m", "stop_reason": "tool_use", "content": blocks}
    parts = [{"functionCall": {**known, "name": "open", "args": {"page": page}}} for known, page in named]
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
        "usageMetadata": {"x": 1},
    }


def stream_with_ids(dialect: str, ids: list[str | None]) -> bytes:
    """The same, streamed as the dialect's providers do."""
    reply = reply_with_ids(dialect, ids)
    if dialect == "openai-chat":
        calls = reply["choices"][0]["message"]["tool_calls"]
        numbered = [{"tool_calls": [{"index": number, **call}]} for number, call in enumerate(calls)]
        chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in numbered]
        return (
            sse(*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}) + b"data: [DONE]\n\n"
        )
    if dialect == "openai-responses":
        events: list[dict[str, Any]] = []
        for place, item in enumerate(reply["output"]):
            events.append(
                {"type": "response.output_item.added", "output_index": place, "item": {**item, "arguments": ""}}
            )
            events.append({"type": "response.output_item.done", "output_index": place, "item": item})
        return sse(*events, {"type": "response.completed", "response": reply})
    if dialect == "anthropic":
        blocks: list[dict[str, Any]] = [{"type": "message_start", "message": {}}]
        for index, block in enumerate(reply["content"]):
            blocks.append({"type": "content_block_start", "index": index, "content_block": block})
            blocks.append({"type": "content_block_stop", "index": index})
        return sse(*blocks, {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}, {"type": "message_stop"})
    return sse(reply)


def calls_told(dialect: str, reply: dict[str, Any]) -> list[tuple[str, str]]:
    """Each call's id, and the page that it is for."""
    match dialect:
        case "openai-chat":
            calls = reply["choices"][0]["message"]["tool_calls"]
            return [(call["id"], json.loads(call["function"]["arguments"])["page"]) for call in calls]
        case "openai-responses":
            return [(item["call_id"], json.loads(item["arguments"])["page"]) for item in reply["output"]]
        case "anthropic":
            return [(block["id"], block["input"]["page"]) for block in reply["content"]]
    calls = [part["functionCall"] for part in reply["candidates"][0]["content"]["parts"] if "functionCall" in part]
    return [(call["id"], call["args"]["page"]) for call in calls]


def ids_streamed(dialect: str, events: list[dict[str, Any]]) -> list[str]:
    match dialect:
        case "openai-chat":
            calls = [c for e in events for choice in e["choices"] for c in choice["delta"].get("tool_calls", ())]
            return [call["id"] for call in calls if "id" in call]
        case "openai-responses":
            return [item["call_id"] for item in events[-1]["response"]["output"]]
        case "anthropic":
            return [e["content_block"]["id"] for e in events if e["type"] == "content_block_start"]
    return [call_id for event in events for call_id, _ in calls_told("gemini", event)]


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("ids", [["7", "7"], ["7", "7", "7"], ["7", "7_2", "7"], [None, None], ["", "7", ""]])
def test_a_replys_calls_have_ids_of_their_own(source: str, target: str, ids: list[str | None]) -> None:
    """Whole and streamed, where the provider repeats an id and where it tells none; an id that is unique stays."""
    report = Report()
    calls = calls_told(target, told(source, target, reply_with_ids(source, ids), report))
    assert bool(report.paths(Fate.CHANGED)) == (len(set(filter(None, ids))) < len([one for one in ids if one]))
    assert [page for _, page in calls] == list(PAGES[: len(ids)])
    seen = [call_id for call_id, _ in calls]
    assert len(set(seen)) == len(ids)
    assert all(seen)
    if ids[0]:
        assert seen[0] == ids[0]
    assert len(set(ids_streamed(target, streamed(source, target, stream_with_ids(source, ids))))) == len(ids)


def arguments_told(calls: list[dict[str, Any]]) -> list[str]:
    """What a Messages client is told of the arguments of *calls*, each a chunk of a Chat provider's stream."""
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]} for call in calls]
    events = sse(*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}) + b"data: [DONE]\n\n"
    return [
        e["delta"]["partial_json"]
        for e in streamed("openai-chat", "anthropic", events)
        if e["type"] == "content_block_delta"
    ]


def test_calls_that_share_an_index_and_an_id_are_still_two() -> None:
    """Google's own Chat endpoint gives all calls the index 0."""
    calls = [
        {"index": 0, "id": "7", "function": {"name": "open", "arguments": json.dumps({"page": page})}} for page in PAGES
    ]
    blocks = arguments_told(calls)
    assert [json.loads(block) for block in blocks] == [{"page": page} for page in PAGES]


def test_a_call_whose_fragments_repeat_its_name_is_one() -> None:
    """Some providers repeat id and name with each piece of the arguments."""
    pieces = ['{"page": ', '"one"', "}", ""]
    calls = [{"index": 0, "id": "7", "function": {"name": "open", "arguments": piece}} for piece in pieces]
    blocks = arguments_told(calls)
    assert "".join(blocks) == '{"page": "one"}'


# -- on the way back ------------------------------------------------------------------------------------------------------


def history(dialect: str, first: str, second: str) -> dict[str, Any]:
    """A conversation with two calls of two tools in one turn, and their results."""
    match dialect:
        case "openai-chat":
            calls = [
                {"id": i, "type": "function", "function": {"name": n, "arguments": "{}"}}
                for i, n in ((first, "a"), (second, "b"))
            ]
            results = [
                {"role": "tool", "tool_call_id": i, "content": c} for i, c in ((first, "of a"), (second, "of b"))
            ]
            return {
                "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": calls}, *results]
            }
        case "openai-responses":
            items = [
                {"type": "function_call", "call_id": i, "name": n, "arguments": "{}"}
                for i, n in ((first, "a"), (second, "b"))
            ]
            outputs = [
                {"type": "function_call_output", "call_id": i, "output": c}
                for i, c in ((first, "of a"), (second, "of b"))
            ]
            return {"input": [{"role": "user", "content": "Hi"}, *items, *outputs]}
        case "anthropic":
            blocks = [{"type": "tool_use", "id": i, "name": n, "input": {}} for i, n in ((first, "a"), (second, "b"))]
            given_back = [
                {"type": "tool_result", "tool_use_id": i, "content": c} for i, c in ((first, "of a"), (second, "of b"))
            ]
            turns = [("user", "Hi"), ("assistant", blocks), ("user", given_back)]
            return {"max_tokens": 9, "messages": [{"role": role, "content": content} for role, content in turns]}
    calls = [{"functionCall": {"id": i, "name": n, "args": {}}} for i, n in ((first, "a"), (second, "b"))]
    responses = [
        {"functionResponse": {"id": i, "name": n, "response": {"output": f"of {n}"}}}
        for i, n in ((first, "a"), (second, "b"))
    ]
    turns = [("user", [{"text": "Hi"}]), ("model", calls), ("user", responses)]
    return {"contents": [{"role": role, "parts": parts} for role, parts in turns]}


def pairs_sent(dialect: str, body: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Each call's id and name, and the text of the result that has its id."""
    match dialect:
        case "openai-chat":
            calls = {call["id"]: call["function"]["name"] for call in body["messages"][1]["tool_calls"]}
            results = [(m["tool_call_id"], m["content"]) for m in body["messages"] if m["role"] == "tool"]
        case "openai-responses":
            calls = {item["call_id"]: item["name"] for item in body["input"] if item.get("type") == "function_call"}
            results = [(i["call_id"], i["output"]) for i in body["input"] if i.get("type") == "function_call_output"]
        case "anthropic":
            calls = {block["id"]: block["name"] for block in body["messages"][1]["content"]}
            results = [(b["tool_use_id"], b["content"][0]["text"]) for b in body["messages"][2]["content"]]
        case _:
            parts = [part["functionCall"] for part in body["contents"][1]["parts"]]
            calls = {part["id"]: part["name"] for part in parts}
            found = [part["functionResponse"] for part in body["contents"][2]["parts"]]
            results = [(one["id"], one["response"]["output"]) for one in found]
    return [(call_id, calls[call_id], text) for call_id, text in results]


@pytest.mark.parametrize(("source", "target"), [*PAIRS, ("gemini", "gemini")])
@pytest.mark.parametrize("ids", [("7", "7"), ("7", "8"), ("7", "7_2")])
def test_each_result_answers_its_own_call(source: str, target: str, ids: tuple[str, str]) -> None:
    """Also where the client's history repeats an id, as one that a Gemini provider answered before does."""
    pairs = pairs_sent(target, asked(source, target, history(source, *ids)).body)
    assert [(name, text) for _, name, text in pairs] == [("a", "of a"), ("b", "of b")]
    assert len({call_id for call_id, _, _ in pairs}) == 2


@pytest.mark.parametrize("target", PROVIDERS)
def test_what_follows_does_not_change_a_calls_id(target: str) -> None:
    """The same turns are the same bytes."""
    body = history("openai-chat", "7", "7")
    before = asked("openai-chat", target, json.loads(json.dumps(body))).body
    body["messages"] += [{"role": "assistant", "content": "So."}, {"role": "user", "content": "Go on."}]
    field = {"openai-responses": "input", "gemini": "contents"}.get(target, "messages")
    after = asked("openai-chat", target, body).body[field]
    assert after[: len(before[field])] == before[field]


@given(st.lists(st.sampled_from(["", "a", "a_2", "a_3", "b"]), max_size=30))
def test_ids_are_distinct_and_the_first_of_each_stays(wanted: list[str]) -> None:
    """An empty id is made up elsewhere."""
    ids = CallIds(Report())
    made = [ids.distinct(one) for one in wanted]
    given_ids = [one for one in made if one]
    assert len(set(given_ids)) == len(given_ids)
    assert [bool(one) for one in made] == [bool(one) for one in wanted]
