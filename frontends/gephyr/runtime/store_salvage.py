"""Reads what is left of accounts and tokens in a store's file that is damaged, without SQLite, which refuses it whole.

Every page is looked at by itself (SQLite, "Database File Format", sqlite.org/fileformat2.html, sections 1.6 and 2),
with the newer pages of the write-ahead log in place of those of the file (section 4). A row is known by its shape;
whether it is one tells the seal of its secrets, which no other bytes fit. Nothing is written.
"""

import contextlib
import math
import mmap
import os
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from gephyr.runtime.store_file import StoreError
from gephyr.runtime.store_schema import MIGRATIONS

_MAGIC = b"SQLite format 3\0"
_HEADER = 100
_PAGE = 4096
"""Bytes of a page of Gephyr's files, where neither the file nor its log tells any more."""
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_WAL_HEADER = 32
_FRAME_HEADER = 24
_MOST_BYTES = 16 * 1024 * 1024
"""Of one row. Settings of an account have kilobytes; what claims to have more is none."""
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_CELLS_AT = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INTERIOR: 12}
"""Where the places of a page's cells begin, by the kinds of pages that hold rows."""
_NUMBER_BYTES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8}
"""By the serial types of numbers, of which 7 is a real one (section 2.1)."""

Content = bytes | mmap.mmap
Value = None | int | float | str | bytes


@attrs.frozen
class SealedAccount:
    """A row of ``added_accounts``."""

    account: str
    settings: bytes
    sealed: bytes
    added_at: float


@attrs.frozen
class SealedToken:
    """A row of ``tokens``."""

    account: str
    key_id: str
    sealed: bytes
    expires_at: float
    configured: str
    obtained_at: float


@attrs.frozen
class CommandedState:
    """A row of ``account_states``."""

    account: str
    by_command: int
    disabled: str
    since: float
    credential: str


@attrs.frozen
class NamedAccount:
    """An entry of the index of ``added_accounts``, which tells of a row that may be lost."""

    account: str
    rowid: int


@attrs.frozen
class NamedToken:
    """An entry of the index of ``tokens``, likewise."""

    account: str
    key_id: str
    rowid: int


Row = SealedAccount | SealedToken | CommandedState | NamedAccount | NamedToken
_SHAPES: dict[tuple[type, ...], tuple[type[Row], tuple[int, ...]]] = {
    (str, bytes, bytes, float): (SealedAccount, (_TABLE_LEAF,)),
    (str, str, bytes, float, str, float): (SealedToken, (_TABLE_LEAF,)),
    (str, int, str, float, str): (CommandedState, (_INDEX_LEAF, _INDEX_INTERIOR)),
    (str, int): (NamedAccount, (_INDEX_LEAF, _INDEX_INTERIOR)),
    (str, str, int): (NamedToken, (_INDEX_LEAF, _INDEX_INTERIOR)),
}
"""By the types of their columns, the rows and the kinds of pages they are on."""
_MOST_ROWS = 10**9
"""What stands in a row number's place and is larger is a time: of the refreshes that were under way."""
_KEY_ID = re.compile(r"[0-9a-f]{16}")
"""Of tokens that are not set aside. What is indexed beside them (pins, objects) has other ids."""


@attrs.frozen
class Salvage:
    """What was found, each account, token and state once; of several versions the newest."""

    accounts: tuple[SealedAccount, ...]
    tokens: tuple[SealedToken, ...]
    """By account and key."""
    states: tuple[CommandedState, ...]
    """What the operator commanded."""
    lost_accounts: tuple[str, ...]
    """Accounts that the index names, and whose rows are gone."""
    lost_tokens: tuple[str, ...]
    """The accounts of tokens, likewise."""
    missing: int
    """Pages that the file says it has, and has not. With an unreadable header it says nothing."""


def salvage(path: Path) -> Salvage:
    """Read the file at *path*, and the log beside it (``-wal``); one of the two may be absent.

    Raises ``StoreError`` where neither is there or can be read, and where a newer version of Gephyr wrote them.
    """
    with contextlib.ExitStack() as opened:
        found = [_content(name, opened) for name in (path, path.with_name(path.name + "-wal"))]
        if found == [None, None]:
            raise StoreError(f"{path}: there is no such file")
        file, log = (content or b"" for content in found)
        pages = _Pages(file, log)
        first = pages.get(1)
        told = 0
        if first.startswith(_MAGIC) and len(first) >= _HEADER:
            told, version = (struct.unpack(">I", first[place : place + 4])[0] for place in (28, 60))
            if version > len(MIGRATIONS):
                raise StoreError(f"{path}: was written by a newer version of Gephyr (schema {version})")
        rows = [row for number in pages.numbers() for row in _rows(number, pages)]
        missing = max(0, told - sum(len(pages.get(number)) == pages.size for number in pages.numbers()))
        return _sorted_out(rows, missing)


def _content(path: Path, opened: contextlib.ExitStack) -> Content | None:
    try:
        file = opened.enter_context(path.open("rb"))
        if os.fstat(file.fileno()).st_size == 0:
            return b""
        return opened.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _sorted_out(rows: Sequence[Row], missing: int) -> Salvage:
    accounts = sorted((row for row in rows if isinstance(row, SealedAccount)), key=lambda row: row.added_at)
    tokens = sorted((row for row in rows if isinstance(row, SealedToken)), key=lambda row: row.obtained_at)
    states = (row for row in rows if isinstance(row, CommandedState) and row.by_command == 1)
    by_account = {row.account: row for row in accounts}
    by_key = {(row.account, row.key_id): row for row in tokens}
    named = {row.account for row in rows if isinstance(row, NamedAccount) and 0 < row.rowid < _MOST_ROWS}
    keyed = {(row.account, row.key_id) for row in rows if isinstance(row, NamedToken) and _KEY_ID.fullmatch(row.key_id)}
    return Salvage(
        accounts=tuple(by_account.values()),
        tokens=tuple(by_key.values()),
        states=tuple(states),
        lost_accounts=tuple(sorted(named - by_account.keys())),
        lost_tokens=tuple(sorted({account for account, _ in keyed - by_key.keys()})),
        missing=missing,
    )


# -- pages --------------------------------------------------------------------------------------------------------


class _Pages:
    """The pages by their number, from 1 on, as SQLite would see them if it read the two."""

    def __init__(self, file: Content, log: Content) -> None:
        self.size = _page_size(file, log)
        self._file = file
        self._logged = _logged(log, self.size)

    def get(self, number: int) -> bytes:
        """Return a page; empty where there is none."""
        start = (number - 1) * self.size
        page = self._logged.get(number)
        return self._file[start : start + self.size] if page is None else page

    def numbers(self) -> list[int]:
        """The pages that there are."""
        return sorted({*range(1, -(-len(self._file) // self.size) + 1), *self._logged})


def _page_size(file: Content, log: Content) -> int:
    told = []
    if file[: len(_MAGIC)] == _MAGIC and len(file) >= _HEADER:
        told.append(struct.unpack(">H", file[16:18])[0])
    if len(log) >= _WAL_HEADER and struct.unpack(">I", log[:4])[0] in _WAL_MAGIC:
        told.append(struct.unpack(">I", log[8:12])[0])
    sizes = [65536 if size == 1 else size for size in told]
    return next((size for size in sizes if 512 <= size <= 65536 and size & (size - 1) == 0), _PAGE)


def _logged(log: Content, size: int) -> dict[int, bytes]:
    """Return the newest version of each page of the log, as far as it was committed (section 4.1). Of a log with a
    damaged header, every frame counts."""
    if len(log) < _WAL_HEADER:
        return {}
    magic = struct.unpack(">I", log[:4])[0]
    checked = magic in _WAL_MAGIC
    order = ">" if magic & 1 else "<"
    sums = _checksum((0, 0), log[:24], order) if checked else (0, 0)
    committed: dict[int, bytes] = {}
    pending: dict[int, bytes] = {}
    for start in range(_WAL_HEADER, len(log) - _FRAME_HEADER - size + 1, _FRAME_HEADER + size):
        header, page = log[start : start + _FRAME_HEADER], log[start + _FRAME_HEADER : start + _FRAME_HEADER + size]
        number, commits, *salts, first, second = struct.unpack(">6I", header)
        if checked:
            sums = _checksum(_checksum(sums, header[:8], order), page, order)
            if sums != (first, second) or struct.pack(">2I", *salts) != log[16:24]:
                break
        pending[number] = page
        if commits or not checked:
            committed.update(pending)
            pending = {}
    return committed


def _checksum(sums: tuple[int, int], data: bytes, order: str) -> tuple[int, int]:
    """Carry on the sums over *data* (section 4.2)."""
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


# -- rows ---------------------------------------------------------------------------------------------------------


def _rows(number: int, pages: _Pages) -> Iterator[Row]:
    """Yield the rows of one page that have one of the shapes (section 1.6)."""
    page = pages.get(number)
    begin = _HEADER if number == 1 else 0
    kind = page[begin] if len(page) > begin else 0
    if kind not in _CELLS_AT:
        return
    (count,) = struct.unpack(">H", page[begin + 3 : begin + 5].ljust(2, b"\0"))
    places = begin + _CELLS_AT[kind]
    for place in range(places, min(places + 2 * count, len(page) - 1), 2):
        (cell,) = struct.unpack(">H", page[place : place + 2])
        try:
            row = _row(kind, _record(_payload(kind, page, cell, pages)))
        except (ValueError, IndexError, struct.error):  # not a row, or not all of it is left
            continue
        if row is not None:
            yield row


def _row(page_kind: int, values: Sequence[Value]) -> Row | None:
    for shape, (make, kinds) in _SHAPES.items():
        if page_kind in kinds and len(values) == len(shape) and all(map(_fits, values, shape)):
            # A whole number in a column of reals is stored as an integer (section 2.1).
            fields = [float(value) if kind is float else value for value, kind in zip(values, shape, strict=True)]  # type: ignore[arg-type]
            return make(*fields)  # type: ignore[arg-type]
    return None


def _fits(value: Value, kind: type) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) if kind is float else isinstance(value, kind)


def _payload(kind: int, page: bytes, cell: int, pages: _Pages) -> bytes:
    """Return a cell's record, put together with what overflows to other pages (section 1.6)."""
    position = cell + (4 if kind == _INDEX_INTERIOR else 0)
    size, position = _varint(page, position)
    if kind == _TABLE_LEAF:
        _, position = _varint(page, position)
    if not 0 < size <= _MOST_BYTES:
        raise ValueError
    usable = pages.size
    most = usable - 35 if kind == _TABLE_LEAF else (usable - 12) * 64 // 255 - 23
    if size <= most:
        return page[position : position + size]
    least = (usable - 12) * 32 // 255 - 23
    local = least + (size - least) % (usable - 4)
    local = local if local <= most else least
    parts = [page[position : position + local]]
    (following,) = struct.unpack(">I", page[position + local : position + local + 4])
    left = size - local
    while left > 0 and following:
        part = pages.get(following)
        if len(part) <= 4:
            raise ValueError
        (following,) = struct.unpack(">I", part[:4])
        parts.append(part[4 : 4 + left])
        left -= len(part) - 4
    return b"".join(parts)


def _record(payload: bytes) -> list[Value]:
    """Return a record's values (section 2.1). Raises ``ValueError`` or ``IndexError`` for what is none."""
    end, position = _varint(payload, 0)
    kinds = []
    while position < end:
        kind, position = _varint(payload, position)
        kinds.append(kind)
    values: list[Value] = []
    for kind in kinds:
        size = (kind - 12) // 2 if kind >= 12 else _NUMBER_BYTES.get(kind, 0)
        data = payload[position : position + size]
        if len(data) < size:
            raise ValueError
        values.append(_value(kind, data))
        position += size
    return values


def _value(kind: int, data: bytes) -> Value:
    if kind >= 12:
        return data.decode() if kind & 1 else data
    if kind == 7:
        (real,) = struct.unpack(">d", data)
        return float(real)
    if kind in _NUMBER_BYTES:
        return int.from_bytes(data, "big", signed=True)
    return {8: 0, 9: 1}.get(kind)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """Return a number of up to nine bytes, and where it ends (section 1.6)."""
    value = 0
    for count in range(9):
        byte = data[position + count]
        if count == 8:
            return value << 8 | byte, position + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, position + count + 1
    raise ValueError
