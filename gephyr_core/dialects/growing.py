"""Joining what a stream cut apart: texts that grow, objects that are told piece by piece, lists of indexed elements."""

from typing import Any

from gephyr_core.dialects.decoding import mapping

_CONSTANT = ("id", "type", "role", "format", "index", "object")
"""Members that are told once or repeated, and never grow."""
_REPEATED = ("name", "signature")
"""Members that grow, unless a provider repeats them whole with each piece."""


class Pieces(list[str]):
    """A text under way. It is joined once, at the end: adding to a string each time would copy it each time."""


def grow(into: dict[str, Any], added: dict[str, Any]) -> None:
    """Add a piece of an object to what came of it before. *added* is taken apart."""
    for name, value in added.items():
        known = into.get(name)
        if value is None or known is None:
            if value is not None or name not in into:
                into[name] = value
        elif name in _CONSTANT:
            into[name] = value or known
        elif isinstance(value, str) and isinstance(known, str | Pieces):
            into[name] = known if name in _REPEATED and value == known else grown(known, value)
        elif isinstance(value, dict) and isinstance(known, dict):
            grow(known, value)
        elif isinstance(value, list) and isinstance(known, list) and not isinstance(known, Pieces):
            into[name] = extend(known, value)
        elif isinstance(value, str | list) and isinstance(known, str | list):
            into[name] = parts = _parts(known)
            parts += _parts(value)
        else:
            into[name] = value


def grown(known: "str | Pieces", added: str) -> Pieces:
    """Return the text *known* with *added* behind it."""
    pieces = known if isinstance(known, Pieces) else Pieces((known,))
    pieces.append(added)
    return pieces


class Elements(list[Any]):
    """A list whose elements are found by their ``index``."""

    def __init__(self, elements: list[Any]) -> None:
        super().__init__()
        self.places: dict[int | str, int] = {}
        for element in elements:
            self.append(element)

    def append(self, element: Any) -> None:
        """Add an element."""
        index = _index(element)
        if index is not None:
            self.places[index] = len(self)
        super().append(element)


def extend(known: list[Any], added: list[Any]) -> Elements:
    """Add elements to a list; one of an ``index`` that is there already adds to that element."""
    elements = known if isinstance(known, Elements) else Elements(known)
    for element in added:
        index = _index(element)
        place = None if index is None else elements.places.get(index)
        if place is None:
            elements.append(element)
        else:
            grow(elements[place], element)
    return elements


def _parts(content: str | list[Any]) -> list[Any]:
    """Content as a list of parts: Mistral tells its reasoning so, and then goes on in plain text."""
    if isinstance(content, str | Pieces):
        text = "".join(content)
        return [{"type": "text", "text": text}] if text else []
    return content


def _index(element: Any) -> int | str | None:
    index = (mapping(element) or {}).get("index")
    return index if isinstance(index, int | str) else None


def joined(value: Any) -> Any:
    """Return *value* with its texts joined."""
    if isinstance(value, Pieces):
        return "".join(value)
    if isinstance(value, dict):
        return {name: joined(member) for name, member in value.items()}
    return [joined(element) for element in value] if isinstance(value, list) else value
