"""Changes to a JSON text in single places: whatever is not changed keeps its bytes."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

Path = tuple[str | int, ...]
"""Where a value stands: names of members and indices of elements, from the outside in."""
Edits = Mapping[Path, bytes | None]
"""Values by where they stand. None takes the member or the element out; a member that is not there is added."""

_SPACE = re.compile(rb"[ \t\n\r]*")
_NEXT = re.compile(rb"[ \t\n\r,:]*")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\n\r,:\[\]{}]+")


def edited(body: bytes, edits: Edits) -> bytes:
    """Return *body*, one valid JSON text, with the changes made. Linear in its length.

    A path that leads nowhere changes nothing. Of members with one name the last is meant, as most readers have it.
    """
    tree: dict[str | int, Any] = {}
    for path, value in edits.items():
        branch = tree
        for step in path[:-1]:
            branch = branch.setdefault(step, {})
            if not isinstance(branch, dict):
                break  # what it stands in is changed as a whole
        else:
            branch[path[-1]] = value
    start = _SPACE.match(body)
    return _edited(body, start.end() if start is not None else 0, tree)[0] if tree else body


def _edited(body: bytes, start: int, tree: dict[str | int, Any]) -> tuple[bytes, int]:
    """Return the whole of *body* with the container that begins at *start* changed, and where that one ended."""
    opening = body[start : start + 1]
    if opening not in (b"{", b"["):
        return body, _end(body, start)
    children = list(_children(body, start))
    end = children[-1][3] if children else start + 1
    last = {name: number for number, (name, _, _, _) in enumerate(children)}
    closing = _SPACE.match(body, end)
    close = closing.end() if closing is not None else end
    pieces: list[bytes] = []
    kept, before = 0, start + 1
    for number, (name, begin, value, stop) in enumerate(children):
        written = body[begin:stop]
        if name in tree and last[name] == number:
            change = tree[name]
            if change is None:
                before = stop
                continue
            new = _inner(body[value:stop], change) if isinstance(change, dict) else change
            written = body[begin:value] + new
        separator = body[before:begin] if kept or not number else body[start + 1 : children[0][1]]
        pieces += [separator, written]
        kept, before = kept + 1, stop
    for name, change in tree.items():
        if isinstance(name, str) and opening == b"{" and name not in last and isinstance(change, bytes):
            pieces.append((b"," if kept else b"") + msgspec.json.encode(name) + b":" + change)
            kept += 1
    return body[: start + 1] + b"".join(pieces) + body[end:], close + 1


def _inner(value: bytes, tree: dict[str | int, Any]) -> bytes:
    return _edited(value, 0, tree)[0]


def _children(body: bytes, start: int) -> Iterator[tuple[str | int, int, int, int]]:
    """Yield the members or elements of the container at *start*: name, where it begins, its value begins and ends."""
    is_object = body[start : start + 1] == b"{"
    position, number = _skip(body, start + 1), 0
    while body[position : position + 1] not in (b"}", b"]", b""):
        name: str | int = number
        value = position
        if is_object:
            stop = _end(body, position)
            name = _name(body[position:stop])
            value = _skip(body, stop)
        end = _end(body, value)
        yield name, position, value, end
        position, number = _skip(body, end), number + 1


def _name(written: bytes) -> str:
    """Read a member's name, which may hold half a surrogate pair (RFC 8259, section 8.2)."""
    if b"\\" not in written:
        return written[1:-1].decode()
    name: str = json.loads(written)
    return name


def _skip(body: bytes, position: int) -> int:
    """Where the next value begins: behind white space, a comma or a colon."""
    found = _NEXT.match(body, position)
    return position if found is None else found.end()


def _end(body: bytes, start: int) -> int:
    """Where the value that begins at *start* ends."""
    first = body[start : start + 1]
    if first not in (b"{", b"["):
        found = (_STRING if first == b'"' else _SCALAR).match(body, start)
        return len(body) if found is None else found.end()
    depth = 0
    for token in _TOKEN.finditer(body, start):
        if body[token.start()] in b"[{":
            depth += 1
        elif body[token.start()] in b"]}":
            depth -= 1
            if not depth:
                return token.end()
    return len(body)
