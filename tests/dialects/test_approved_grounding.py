"""What a Gemini reply rests on, as was approved: where its citations stand, and what was searched and read."""

import json
from collections.abc import Iterator
from typing import Any

from gephyr_core.conversation.parts import HostedCall, HostedResult, Text
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.translator import GeminiTranslator
from tests.approved import check_table

Object = dict[str, Any]
SAID = "Größe 😀 ok"
"""Fifteen bytes: two for each of ``ö`` and ``ß``, four for the face."""
PLACES: list[Object] = [
    {},
    *({"startIndex": start, "endIndex": end} for start, end in ((0, 7), (8, 12), (13, 15), (0, 15), (0, 16), (3, 4))),
    *(
        {"startIndex": start, "endIndex": end}
        for start, end in ((7, 7), (8, 7), (-1, 7), ("0", 7), (True, 7), (1.5, 7))
    ),
    *({"endIndex": end} for end in (7, 0, -1, 99, None)),
    {"startIndex": 3},
]
WEB = {"web": {"uri": "https://a.test", "title": "A"}}
CHUNKS: list[Any] = [
    WEB,
    {"web": {"uri": "https://b.test"}},
    {"retrievedContext": {"uri": "https://c.test", "title": "C", "text": "passage"}},
    {"retrievedContext": {"title": "D", "text": "passage"}},
    {"maps": {"uri": "https://e.test", "title": "E", "placeId": "p"}},
    {"image": {"sourceUri": "https://f.test", "title": "F"}},
    {"web": 7},
    {"odd": {}},
]


def read(*texts: str, **candidate: Any) -> list[Any]:
    parts = [
        {"text": text} if text != "|" else {"inlineData": {"mimeType": "image/png", "data": "AAAA"}} for text in texts
    ]
    body = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP", **candidate}]}
    return list(GeminiTranslator().read_reply(json.dumps(body).encode(), Report()).parts)


def cited(parts: list[Any]) -> str:
    found = []
    for part in parts:
        for one in part.citations if isinstance(part, Text) else ():
            told = part.text[one.start : one.end] if one.start is not None else "all"
            found.append(f"{one.url or one.title} {one.title} {one.cited_text} {one.start}-{one.end} {told!r}")
    return "; ".join(found) or "nothing"


def searched(parts: list[Any]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, HostedCall):
            yield f"  {part.kind} {part.arguments}"
        elif isinstance(part, HostedResult):
            sources = " ".join(f"{one.url} {one.title}" for one in part.sources)
            yield f"  {part.kind} found {sources or 'nothing'}{', an error' if part.is_error else ''}"


def lines() -> Iterator[str]:
    for place in PLACES:
        told = json.dumps(place)
        support = {"segment": place, "groundingChunkIndices": [0]}
        grounding = {"groundingChunks": [WEB], "groundingSupports": [support]}
        yield f"segment {told}: {cited(read(SAID, groundingMetadata=grounding))}"
        yield f"behind a picture: {cited(read('Größe ', '|', '😀 ok', groundingMetadata=grounding))}"
        for source in ({"uri": "https://a.test", "title": "A"}, {"uri": "https://a.test"}, {"title": "A"}):
            metadata = {"citations": [{**place, **source}]}
            yield f"citation {json.dumps({**place, **source})}: {cited(read(SAID, citationMetadata=metadata))}"
    named: list[Any] = [[0, 1], list(range(-1, 9)), [0, 0], ["0", None], 7, [], None]
    for indices in named:
        support = {"segment": {"endIndex": 7}, "groundingChunkIndices": indices}
        grounding = {"groundingChunks": CHUNKS, "groundingSupports": [support]}
        yield f"chunks {json.dumps(indices)}: {cited(read(SAID, groundingMetadata=grounding))}"
    asked: list[Any] = [[], ["q"], ["q", "r"], ["q", 7], [7], "q", None]
    for queries in asked:
        for chunks in ([], CHUNKS):
            yield f"searched {json.dumps(queries)}, {len(chunks)} chunks:"
            yield from searched(read(SAID, groundingMetadata={"webSearchQueries": queries, "groundingChunks": chunks}))
    for status in ("URL_RETRIEVAL_STATUS_SUCCESS", "URL_RETRIEVAL_STATUS_ERROR", 1, 2, None):
        read_pages = [{"retrievedUrl": "https://a.test", "urlRetrievalStatus": status}, {"retrievedUrl": ""}, 7]
        yield f"read with status {status}:"
        yield from searched(read(SAID, urlContextMetadata={"urlMetadata": read_pages}))


def test_what_a_reply_rests_on_is_read_as_approved() -> None:
    check_table("grounding", lines())
