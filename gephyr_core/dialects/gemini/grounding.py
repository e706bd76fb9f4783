"""What a reply rests on: searches, pages that were read, and which passage cites what."""

import bisect
import itertools
from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.conversation.parts import Citation, HostedCall, HostedResult, WebSource
from gephyr_core.dialects.decoding import count, mapping, text
from gephyr_core.dialects.gemini.chunks import Candidate
from gephyr_core.dialects.gemini.hosted import arguments_of
from gephyr_core.dialects.gemini.messages import NAME
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.surrogates import mended

_MADE_OF = ("web", "retrievedContext", "maps", "image")
_MOST_QUOTED = 4
"""How often a text is repeated in the passages that citations quote, at most."""
_LARGEST_QUOTES = 64 * 1024
"""Characters of a text's passages that are quoted in any case."""
_READ = "URL_RETRIEVAL_STATUS_SUCCESS"


@attrs.define
class Grounding:
    """Collects one reply's grounding as it comes, to be told at its end. Google counts a text in bytes of UTF-8."""

    said: list[str] = attrs.field(factory=list)
    """The text of the open part."""
    told: bool = False
    """The reply shows the calls of Google's tools itself."""
    _before: int = 0
    """Bytes of the text parts that ended."""
    _grounding: dict[str, Any] = attrs.field(factory=dict)
    _urls: list[Any] = attrs.field(factory=list)
    _cited: list[Any] = attrs.field(factory=list)

    def learn(self, candidate: Candidate) -> None:
        """Take in what a chunk tells. It may come in several chunks, each telling it all or a part."""
        for key, value in (mapping(candidate.grounding_metadata) or {}).items():
            if value:
                self._grounding[key] = value
        self._urls = _objects(candidate.url_context_metadata, "urlMetadata") or self._urls
        self._cited = _objects(candidate.citation_metadata, "citations") or self._cited

    def close(self) -> None:
        """The open part ended."""
        if self.said:
            self._before += len(mended("".join(self.said)).encode())
            self.said = []

    def citations(self) -> list[Citation]:
        """Citations of the open text."""
        chunks = _objects(self._grounding, "groundingChunks")
        supports = _objects(self._grounding, "groundingSupports")
        if not supports and not self._cited:
            return []
        place = _Places(mended("".join(self.said)), self._before)
        found: list[Citation] = []
        for support in supports:
            segment = mapping(support.get("segment")) or {}
            start, end = place.of(count(segment, "startIndex") or 0), place.of(count(segment, "endIndex"))
            if end is None or start is None or end <= start:
                start = end = None
            found += [
                _citation(chunks[number], start, end)
                for number in _list(support.get("groundingChunkIndices"))
                if isinstance(number, int) and 0 <= number < len(chunks)
            ]
        for cited in self._cited:
            if uri := text(cited.get("uri")):
                start, end = place.of(count(cited, "startIndex") or 0), place.of(count(cited, "endIndex"))
                known = start is not None and end is not None and end > start
                title = text(cited.get("title")) or ""
                found.append(Citation(uri, title, start=start if known else None, end=end if known else None))
        return found

    def parts(self, call_id: str) -> Iterator[HostedCall | HostedResult]:
        """The search and the fetches that there were, where the reply does not show them itself."""
        if self.told:
            return
        queries = [query for query in _list(self._grounding.get("webSearchQueries")) if isinstance(query, str)]
        webs = [mapping(one.get("web")) or {} for one in _objects(self._grounding, "groundingChunks")]
        pages = [WebSource(url, text(web.get("title")) or "") for web in webs if (url := text(web.get("uri")))]
        if queries or pages:
            asked: dict[str, Any] = {"query": queries[0] if queries else ""}
            if len(queries) > 1:
                asked["queries"] = queries
            yield HostedCall(call_id, "web_search", "googleSearch", encode_json(asked).decode())
            raw = encode_json({"groundingMetadata": self._grounding}).decode()
            yield HostedResult(call_id, "web_search", tuple(pages), dialect=NAME, raw=raw)
        for number, read in enumerate(self._urls):
            if url := text(read.get("retrievedUrl")):
                fetched = f"{call_id}_{number}"
                failed = read.get("urlRetrievalStatus") not in (_READ, 1)
                asked = {"url": url}
                yield HostedCall(fetched, "web_fetch", "urlContext", encode_json(asked).decode())
                yield HostedResult(fetched, "web_fetch", (WebSource(url),), is_error=failed, dialect=NAME)


class _Places:
    """Turns places in bytes into places in characters."""

    def __init__(self, said: str, before: int) -> None:
        self._before = before
        self._ends = _ends(said)

    def of(self, place: int | None) -> int | None:
        """The character at byte *place* of the reply's text; None outside of the open part."""
        if place is None or not 0 <= place - self._before <= self._ends[-1]:
            return None
        return bisect.bisect_left(self._ends, place - self._before)


def grounding_object(citations: list[tuple[int, str, Citation]], results: list[HostedResult | HostedCall]) -> Any:
    """Write ``groundingMetadata``. *citations*: each with where its text begins, in bytes, and that text."""
    chunks: list[dict[str, Any]] = []
    numbers: dict[tuple[str, str, str], int] = {}

    def chunk(url: str, title: str, cited_text: str = "") -> int:
        key = (url, title, "" if url else cited_text)
        if key not in numbers:
            numbers[key] = len(chunks)
            retrieved = {"retrievedContext": {"title": title, "text": cited_text}}
            chunks.append({"web": {"uri": url, "title": title}} if url else retrieved)
        return numbers[key]

    queries: list[str] = []
    for part in results:
        if isinstance(part, HostedCall):
            queries += _queries(part)
        else:
            for source in part.sources:
                chunk(source.url, source.title)
    segments = _Segments()
    supports = [
        {
            "segment": segments.of(start, said, cited),
            "groundingChunkIndices": [chunk(cited.url, cited.title, cited.cited_text)],
        }
        for start, said, cited in citations
    ]
    named = {"webSearchQueries": queries, "groundingChunks": chunks, "groundingSupports": supports}
    return {name: value for name, value in named.items() if value}


class _Segments:
    """Writes where citations stand. What they quote is repeated as long as it is no multiple of the text."""

    def __init__(self) -> None:
        self._said: str | None = None
        self._ends: list[int] | None = None
        """Bytes before each character; None where each is one."""
        self._left = 0

    def of(self, start: int, said: str, cited: Citation) -> dict[str, Any]:
        """Write a segment of the text *said*, which begins at byte *start*."""
        if said is not self._said:
            self._said, self._ends = said, None if said.isascii() else _ends(said)
            self._left += _LARGEST_QUOTES + _MOST_QUOTED * len(said)
        known = cited.start is not None and cited.end is not None
        first, last, _ = slice(*(cited.start, cited.end) if known else (0, len(said))).indices(len(said))
        segment: dict[str, Any] = {"endIndex": start + self._bytes(last)}
        self._left -= max(last - first, 0)
        if self._left >= 0:
            segment["text"] = said[first:last]
        if begin := start + self._bytes(first):
            segment["startIndex"] = begin
        return segment

    def _bytes(self, place: int) -> int:
        return place if self._ends is None else self._ends[place]


def _ends(said: str) -> list[int]:
    """How many bytes stand before each character of a text, and in all of it."""
    lengths = (1 if character < "\x80" else len(character.encode("utf-8", "surrogatepass")) for character in said)
    return [0, *itertools.accumulate(lengths)]


def _queries(call: HostedCall) -> list[str]:
    asked = arguments_of(call)
    several = asked.get("queries")
    queries = several if isinstance(several, list) else [asked.get("query")]
    return [query for query in queries if isinstance(query, str) and query]


def _citation(chunk: dict[str, Any], start: int | None, end: int | None) -> Citation:
    made_of = next((one for name in _MADE_OF if (one := mapping(chunk.get(name))) is not None), {})
    url = text(made_of.get("uri") or made_of.get("sourceUri")) or ""
    return Citation(url, text(made_of.get("title")) or "", text(made_of.get("text")) or "", start, end)


def _objects(value: Any, name: str) -> list[dict[str, Any]]:
    return [one for one in _list((mapping(value) or {}).get(name)) if isinstance(one, dict)]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
