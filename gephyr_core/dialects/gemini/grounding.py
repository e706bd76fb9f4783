"""What a reply rests on: searches, pages that were read, and which passage cites what."""

import bisect
from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.conversation.parts import Citation, HostedCall, HostedResult, WebSource
from gephyr_core.dialects.decoding import count, mapping, text
from gephyr_core.dialects.gemini.chunks import Candidate
from gephyr_core.dialects.gemini.hosted import arguments_of
from gephyr_core.dialects.gemini.messages import NAME
from gephyr_core.dialects.rendering import encode_json

_MADE_OF = ("web", "retrievedContext", "maps", "image")
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
            self._before += len("".join(self.said).encode("utf-8", "surrogatepass"))
            self.said = []

    def citations(self) -> list[Citation]:
        """Citations of the open text."""
        chunks = _objects(self._grounding, "groundingChunks")
        supports = _objects(self._grounding, "groundingSupports")
        if not supports and not self._cited:
            return []
        place = _Places("".join(self.said), self._before)
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
        self._ends: list[int] = []
        end = 0
        for character in said:
            self._ends.append(end)
            end += 1 if character < "\x80" else len(character.encode("utf-8", "surrogatepass"))
        self._ends.append(end)

    def of(self, place: int | None) -> int | None:
        """The character at byte *place* of the reply's text; None outside of the open part."""
        if place is None or not 0 <= place - self._before <= self._ends[-1]:
            return None
        return bisect.bisect_left(self._ends, place - self._before)


def grounding_object(citations: list[tuple[int, str, Citation]], results: list[HostedResult | HostedCall]) -> Any:
    """Write ``groundingMetadata``. *citations*: each with where its text begins, in bytes, and that text."""
    chunks: list[dict[str, Any]] = []

    def chunk(url: str, title: str, cited_text: str = "") -> int:
        found: dict[str, Any] = {"web": {"uri": url, "title": title}}
        if not url:
            found = {"retrievedContext": {"title": title, "text": cited_text}}
        if found not in chunks:
            chunks.append(found)
        return chunks.index(found)

    queries: list[str] = []
    for part in results:
        if isinstance(part, HostedCall):
            queries += _queries(part)
        else:
            for source in part.sources:
                chunk(source.url, source.title)
    supports = [
        _support(start, said, cited, chunk(cited.url, cited.title, cited.cited_text))
        for start, said, cited in citations
    ]
    named = {"webSearchQueries": queries, "groundingChunks": chunks, "groundingSupports": supports}
    return {name: value for name, value in named.items() if value}


def _support(start: int, said: str, cited: Citation, number: int) -> dict[str, Any]:
    known = cited.start is not None and cited.end is not None
    first, last = (cited.start, cited.end) if known else (0, len(said))
    segment: dict[str, Any] = {
        "endIndex": start + len(said[:last].encode("utf-8", "surrogatepass")),
        "text": said[first:last],
    }
    if begin := start + len(said[:first].encode("utf-8", "surrogatepass")):
        segment["startIndex"] = begin
    return {"segment": segment, "groundingChunkIndices": [number]}


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
