"""Reading a client's JSON so that every field is accounted for: taken by name, and what is left over is reported."""

from collections.abc import Iterator
from typing import Any

from gephyr_core.conversation.report import Report

_NO_COUNTERPART = "is not known to this gateway, and only a provider of the same dialect could be handed it"
_TYPES = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}


class FieldError(ValueError):
    """A field of the client's has the wrong type or value; becomes a 400 that names it."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class Fields:
    """A JSON object being read. Takes the fields out of *value*, which is the reader's own from then on.

    ``null`` counts as absent. Every reader ends with :meth:`finish`.
    """

    __slots__ = ("left", "path", "report")

    def __init__(self, value: object, path: str, report: Report) -> None:
        """Raises ``FieldError`` if *value* is no object. *path*: where the client wrote it; empty for the body."""
        if not isinstance(value, dict):
            raise FieldError(path, f"expected an object, got {json_type(value)}")
        self.left: dict[str, Any] = value
        self.path = path
        self.report = report

    def at(self, name: str) -> str:
        """The path of the field *name*."""
        return f"{self.path}.{name}" if self.path else name

    def take(self, name: str) -> Any:
        """Take a field of any type; None when absent."""
        return self.left.pop(name, None)

    def ignore(self, *names: str) -> None:
        """Take fields that mean nothing to a translation (constant types, ids nobody refers to)."""
        for name in names:
            self.left.pop(name, None)

    def text(self, name: str) -> str | None:
        """Take a string."""
        value = self.left.pop(name, None)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(name, "a string", value)

    def required_text(self, name: str) -> str:
        """Take a string that must be there."""
        value = self.text(name)
        if value is None:
            raise FieldError(self.at(name), "is required")
        return value

    def flag(self, name: str) -> bool | None:
        """Take a boolean."""
        value = self.left.pop(name, None)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(name, "a boolean", value)

    def integer(self, name: str) -> int | None:
        """Take a whole number."""
        value = self.left.pop(name, None)
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self.wrong(name, "a whole number", value)

    def number(self, name: str) -> float | None:
        """Take a number."""
        value = self.left.pop(name, None)
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
            return value
        raise self.wrong(name, "a number", value)

    def array(self, name: str) -> list[Any]:
        """Take an array; an absent one is empty."""
        value = self.left.pop(name, None)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise self.wrong(name, "an array", value)

    def mapping(self, name: str) -> dict[str, Any] | None:
        """Take an object as it is (a schema, metadata)."""
        value = self.left.pop(name, None)
        if value is None or isinstance(value, dict):
            return value
        raise self.wrong(name, "an object", value)

    def texts(self, name: str) -> tuple[str, ...]:
        """Take an array of strings; a single string counts as one."""
        value = self.left.pop(name, None)
        if value is None:
            return ()
        if isinstance(value, str):
            return (value,)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        raise self.wrong(name, "an array of strings", value)

    def child(self, name: str) -> "Fields | None":
        """Take an object to be read field by field; the caller finishes it."""
        value = self.left.pop(name, None)
        return None if value is None else Fields(value, self.at(name), self.report)

    def children(self, name: str) -> "Iterator[Fields]":
        """Take an array of objects to be read field by field; the caller finishes each."""
        path = self.at(name)
        for index, value in enumerate(self.array(name)):
            yield Fields(value, f"{path}[{index}]", self.report)

    def wrong(self, name: str, expected: str, value: object) -> FieldError:
        """The error for a field that is not what it should be."""
        return FieldError(self.at(name), f"expected {expected}, got {json_type(value)}")

    def finish(self, reason: str = _NO_COUNTERPART) -> None:
        """Report what nobody took as dropped."""
        for name, value in self.left.items():
            if value is not None:
                self.report.dropped(self.at(name), reason)
        self.left.clear()


def json_type(value: object) -> str:
    """Name the JSON type of a decoded value, for messages."""
    return _TYPES.get(type(value), "an object")
