"""The versions of Anthropic's API: what a client states, and what a request that Gephyr writes follows.

Sources: Anthropic's API reference, "Versions" and "Migrating to API version 2026-10-21". The newer version takes less
in requests for messages and for counts of their tokens; replies are the same in both.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.prompt import Prompt
from gephyr_core.dialects.anthropic.names import NAME
from gephyr_core.dialects.translator import Destination
from gephyr_core.http import Header, Headers, header

HEADER = b"anthropic-version"
OLDER, NEWER = "2023-06-01", "2026-10-21"
USUAL: Header = (HEADER, OLDER.encode())
"""For questions that both versions answer alike: every server that speaks this API knows the older one."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_CLOUDS = "anthropic_version"
"""Where a client of Vertex AI or Bedrock states it: in the body."""

_SAMPLING = ("temperature", "top_p", "top_k")
_REMEDY = f"in API version {NEWER}; version {OLDER} takes it"


def stated_version(headers: Headers, body: Mapping[str, Any]) -> str:
    """Return the version that a client states; empty where it states none, or something that is none."""
    stated = header(headers, HEADER)
    version = body.get(_CLOUDS) if stated is None else stated.decode("latin-1").strip()
    return version if isinstance(version, str) and _DATE.fullmatch(version) else ""


def check_version(body: Mapping[str, Any], version: str) -> None:
    """Raise ``FieldError`` for what a client's request has and the version that it states has not.

    Anthropic refuses it, whatever its value: so does Gephyr where another provider is to answer, so that a request has
    one answer whichever account serves it.
    """
    if version >= NEWER:
        for path, reason in _removed(body):
            raise FieldError(path, reason)


def written_version(body: Mapping[str, Any], prompt: Prompt, destination: Destination) -> Header:
    """Return the header that states the version which *body*, a request for a provider, follows.

    That is the older one where *body* has what only that one takes. Else it is the client's own where *prompt* is a
    client's of this API, and the model's: those that take sampling parameters are asked in the older one, which takes
    all that they do and is the only one that Bedrock has for them, later ones in the newer.
    """
    version = OLDER if destination.capabilities.sampling else NEWER
    if prompt.dialect == NAME and prompt.version in (OLDER, NEWER):
        version = prompt.version
    if any(_removed(body)):
        version = OLDER
    return (HEADER, version.encode())


def _removed(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What of a request the newer version refuses, with the reason: paths as the client reads them."""
    for name in _SAMPLING:
        if name in body:
            yield name, f"Extra inputs are not permitted {_REMEDY}"
    for index, message in enumerate(_items(body.get("messages"))):
        path = f"messages[{index}].content"
        if message.get("role") == "assistant":
            for place, block in enumerate(_items(message.get("content"))):
                if block.get("type") == "document":
                    yield f"{path}[{place}]", f"a document cannot stand in an assistant's message {_REMEDY}"
        elif message.get("role") == "user":
            yield from _cited(message.get("content"), path)


def _cited(content: Any, path: str) -> Iterator[tuple[str, str]]:
    """Texts of a user's with citations, at any depth: in search results and in the results of tools too."""
    for place, block in enumerate(_items(content)):
        at = f"{path}[{place}]"
        if block.get("type") == "text" and block.get("citations"):
            yield f"{at}.citations", f"a text of the user's cannot have citations {_REMEDY}"
        elif "content" in block:
            yield from _cited(block["content"], f"{at}.content")


def _items(value: Any) -> list[dict[str, Any]]:
    """The objects of a list, which may be no list, or hold something else: that is for whoever reads it to say."""
    if isinstance(value, dict):  # the API takes a single block too
        return [value]
    if not isinstance(value, list):
        return []
    return [item if isinstance(item, dict) else {} for item in value]
