"""Chat Completions streams: chunks without event names, ``[DONE]`` at the end, errors as ``{"error": ...}``."""

import re
from typing import Any

import attrs
import msgspec

from gephyr_core.dialects.base import EventClass
from gephyr_core.dialects.decoding import count, decode, digest, mapping, text, whole_output
from gephyr_core.dialects.openai_chat.reasoning import PROVEN, proofs_of
from gephyr_core.dialects.openai_chat.stops import read_break
from gephyr_core.dialects.openai_errors import error_object, stream_error
from gephyr_core.dialects.reader import SseStreamReader
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.errors import Problem
from gephyr_core.records import Usage
from gephyr_core.sse import encode, parse

DONE = "[DONE]"


class _Chunk(msgspec.Struct, gc=False):
    id: Any = None
    choices: Any = None
    usage: Any = None
    error: Any = None


_FINISH, _USAGE = b'"finish_reason"', b'"usage"'
_UNFINISHED = re.compile(rb'"finish_reason"\s*:\s*(?=null)')
_NO_USAGE = re.compile(rb'"usage"\s*:\s*(?=null)')
_TELLING = re.compile(rb'"(?:usage|error)"(?!\s*:\s*null)')
_SIGNED, _ENCRYPTED = PROVEN
_CHUNK = msgspec.json.Decoder(_Chunk)


def chat_usage(usage: dict[str, Any] | None) -> Usage | None:
    """Read ``CompletionUsage``."""
    if usage is None:
        return None
    prompt = mapping(usage.get("prompt_tokens_details"))
    given = count(usage, "prompt_tokens")
    reasoning = count(mapping(usage.get("completion_tokens_details")), "reasoning_tokens")
    said, all_in_all = count(usage, "completion_tokens"), count(usage, "total_tokens")
    return Usage(
        input=given,
        cached=count(prompt, "cached_tokens"),
        cache_write=count(prompt, "cache_write_tokens"),
        output=whole_output(said, reasoning, given=given, all_in_all=all_in_all),
        reasoning=reasoning,
    )


@attrs.define
class ChatStreamReader(SseStreamReader):
    """Reads one attempt's stream of chunks. The reply is finished when every choice has a finish reason; usage and
    ``[DONE]`` may follow."""

    signed: bool = attrs.field(default=True, kw_only=True)
    """The provider may sign reasoning."""

    # Most providers write ``null`` for what a chunk does not have, each in its own spelling. It is learned, so that
    # chunks of content need not be looked into.
    _finish: bytes = attrs.field(default=_FINISH, init=False)
    """How a finish reason begins that is none of the nulls."""
    _usage: bytes = attrs.field(default=_USAGE, init=False)
    """How usage begins that is none."""
    _going_on: bytes | tuple[()] = attrs.field(default=(), init=False)
    """The end of a chunk, from its null of a finish reason on: the reply goes on, where it has but one choice."""

    def _classified(self, event: bytes) -> EventClass:
        """The chunk that only names the role opens, one without choices is held."""
        data = parse(event).data
        if not data:
            return EventClass.HELD
        if data.strip() == DONE:
            return self.ended()
        chunk = decode(_CHUNK, data)
        if chunk is None:
            return self.unknown(data)
        error = chunk.error or _broken(chunk.choices)
        if error:
            return self.fail(stream_error(error))
        self.reply_id = self.reply_id or text(chunk.id)
        self.latest_usage = chat_usage(mapping(chunk.usage)) or self.latest_usage
        if not isinstance(chunk.choices, list):
            return EventClass.CONTENT  # No chunk as we know it, so not ours to hold back.
        if not chunk.choices:
            return EventClass.HELD  # Azure's prompt_filter_results, or usage alone.
        self._read_finish(chunk.choices, event)
        self.objects += [digest(proof) for proof in proofs_of(chunk.choices)]
        if any(is_content(choice) for choice in chunk.choices):
            return EventClass.CONTENT
        return EventClass.OPENING

    def _read_finish(self, choices: list[Any], event: bytes) -> None:
        for choice in choices:
            fields = mapping(choice) or {}
            if fields.get("finish_reason"):
                self.end_choice(fields.get("index"))
        if self._finish is _FINISH and (null := _UNFINISHED.search(event)) is not None:
            self._finish = null[0] + b'"'
            if self.choices == len(choices) == 1:
                self._going_on = event[null.start() :]
        if self._usage is _USAGE and (null := _NO_USAGE.search(event)) is not None:
            self._usage = null[0] + b"{"

    def closing(self) -> bytes:
        """``[DONE]``, which clients wait for."""
        return encode(DONE.encode())

    def opening_name(self, event: bytes) -> str:  # noqa: ARG002
        """All opening chunks are alike."""
        return "chunk"

    def failure(self, problem: Problem, now: float = 0.0) -> bytes:  # noqa: ARG002
        """An error chunk and no ``[DONE]``, or the SDK would take the reply for whole."""
        return encode(encode_json({"error": error_object(problem)}))

    def _marked(self, block: bytes) -> bool:
        # By rfind, from the end, where they stand if anywhere: a third of the time of a search from the start.
        if not block.endswith(self._going_on) and (block.rfind(b"[DONE]") >= 0 or block.rfind(self._finish) >= 0):
            return True
        if (block.rfind(self._usage) >= 0 or block.rfind(b'"error"') >= 0) and _TELLING.search(block) is not None:
            return True
        return self.signed and (block.rfind(_SIGNED) >= 0 or block.rfind(_ENCRYPTED) >= 0)


def is_content(choice: object) -> bool:
    """Whether a choice, of a chunk or of a whole reply, says more than a role. A field that is not known counts: it
    must not be held back."""
    fields = mapping(choice) or {}
    if fields.get("finish_reason") or fields.get("text"):
        return True
    said = mapping(fields.get("delta")) or mapping(fields.get("message")) or {}
    return any(value and name != "role" for name, value in said.items())


def choice_error(choice: object) -> object:
    """The error that a choice tells of, as an object or by its finish reason; None where it tells of none."""
    fields = mapping(choice) or {}
    if fields.get("error"):
        return fields["error"]
    broken = read_break(text(fields.get("finish_reason")) or "")
    return None if broken is None else {"message": broken.message, "code": broken.kind.http_status}


def _broken(choices: object) -> object:
    """The first error of the choices that tell of one (OpenRouter's, which its clients read beside what was said)."""
    found = [choice_error(choice) for choice in choices] if isinstance(choices, list) else []
    return next((error for error in found if error), None)
