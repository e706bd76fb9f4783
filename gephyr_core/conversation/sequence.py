"""One part at a time: for the dialects whose streams finish a part before they begin the next."""

import attrs

from gephyr_core.conversation.reply import Delta, Ended, Failed, PartEnded, PartStarted, Started


@attrs.define
class Sequencer:
    """Reorders deltas so that parts do not overlap: the first open part flows through, what comes for later ones is
    held until it ended."""

    _open: int | None = None
    _held: dict[int, list[Delta]] = attrs.field(factory=dict)
    """Deltas of parts that began while another was open, by index in the order of their start."""

    def feed(self, delta: Delta) -> list[Delta]:
        """Add *delta* and return those whose time has come."""
        if isinstance(delta, Ended | Failed):
            released = [held for deltas in self._held.values() for held in deltas]
            self._held.clear()
            self._open = None
            return [*released, delta]
        if isinstance(delta, Started):
            return [delta]
        index = delta.index
        if self._open is None and isinstance(delta, PartStarted):
            self._open = index
            return [delta]
        if index != self._open:
            self._held.setdefault(index, []).append(delta)
            return []
        if isinstance(delta, PartEnded):
            self._open = None
            return [delta, *self._next()]
        return [delta]

    def _next(self) -> list[Delta]:
        """Release held parts until one is not complete yet."""
        released: list[Delta] = []
        while self._open is None and self._held:
            index = next(iter(self._held))
            deltas = self._held.pop(index)
            released += deltas
            if not isinstance(deltas[-1], PartEnded):
                self._open = index
        return released
