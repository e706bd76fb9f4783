"""Cache markers of one request: not more than Anthropic takes, and the long-lived before the others."""

from typing import Any

import attrs

from gephyr_core.conversation.parts import CacheMarker
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.names import cache_object

MOST_MARKERS = 4
_LONG = "1h"


@attrs.define
class Marks:
    """Puts the markers on what is written, in the order of the prompt's prefix: tools, system, messages."""

    report: Report
    put_so_far: list[tuple[dict[str, Any], str]] = attrs.field(factory=list)
    """What is marked, and where the client wrote it."""

    def put(self, written: dict[str, Any], marker: CacheMarker | None, path: str) -> None:
        """Mark what was *written* of the part at *path*."""
        if marker is None:
            return
        path = marker.path or path
        made = cache_object(marker)
        if marker.ttl and made.get("ttl") != marker.ttl:
            self.report.changed(path, f"cached for {made.get('ttl') or '5m'} instead of {marker.ttl}")
        written["cache_control"] = made
        self.put_so_far.append((written, path))

    def settle(self, room: int) -> None:
        """Leave out the first markers beyond *room*, and order what is left as Anthropic demands: what is to be cached
        longer stands first."""
        surplus = max(0, len(self.put_so_far) - room)
        for written, path in self.put_so_far[:surplus]:
            del written["cache_control"]
            self.report.dropped(path, f"only the last {room} cache markers are taken")
        long_follows = False
        for written, path in reversed(self.put_so_far[surplus:]):
            ttl = written["cache_control"].get("ttl")
            if long_follows and ttl != _LONG:
                written["cache_control"] = {"type": "ephemeral", "ttl": _LONG}
                self.report.changed(path, "cached for 1h, since something behind it is")
            long_follows = long_follows or ttl == _LONG
