"""What can be a model's name, wherever one enters: in a body, in a path, in the configuration.

A name becomes a part of a URL's path at some providers, and the servers on the way there decode, normalise and shorten
paths in their own ways (RFC 3986 sections 5.2.4 and 6.2.2). So a name that any of them could read as more than a name
is none. `docs/configuration.md` shows the table of what is legal, with sources.
"""

import re
import unicodedata

MOST_CHARACTERS = 2048
"""Of a name: the longest `modelId` of the known APIs (Amazon Bedrock, InvokeModel)."""
_PLAIN = re.compile(r"[A-Za-z0-9_~@:,+=-][A-Za-z0-9_~@:,+=.-]*(?:/[A-Za-z0-9_~@:,+=-][A-Za-z0-9_~@:,+=.-]*)*")
"""Most names. They need no closer look."""
_NOT_ALLOWED = "?#%;\\"
"""They begin a query, a fragment, an escape or a path's parameters, or are a slash to some servers."""


def fault_of_name(name: str) -> str | None:
    """Say why *name* cannot be a model's name; None when it can."""
    if len(name) > MOST_CHARACTERS:
        return f"a model's name has at most {MOST_CHARACTERS} characters, got {len(name)}"
    if _PLAIN.fullmatch(name):
        return None
    if not name.strip():
        return "expected a model's name, got an empty string"
    if not name.isprintable():
        return "a model's name has no control characters or line breaks"
    read = unicodedata.normalize("NFKC", name)  # full-width dots and slashes are plain ones to some servers
    for character in _NOT_ALLOWED:
        if character in read:
            return f"a model's name has no {character!r}"
    # Dots and blanks at the end of a segment are nothing to some servers, so "..." and ".. " are steps up too.
    if any(segment and not segment.strip(". ") for segment in read.split("/")):
        return "a model's name has no '.' or '..' between slashes"
    return None
