"""Whether a translated request says what the client said: all of it, and nothing else."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from gephyr_core.conversation.report import Fate, Report
from tests.translation.said import Said, squeezed

_WRAPPINGS = ({"output"}, {"error"}, {"result"}, {"content"})
"""Keys under which Gemini is given a result that is no object."""


def losses(source: Sequence[Said], target: Sequence[Said], report: Report) -> list[str]:
    """What *source* says and *target* does not, without a word in the report, and what *target* adds."""
    found = [
        *_lost_texts(source, target),
        *_lost_calls(source, target),
        *_lost_results(source, target),
        *_lost_media(source, target),
    ]
    lost = [f"{item.path}: {item.kind} {item.value!r:.80}" for item in found if not reported(item.path, report)]
    return lost + _added(source, target, report)


def reported(path: str, report: Report) -> bool:
    """Whether the report has a word on what stands at *path*, around it or in it."""
    return any(within(path, entry.path) or within(entry.path, path) for entry in report.entries)


def within(inner: str, outer: str) -> bool:
    """Whether *inner* is *outer* or stands in it."""
    return inner == outer or (inner.startswith(outer) and inner[len(outer)] in ".[")


def _lost_texts(source: Sequence[Said], target: Sequence[Said]) -> Iterable[Said]:
    """Texts in the same order; joined and split as the dialects demand."""
    written = "".join(item.value for item in target if item.kind == "text")
    at = 0
    for item in source:
        if item.kind == "text":
            found = written.find(item.value, at)
            if found < 0:
                yield item
            else:
                at = found + len(item.value)


def _lost_calls(source: Sequence[Said], target: Sequence[Said]) -> Iterable[Said]:
    """Calls in the same order."""
    written = iter([item.value for item in target if item.kind == "call"])
    for item in source:
        if item.kind == "call" and item.value not in written:
            yield item


def _lost_results(source: Sequence[Said], target: Sequence[Said]) -> Iterable[Said]:
    """Results in any order: some dialects want them in that of the calls."""
    written = [_forms(item.value) for item in target if item.kind == "result"]
    texts = "".join(item.value for item in target if item.kind == "text")
    for item in source:
        if item.kind == "result" and item.value != "-":  # an empty one has nothing to be found by
            forms = _forms(item.value)
            match = next((other for other in written if any(f in o for f in forms for o in other)), None)
            if match is not None:
                written.remove(match)
            elif not any(form in texts for form in forms):
                yield item


def _forms(result: str) -> list[str]:
    """The ways a result may be written: as it is, as JSON in one order of keys, without its wrapping."""
    forms = [result]
    try:
        value: Any = json.loads(result)
    except ValueError:
        return [*forms, squeezed(json.dumps(result)[1:-1])]
    forms.append(_squeezed_json(value))
    if isinstance(value, dict) and set(value) in _WRAPPINGS:
        inner = next(iter(value.values()))
        forms += _forms(squeezed(inner)) if isinstance(inner, str) else [_squeezed_json(inner)]
    return [form for form in forms if form] or ["-"]


def _squeezed_json(value: Any) -> str:
    return squeezed(json.dumps(value, sort_keys=True))


def _lost_media(source: Sequence[Said], target: Sequence[Said]) -> Iterable[Said]:
    """Images, documents and sounds, wherever they stand; a document of text may be carried as text."""
    written = Counter(item.value for item in target if item.kind == "media")
    texts = "".join(item.value for item in target if item.kind == "text")
    for item in source:
        if item.kind == "media":
            if written[item.value]:
                written[item.value] -= 1
            elif not (item.raw and squeezed(item.raw.decode("utf-8", "replace")) in texts):
                yield item


def _added(source: Sequence[Said], target: Sequence[Said], report: Report) -> list[str]:
    """What the target says and the source does not has to be the report's doing."""
    if any(entry.fate is not Fate.DROPPED for entry in report.entries):
        return []
    counts = [Counter(item.kind for item in items if item.kind in {"call", "result"}) for items in (target, source)]
    added = [f"added: {more} {kind}" for kind, more in (counts[0] - counts[1]).items()]
    lengths = [sum(len(item.value) for item in items if item.kind == "text") for items in (target, source)]
    return [*added, "added: text"] if lengths[0] > lengths[1] else added
