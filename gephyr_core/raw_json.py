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
_Child = tuple[str | int, int, int, int]
"""A member or an element: its name or index, where it begins, and where its value begins and ends."""

_NEXT = re.compile(rb"[ \t\n\r,:]*")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)
_SCALAR = re.compile(rb"[^ \t\n\r,:\[\]{}]+")
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


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
    return _edited(body, tree) if tree else body


def members(text: bytes) -> dict[str, bytes]:
    """Return the members of *text*, one valid JSON object, each value as it is written; halves of surrogate pairs stay.
    Linear in its length."""
    return {str(name): text[value:end] for name, _, value, end in _children(text, _skip(text, 0))}


def _edited(text: bytes, tree: dict[str | int, Any]) -> bytes:
    start = _skip(text, 0)
    opening = text[start : start + 1]
    if opening not in (b"{", b"["):
        return text
    children = _children(text, start)
    last = {child[0]: number for number, child in enumerate(children)}
    before = first = start + 1
    pieces: list[bytes] = []
    for number, (name, begin, value, end) in enumerate(children):
        change = tree[name] if name in tree and last[name] == number else b""
        if change is None:
            before = end
            continue
        separator = text[before:begin] if pieces or not number else text[first : children[0][1]]
        if isinstance(change, dict):
            change = _edited(text[value:end], change)
        pieces += [separator, text[begin:value] + change if change else text[begin:end]]
        before = end
    for name, change in tree.items():
        if isinstance(name, str) and opening == b"{" and name not in last and isinstance(change, bytes):
            pieces.append((b"," if pieces else b"") + msgspec.json.encode(name) + b":" + change)
    rest = children[-1][3] if children else first
    return text[:first] + b"".join(pieces) + text[rest:]


def _children(text: bytes, start: int) -> list[_Child]:
    """Find the members or elements of the container at *start*, after which only white space may follow."""
    try:
        return _found(text, start)
    except (msgspec.MsgspecError, ValueError):
        return list(_scanned(text, start))


def _found(text: bytes, start: int) -> list[_Child]:
    """Find them by the lengths of their values, which msgspec tells fast. Raises ``ValueError`` where it tells not
    enough: of several members with one name it knows the last alone."""
    position = _skip(text, start + 1)
    found: list[_Child] = []
    if text[start : start + 1] == b"[":
        for number, raw in enumerate(_ELEMENTS.decode(text)):
            end = position + len(bytes(raw))
            found.append((number, position, position, end))
            position = _skip(text, end)
        return found
    members = _MEMBERS.decode(text)
    while text[position : position + 1] == b'"':
        name_end = _end(text, position)
        name, value = _name(text[position:name_end]), _skip(text, name_end)
        written = bytes(members[name]) if name in members else b""
        if not written or not text.startswith(written, value):
            raise ValueError(name)
        found.append((name, position, value, value + len(written)))
        position = _skip(text, value + len(written))
    if len(found) != len(members) or text[position : position + 1] != b"}":
        raise ValueError("a name that stands twice")
    return found


def _scanned(text: bytes, start: int) -> Iterator[_Child]:
    """Find them token by token."""
    is_object = text[start : start + 1] == b"{"
    position, number = _skip(text, start + 1), 0
    while text[position : position + 1] not in (b"}", b"]", b""):
        name: str | int = number
        value = position
        if is_object:
            stop = _end(text, position)
            name, value = _name(text[position:stop]), _skip(text, stop)
        end = _end(text, value)
        yield name, position, value, end
        position, number = _skip(text, end), number + 1


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
