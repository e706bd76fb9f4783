"""Recorded replies of real providers: each is one, collected from its stream or passed on whole, and can be streamed."""

import json
from typing import Any

import pytest

from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.base import EventClass
from gephyr_core.sse import SseFramer
from gephyr_core.translation.collecting import NativeCollector
from tests.core.dialects.test_corpus import FILES, chunks_of, recordings, streams

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.parametrize("name", sorted(FILES)),
]
_LIMIT = 1 << 22


def collected(name: str, pieces: list[bytes]) -> NativeCollector:
    dialect = DIALECTS[name]
    source = dialect.stream_reader(max_line=_LIMIT)
    collector = NativeCollector(SseFramer(_LIMIT), source, dialect.assembly())
    for piece in pieces:
        collector.feed(piece)
    collector.finish()
    return collector


def plain(name: str, reply: dict[str, Any]) -> dict[str, Any]:
    """A reply without what a stream tells otherwise: the index of a call, where Gemini cuts its texts."""
    for choice in reply.get("choices", []) if name == "openai-chat" else ():
        choice.setdefault("index", 0)
        choice["finish_reason"] = choice.get("finish_reason") or "stop"  # a stream has to end
        choice.pop("delta", None)  # Perplexity writes an empty one beside the message
        message = choice.setdefault("message", {"role": "assistant"})  # Azure's filter leaves it out
        message.setdefault("content", None)
        for call in message.get("tool_calls") or ():
            call.pop("index", None)
    for candidate in reply.get("candidates", []):
        joined: list[dict[str, Any]] = []
        for part in candidate.get("content", {}).get("parts", []):
            last = joined[-1] if joined else {}
            same = "text" in part and "text" in last and last.get("thought") == part.get("thought")
            if same and "thoughtSignature" not in last:
                joined[-1] = {**last, **part, "text": last["text"] + part["text"]}
            else:
                joined.append(part)
        if joined:
            candidate["content"]["parts"] = joined
    return reply


def test_every_recorded_reply_is_one(name: str) -> None:
    """No reply that a real provider gave with status 200 is taken for an error or for none."""
    for record in recordings(name):
        if isinstance(record.get("response"), dict):
            whole = DIALECTS[name].read_whole(json.dumps(record["response"]).encode(), generates=True)
            assert (whole.error, whole.lack) == (None, ""), record["id"]


def test_every_recorded_stream_can_be_collected(name: str) -> None:
    """However it is cut, it gives one reply with the usage of the stream."""
    for number, stream in enumerate(streams(name)):
        watched = DIALECTS[name].stream_reader(max_line=_LIMIT)
        kinds = [watched.classify(event) for event in watched.split(stream)]
        collector = collected(name, chunks_of(stream, number))
        assert collector.error is None
        if EventClass.CONTENT not in kinds or (b'"choices"' not in stream and name.endswith(("chat", "completions"))):
            continue  # of a format of the provider's own
        assert collector.reply() == collected(name, [stream]).reply()
        whole = DIALECTS[name].read_whole(collector.reply(), generates=True)
        assert (whole.error, whole.lack) == (None, "")
        assert whole.usage == watched.usage


def test_every_recorded_reply_can_be_streamed_and_collected_again(name: str) -> None:
    """Nothing is lost on the way there and back, whatever members it has."""
    for record in recordings(name):
        reply = record.get("response")
        if not isinstance(reply, dict) or reply.get("status") == "queued":
            continue
        collector = collected(name, [DIALECTS[name].events_of(json.dumps(reply).encode())])
        assert collector.error is None
        assert collector.complete
        assert plain(name, json.loads(collector.reply())) == plain(name, reply), record["id"]
