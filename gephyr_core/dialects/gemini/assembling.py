"""generateContent: a stream's chunks made into a whole reply, and a whole reply into the one chunk that it is."""

from typing import Any

import attrs

from gephyr_core.dialects.decoding import mapping, read_object
from gephyr_core.dialects.growing import Pieces, grown, joined
from gephyr_core.dialects.rendering import write_object
from gephyr_core.sse import encode


@attrs.define
class ContentAssembly:
    """See :class:`gephyr_core.dialects.base.Assembly`."""

    complete: bool = False
    _top: dict[str, Any] = attrs.field(factory=dict)
    _candidates: dict[int, dict[str, Any]] = attrs.field(factory=dict)

    def add(self, event: dict[str, Any]) -> None:
        """Take in a chunk. What the last one says of the reply as a whole counts."""
        candidates = event.pop("candidates", None)
        self._top.update(event)
        if (mapping(event.get("promptFeedback")) or {}).get("blockReason"):
            self.complete = True
        for candidate in candidates if isinstance(candidates, list) else ():
            if isinstance(candidate, dict):
                self._add(candidate)

    def _add(self, candidate: dict[str, Any]) -> None:
        index = candidate.get("index")
        known = self._candidates.setdefault(index if isinstance(index, int) else 0, {})
        content = mapping(candidate.pop("content", None))
        known.update(candidate)
        self.complete = self.complete or bool(candidate.get("finishReason"))
        if content is None:
            return
        parts = content.pop("parts", None)
        whole: dict[str, Any] = known.setdefault("content", {})
        whole.update(content)
        for part in parts if isinstance(parts, list) else ():
            _add_part(whole.setdefault("parts", []), part)

    def reply(self) -> dict[str, Any]:
        """The whole reply."""
        candidates = [joined(self._candidates[index]) for index in sorted(self._candidates)]
        return {"candidates": candidates, **self._top} if candidates else self._top


def _add_part(parts: list[Any], part: object) -> None:
    """Add a part. Texts of a kind that follow each other are one, until a signature closes it."""
    last = parts[-1] if parts else None
    if (
        isinstance(part, dict)
        and isinstance(last, dict)
        and isinstance(part.get("text"), str)
        and isinstance(last.get("text"), str | Pieces)
        and "thoughtSignature" not in last
        and part.get("thought") == last.get("thought")
    ):
        text = part.pop("text")
        last.update(part)
        last["text"] = grown(last["text"], text)
    else:
        parts.append(part)


def events_of(body: bytes) -> bytes:
    """Write the stream: one chunk is all of it."""
    return encode(write_object(read_object(body) or {}))
