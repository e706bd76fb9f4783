"""Chooses the selection from the whole corpus: ``python -m tests.recordings.choose``.

The same corpus gives the same selection: what tests name, then few and short recordings that show every feature there
is (``features.py``), then the short ones of the conversations that those come from, which pack well beside them. What
refers to a stored response is taken with the recording that made it.
"""

import json
import lzma
import math
import re
from collections import defaultdict
from typing import Any

from tests.recordings.features import features
from tests.recordings.traffic import CORPUS, SELECTION, corpus_lines

NAMED = frozenset(
    {
        "DataDog/dd-trace-py/tests/contrib/anthropic/cassettes/anthropic_completion_tools_call_with_tool_result_stream_helper.yaml#0"
    }
)
"""Recordings that tests name."""
SHORT = 6_000
"""Bytes of a recording that is taken because others of its conversation are."""
MOST_PACKED = 2_000_000
"""Bytes that the selection may have when it is packed, with the licences."""
_FILTERS = [
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0, "dict_size": 1 << 24}
]
"""Pictures and histories that several recordings share are stored once, however far apart they are."""
_STORED = re.compile(r"\b(?:resp|conv)_\w{20,}")


class Choice:
    """The recordings that were chosen so far, by their place in the corpus."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.records = [json.loads(line) for line in lines]
        self.chosen: set[int] = set()
        self._makers = {made: place for place, record in enumerate(self.records) if (made := _made(record)) is not None}

    def take(self, place: int) -> None:
        """Choose a recording, and those that made what it refers to."""
        if place not in self.chosen:
            self.chosen.add(place)
            for named in _STORED.findall(_asked(self.records[place])):
                if named in self._makers:
                    self.take(self._makers[named])

    def cover(self, shown: list[set[str]]) -> None:
        """Choose recordings until they show everything that any of them does, the best for its size first.

        *shown* is what each recording shows.
        """
        showing: dict[str, list[int]] = defaultdict(list)
        for place, names in enumerate(shown):
            for name in names:
                showing[name].append(place)
        gains = [len(names) for names in shown]
        # Long recordings repeat themselves and each other, so their cost grows slower than their length.
        costs = [math.sqrt(len(line)) for line in self.lines]
        counted: set[int] = set()
        while True:
            for place in sorted(self.chosen - counted):
                for name in shown[place]:
                    for other in showing.pop(name, ()):
                        gains[other] -= 1
            if not showing:
                return
            counted = set(self.chosen)
            self.take(max(range(len(shown)), key=lambda place: gains[place] / costs[place]))

    def complete(self) -> None:
        """Choose the short recordings of the conversations that chosen ones are part of."""
        conversations = {_conversation(self.records[place]) for place in self.chosen}
        for place, record in enumerate(self.records):
            if len(self.lines[place]) <= SHORT and _conversation(record) in conversations:
                self.take(place)


def _asked(record: dict[str, Any]) -> str:
    return f"{record['url_path']} {json.dumps(record['request'])}"


def _conversation(record: dict[str, Any]) -> str:
    """The recorded test that a recording is one exchange of."""
    name: str = record["id"].rpartition("#")[0]
    return name


def _made(record: dict[str, Any]) -> str | None:
    """The stored response or conversation that a recording made."""
    if record["method"] != "POST":
        return None
    match = _STORED.search(json.dumps(record.get("response")) + record.get("response_sse", "")[:2000])
    return match[0] if match and match[0] not in _asked(record) else None


def choose(lines: list[bytes]) -> list[bytes]:
    """The chosen lines of the corpus, in its order."""
    choice = Choice(lines)
    for place, record in enumerate(choice.records):
        if record["id"] in NAMED:
            choice.take(place)
    choice.cover([features(record) for record in choice.records])
    choice.complete()
    return [lines[place] for place in sorted(choice.chosen)]


def packed(lines: list[bytes]) -> bytes:
    """The selection as it is stored: one archive, because a file for each dialect needs a fifth more."""
    return lzma.compress(b"".join(line + b"\n" for line in lines), format=lzma.FORMAT_XZ, filters=_FILTERS)


def main() -> None:
    """Write the selection."""
    if not CORPUS.is_dir():
        raise SystemExit(f"the whole corpus is not at {CORPUS}")
    chosen = choose([line for lines in corpus_lines().values() for line in lines])
    SELECTION.write_bytes(packed(chosen))


if __name__ == "__main__":
    main()
