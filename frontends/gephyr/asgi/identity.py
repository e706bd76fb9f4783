"""Who asks, where the application's host knows it: a name becomes the digest that stored objects belong to."""

import asyncio
import hashlib
import inspect
import traceback
from collections.abc import Awaitable, Callable

import attrs
import structlog

from gephyr.asgi.scope import Scope

Identify = Callable[[Scope], str | Awaitable[str | None] | None]
"""Gives the name of a request's caller; None or an empty text where nobody is known."""
UNKNOWN_CALLER = "the application could not tell who is asking (its `identify` failed)"
_LIMIT = 10.0
"""Seconds that it may take."""
_log = structlog.get_logger()


@attrs.frozen
class Identity:
    """What is known of a request's caller besides the request itself."""

    caller: str = ""
    """Digest of the name; empty where there is none."""
    by_key: bool = True
    """The keys that it presents count. Where none is asked for, one that nobody checked is nobody's name."""
    ownerless: bool = False
    """Neither a key nor a name tells it from others."""


class IdentifyError(Exception):
    """``identify`` failed, and the log says where."""


async def identity_of(identify: Identify | None, scope: Scope, *, auth: str) -> Identity:
    """Ask *identify* who makes the request of *scope*; *auth* is ``auth.mode``. Raises :class:`IdentifyError`."""
    name = None if identify is None else await _asked(identify, scope)
    caller = hashlib.sha256(b"caller " + name.encode("utf-8", "surrogatepass")).hexdigest() if name else ""
    opened = auth == "off"
    return Identity(caller, by_key=not opened, ownerless=opened and not caller)


async def _asked(identify: Identify, scope: Scope) -> str | None:
    try:
        name = identify(scope)
        if inspect.isawaitable(name):
            async with asyncio.timeout(_LIMIT):
                name = await name
        if name is not None and not isinstance(name, str):
            raise TypeError("identify returns neither a str nor None")
    except Exception as error:
        # Neither its text nor the lines of code: they may hold the name.
        place = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("identify failed", error=type(error).__name__, file=place.filename, line=place.lineno)
        raise IdentifyError from None
    return name
