"""Ids of tool calls: results are matched by them, so no two calls may have one."""

import attrs

from gephyr_core.conversation.report import Report


@attrs.define
class CallIds:
    """The ids that were given so far, of one reply or one conversation."""

    _report: Report
    _given: dict[str, int] = attrs.field(factory=dict)
    """Each with the number of the last id that was made of it."""

    def distinct(self, wanted: str, path: str = "output") -> str:
        """Return an id for one more call, which stands at *path*: the *wanted* one, unless another call has it. An
        empty one is nobody's.

        The same calls always get the same ids, whatever calls follow.
        """
        if not wanted:
            return wanted
        made, number = wanted, self._given.get(wanted, 1)
        while made in self._given:
            number += 1
            made = f"{wanted}_{number}"
        if made != wanted:
            self._report.changed(path, f"an earlier call has the id {wanted!r} too: this one has {made!r} there")
        self._given[made] = 1
        self._given[wanted] = number
        return made
