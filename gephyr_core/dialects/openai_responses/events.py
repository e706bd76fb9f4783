"""Numbered events of a stream, and the items of the output that they build."""

from typing import Any

import attrs

from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import ReplyContext


@attrs.define
class Events:
    """Writes one stream's events."""

    context: ReplyContext
    number: int = 0
    """The next sequence number."""
    output: list[dict[str, Any] | None] = attrs.field(factory=list)
    """Items by their index; None while one is under way."""

    def event(self, name: str, /, **fields: Any) -> bytes:
        """Write an event; *name* without ``response.``."""
        number, self.number = self.number, self.number + 1
        data = encode_json({"type": f"response.{name}", "sequence_number": number, **fields})
        return b"event: response.%b\ndata: %b\n\n" % (name.encode(), data)

    def place(self) -> int:
        """The index of a new item."""
        self.output.append(None)
        return len(self.output) - 1

    def item_id(self, prefix: str, place: int) -> str:
        """The id of the item at *place*."""
        return f"{prefix}_{self.context.key}_{place}"

    def added(self, place: int, item: dict[str, Any]) -> bytes:
        """Tell that an item begins."""
        return self.event("output_item.added", output_index=place, item=item)

    def done(self, place: int, item: dict[str, Any]) -> bytes:
        """Tell that an item is complete."""
        self.output[place] = item
        return self.event("output_item.done", output_index=place, item=item)

    def whole(self, item: dict[str, Any]) -> bytes:
        """Tell of an item that does not stream."""
        place = self.place()
        return self.added(place, {**item, "status": "in_progress"} if "status" in item else item) + self.done(
            place, item
        )

    def finished(self) -> list[dict[str, Any]]:
        """The items that are complete."""
        return [item for item in self.output if item is not None]
