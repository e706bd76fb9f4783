"""What the loop calls on a connection, guarded: an exception that nobody foresaw stays with its connection."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar


class Failing(Protocol):
    """What can be told of a fault of its own."""

    def failed(self, error: Exception, during: str) -> None:
        """Deal with *error*, which was raised *during* one of its methods."""


C = TypeVar("C", bound=Failing)
P = ParamSpec("P")
R = TypeVar("R")


def guarded(method: Callable[Concatenate[C, P], R]) -> Callable[Concatenate[C, P], R | None]:
    """Have what *method* raises be told to its object, and not to the loop, which gets None."""

    @wraps(method)
    def call(self: C, /, *arguments: P.args, **named: P.kwargs) -> R | None:
        try:
            return method(self, *arguments, **named)
        except Exception as error:
            self.failed(error, method.__name__)
            return None

    return call
