"""One client request on its way into other dialects: read once, written once for each kind of destination."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs
import msgspec

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import SIGNED, Inline, Media, Part, ToolResult, Url
from gephyr_core.conversation.prompt import ClientTool, FreeformTool, Prompt, called, is_search
from gephyr_core.conversation.report import Fate, Report
from gephyr_core.conversation.tool_keys import own_names
from gephyr_core.dialects.decoding import digest
from gephyr_core.dialects.translator import Destination, ReplyContext, Written
from gephyr_core.envelope import read_fields
from gephyr_core.http import Header, Headers
from gephyr_core.surrogates import mended_json, readable
from gephyr_core.translation.dialects import CLIENTS, needs_inline, stated_version
from gephyr_core.translation.writing import write_count, write_prompt

P = TypeVar("P", bound=Part)
MOST_URLS = 32
"""Addresses that are fetched for one request."""
_TRAVELLING = (b"user-agent", b"accept-encoding", b"traceparent", b"tracestate", b"baggage")
"""Client headers that mean the same in every dialect."""
_WITHIN_A_DIALECT = (*_TRAVELLING, b"anthropic-beta", b"openai-beta")
"""And those that mean the same where the request is written anew in its own dialect: what it has of theirs stays."""
_HALF_CHARACTER = "half a character (a surrogate without its pair) stands there as U+FFFD"
_SHOWN = 3
"""Paths that a strict refusal names."""

_PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{model}:generateContent",
}
_STREAM_PATH = "/v1beta/models/{model}:streamGenerateContent"
_COUNT_PATHS = {
    "openai-responses": "/v1/responses/input_tokens",
    "anthropic": "/v1/messages/count_tokens",
    "gemini": "/v1beta/models/{model}:countTokens",
}


@attrs.frozen
class TranslatedCall:
    """A request in a provider's dialect, ready to be sent by any of its accounts."""

    path: str
    """From the API's version on; a model in it is written ``{model}``."""
    query: str
    headers: list[Header]
    body: bytes
    written: Written
    report: Report
    """Of reading and writing."""


@attrs.define
class RequestTranslation:
    """A client's request, read."""

    prompt: Prompt
    report: Report
    """Of reading."""
    headers: Headers
    strict: bool
    count: bool
    """The request only counts tokens."""
    sent: Prompt | None = None
    """The prompt as the client sent it, where Gephyr put something back into it."""

    def call(self, destination: Destination, *, stream: bool) -> TranslatedCall | None:
        """Write the request for *destination*. None: the destination's dialect cannot count tokens.

        Raises ``UntranslatableError`` for what cannot be said there, and with ``strict`` for what would be dropped;
        ``FieldError`` for what is nested more deeply than can be written.
        """
        try:
            return self._call(destination, stream=stream)
        except RecursionError as error:
            raise FieldError("", "the body is nested too deeply") from error

    def _call(self, destination: Destination, *, stream: bool) -> TranslatedCall | None:
        report = Report()
        report.add(self.report)
        prompt = attrs.evolve(self.prompt, model=destination.model, stream=stream)
        written = (write_count if self.count else write_prompt)(prompt, destination, report)
        if written is None:
            return None
        if self.strict and report.paths(Fate.DROPPED):
            self._refuse_losses(report, destination, stream=stream)
        paths = _COUNT_PATHS if self.count else _PATHS
        path, query = paths[destination.dialect], ""
        if stream and destination.dialect == "gemini":
            path, query = _STREAM_PATH, "alt=sse"
        travelling = _WITHIN_A_DIALECT if prompt.dialect == destination.dialect else _TRAVELLING
        headers = [pair for pair in self.headers if pair[0] in travelling]
        headers += [(b"content-type", b"application/json"), *written.headers]
        return TranslatedCall(path, query, headers, msgspec.json.encode(written.body), written, report)

    def _refuse_losses(self, report: Report, destination: Destination, *, stream: bool) -> None:
        """Raise ``UntranslatableError`` for what would be dropped, unless the client sent none of it: reasoning that
        Gephyr put back itself goes to its maker, and is no loss to the client elsewhere."""
        if self.sent is not None:
            report = Report()
            report.add(self.report)
            prompt = attrs.evolve(self.sent, model=destination.model, stream=stream)
            (write_count if self.count else write_prompt)(prompt, destination, report)
        dropped = report.paths(Fate.DROPPED)
        if dropped:
            more = f" and {len(dropped) - _SHOWN} more" if len(dropped) > _SHOWN else ""
            shown = ", ".join(dropped[:_SHOWN]) + more
            raise report.refused(shown, f"cannot be carried to provider {destination.provider!r} (translation.strict)")

    def wanted_urls(self, dialect: str) -> dict[str, str]:
        """The addresses that a provider of *dialect* has to be given as bytes, each with where the client wrote it."""
        wanted: dict[str, str] = {}
        for turn in self.prompt.turns:
            for part in turn.parts:
                for media in part.content if isinstance(part, ToolResult) else (part,):
                    if isinstance(media, Media) and isinstance(media.source, Url) and needs_inline(dialect, media):
                        wanted.setdefault(media.source.url, media.path)
        return wanted

    def inline(self, fetched: Mapping[str, Inline]) -> None:
        """Put what was fetched in the places of its addresses."""
        self.prompt = _inlined_in(self.prompt, fetched)
        self.sent = None if self.sent is None else _inlined_in(self.sent, fetched)

    def makers(self) -> tuple[list[tuple[str, str]], tuple[str, str] | None]:
        """Who signed the conversation's reasoning, the first one first, as dialect and digest of the organisation; and
        who signed the latest. The mark of reasoning that is not signed tells whose it is, but does not count there."""
        makers: dict[tuple[str, str], None] = {}
        newest = None
        for turn in self.prompt.turns:
            for part in turn.parts:
                if isinstance(part, SIGNED) and part.signature is not None and part.signature.origin.organization:
                    maker = (part.signature.origin.dialect, part.signature.origin.organization)
                    makers[maker] = None
                    newest = maker if part.signature.value else newest
        return list(makers), newest


def with_makers(prompt: Prompt, makers: Mapping[str, str]) -> Prompt:
    """Say whose the signatures of the client's own dialect are. *makers*: digests of organisations by those of
    signatures."""
    if not makers:
        return prompt
    turns = tuple(
        attrs.evolve(turn, parts=tuple(_with_maker(part, prompt.dialect, makers) for part in turn.parts))
        for turn in prompt.turns
    )
    return attrs.evolve(prompt, turns=turns)


def _with_maker(part: Part, dialect: str, makers: Mapping[str, str]) -> Part:
    signature = part.signature if isinstance(part, SIGNED) else None
    if signature is None or signature.origin.organization or signature.origin.dialect != dialect:
        return part
    organization = makers.get(digest(signature.value), "")
    assert isinstance(part, SIGNED)
    return attrs.evolve(part, signature=signature.of(organization)) if organization else part


def read_request(
    dialect: str,
    body: bytes,
    *,
    model: str,
    stream: bool,
    headers: Headers,
    strict: bool = False,
    count: bool = False,
) -> RequestTranslation:
    """Read a client's request. Raises ``FieldError`` and ``UntranslatableError``."""
    report = Report()
    try:
        value = _decoded(body, report)
        if not isinstance(value, dict):
            raise FieldError("", "the body must be a JSON object")
        version = stated_version(dialect, headers, value)
        prompt = CLIENTS[dialect].read_request(value, report, model=model, stream=stream)
        if version:
            prompt = attrs.evolve(prompt, version=version)
    except RecursionError as error:
        raise FieldError("", "the body is nested too deeply") from error
    except msgspec.DecodeError as error:
        raise FieldError("", f"the body is not valid JSON: {error}") from error
    return RequestTranslation(prompt, report, headers, strict, count)


def _decoded(body: bytes, report: Report) -> Any:
    """Decode a request. Halves of surrogate pairs, which JSON may hold, stand in no JSON that is written anew."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        whole = readable(body)
        if whole is None:
            raise
    msgspec.json.decode(whole)  # raises for whatever else may be wrong with it
    return mended_json(
        json.loads(body, parse_int=msgspec.json.decode), "", lambda path: report.changed(path, _HALF_CHARACTER)
    )


def reply_context(prompt: Prompt, *, key: str, created: int, model: str, stored: bool, body: bytes) -> ReplyContext:
    """Return what writing the reply to *prompt* needs to know; *body* is the client's."""
    echoed = read_fields(body) if prompt.dialect == "openai-responses" else {}
    return ReplyContext(
        key=key,
        created=created,
        model=model,
        request={name: msgspec.Raw(bytes(raw)) for name, raw in echoed.items() if name != "input"},
        include_usage=prompt.include_usage,
        names=own_names(prompt.tools),
        client_tools={tool.function.name: tool.type for tool in prompt.tools if isinstance(tool, ClientTool)},
        freeform=tuple(tool.name for tool in prompt.tools if isinstance(tool, FreeformTool)),
        search=next((called(tool) for tool in prompt.tools if is_search(tool)), ""),
        stored=stored,
    )


def _inlined_in(prompt: Prompt, fetched: Mapping[str, Inline]) -> Prompt:
    turns = tuple(
        attrs.evolve(turn, parts=tuple(_with_inlined(part, fetched) for part in turn.parts)) for turn in prompt.turns
    )
    return attrs.evolve(prompt, turns=turns)


def _with_inlined(part: Part, fetched: Mapping[str, Inline]) -> Part:
    if isinstance(part, ToolResult):
        return attrs.evolve(part, content=tuple(_inlined(inner, fetched) for inner in part.content))
    return _inlined(part, fetched)


def _inlined(part: P, fetched: Mapping[str, Inline]) -> P:
    if isinstance(part, Media) and isinstance(part.source, Url) and part.source.url in fetched:
        return attrs.evolve(part, source=fetched[part.source.url])
    return part
