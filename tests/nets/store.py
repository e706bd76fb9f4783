"""Where a recording of the nets is kept: one SQLite file of names, digests and compressed texts."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import attrs
import zstandard

LONGEST_TEXT = 512 * 1024
"""Characters of a text that are kept to be shown; the digest is of all of it."""
LONGEST_SCENARIO = 16 * 1024 * 1024
"""The same for a scenario, whose text is long and of which there are few."""
_FILE = "nets.db"


@attrs.frozen
class Caught:
    """One row, as it is stored and compared."""

    name: str
    """``NET/RECORDING/WHAT``."""
    digest: str
    packed: bytes
    """The text, compressed."""

    @property
    def net(self) -> str:
        """The net that it is of."""
        return self.name.partition("/")[0]

    @property
    def text(self) -> str:
        """What the gateway did."""
        return zstandard.ZstdDecompressor().decompress(self.packed).decode()


def caught(name: str, text: str) -> Caught:
    """Make a row ready."""
    data = text.encode("utf-8", "backslashreplace")
    longest = LONGEST_SCENARIO if name.startswith("scenarios/") else LONGEST_TEXT
    kept = data[:longest].decode("utf-8", "ignore").encode()
    return Caught(name, hashlib.sha256(data).hexdigest(), zstandard.ZstdCompressor(5).compress(kept))


class Store:
    """A folder with a recording."""

    def __init__(self, folder: Path) -> None:
        """Opens the recording there, or begins one."""
        folder.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(folder / _FILE)
        self._database.executescript(
            "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT);"
            "CREATE TABLE IF NOT EXISTS rows (place INTEGER PRIMARY KEY, name TEXT UNIQUE, digest TEXT, packed BLOB);"
        )

    def __len__(self) -> int:
        (count,) = self._database.execute("SELECT count(*) FROM rows").fetchone()
        return int(count)

    def add(self, row: Caught) -> None:
        """Store a row; a name that is there already is an error of the nets."""
        values = (row.name, row.digest, row.packed)
        self._database.execute("INSERT INTO rows (name, digest, packed) VALUES (?, ?, ?)", values)

    def find(self, name: str) -> Caught | None:
        """The row of a name."""
        found = self._database.execute("SELECT name, digest, packed FROM rows WHERE name = ?", (name,)).fetchone()
        return None if found is None else Caught(*found)

    def replace(self, row: Caught) -> None:
        """Store another row in the place of the one of its name."""
        values = (row.digest, row.packed, row.name)
        self._database.execute("UPDATE rows SET digest = ?, packed = ? WHERE name = ?", values)
        self._database.commit()

    def names(self) -> Iterator[str]:
        """All names, in the order in which they were recorded."""
        for (name,) in self._database.execute("SELECT name FROM rows ORDER BY place"):
            yield name

    def keep(self, **about: object) -> None:
        """Remember what the recording is of, and write everything to the disk."""
        items = [(name, str(value)) for name, value in about.items()]
        self._database.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", items)
        self._database.commit()

    def about(self) -> dict[str, str]:
        """What the recording is of; empty where there is none."""
        return dict(self._database.execute("SELECT name, value FROM about"))

    def close(self) -> None:
        """Close the file."""
        self._database.close()
