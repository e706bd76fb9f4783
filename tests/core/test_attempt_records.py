"""What the record of an attempt tells the operator: why it failed, in a bounded text, and what its translation lost."""

import msgspec
from play import JSON, SSE, Play, account

from gephyr_core.commands import CallUpstream, EndResponse, SendBody, StartResponse
from gephyr_core.config import ModelsConfig
from gephyr_core.errors import Fault
from gephyr_core.events import UpstreamFailed

LONG = "".join(chr(ord("a") + number % 26) for number in range(500))
ASKED = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
ROUTES = ModelsConfig(routes={"m": ("openai-compatible/g",)})
DELTA = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'


def asked(play: Play) -> CallUpstream:
    """An Anthropic client's request, asked of a model that speaks Chat Completions."""
    return play.request(ASKED, "/v1/messages")


def test_the_words_for_a_broken_call_are_bounded() -> None:
    """The runtime may quote an endless certificate; a log line is no place for it."""
    play = Play(account())
    play.request()
    play.feed(UpstreamFailed(1, 1, Fault.RESET, LONG))
    play.expect(StartResponse, SendBody, EndResponse)
    assert [attempt.detail for attempt in play.records[0].attempts] == [LONG[:200]]


def test_the_words_of_an_error_reply_are_bounded() -> None:
    play = Play(account())
    play.answer(play.request(), msgspec.json.encode({"error": {"message": LONG}}), 500)
    play.expect(StartResponse, SendBody, EndResponse)
    assert [attempt.detail for attempt in play.records[0].attempts] == [LONG[:200]]


def test_the_words_of_an_error_in_a_stream_are_bounded() -> None:
    play = Play(account())
    call = play.stream_request()
    play.head(call, headers=SSE)
    play.expect()
    play.body(call, DELTA)
    play.expect(StartResponse, SendBody)
    play.body(call, b"data: " + msgspec.json.encode({"error": {"message": LONG}}) + b"\n\n")
    play.unclaimed = []
    play.end(call)
    play.unclaimed = []
    assert [attempt.detail for attempt in play.records[0].attempts] == [LONG[:200]]


def test_a_reply_that_cannot_be_translated_says_so_in_the_record() -> None:
    """Not that it is empty: the operator looks for what is odd in it."""
    play = Play(account(provider="openai-compatible"), models=ROUTES)
    nameless = {"choices": [{"message": {"tool_calls": [{"id": "call_1"}]}, "finish_reason": "stop"}]}
    play.answer(asked(play), msgspec.json.encode(nameless))
    play.expect(StartResponse, SendBody, EndResponse)
    told = "the reply cannot be read: the provider calls a tool without naming it"
    assert [attempt.detail for attempt in play.records[0].attempts] == [told]


def test_what_a_translated_reply_lost_is_in_the_record() -> None:
    """Of a whole reply as of a stream."""
    play = Play(account(provider="openai-compatible"), models=ROUTES)
    said = {"message": {"content": "hi"}, "finish_reason": "stop"}
    reply = {"choices": [{"index": 0, **said}, {"index": 1, **said}]}
    play.answer(asked(play), msgspec.json.encode(reply), headers=JSON)
    play.expect(StartResponse, SendBody, EndResponse)
    assert [(entry.fate.value, entry.path) for entry in play.records[0].translation] == [("dropped", "choices[1]")]
