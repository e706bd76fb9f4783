"""What each version of Anthropic's API refuses that the other takes.

Sources: Anthropic's API reference, "Versions" and "Migrating to API version 2026-10-21"; published answers.
"""

from typing import Any

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.refusal import RefusalError, objects
from gephyr_core.http import Headers, header

OLDER, NEWER = "2023-06-01", "2026-10-21"


def check_version(given: Object, headers: Headers) -> None:
    """Raise :class:`RefusalError` where no version is stated, or one that the request does not follow."""
    stated = header(headers, b"anthropic-version")
    if stated is None:
        raise RefusalError("anthropic-version: header is required")
    version = stated.decode("latin-1")
    if version not in {OLDER, NEWER}:
        raise RefusalError(f"anthropic-version: {version!r} is not a valid version")
    if version == OLDER:
        return
    for field in ("temperature", "top_p", "top_k"):
        if field in given:
            raise RefusalError(f"{field}: Extra inputs are not permitted")
    for index, message in enumerate(objects(given.get("messages"))):
        path, content = f"messages.{index}.content", message.get("content")
        if message.get("role") == "user":
            _check_cited(content, path)
        for place, block in enumerate(objects(content)):
            if block.get("type") == "document" and message.get("role") == "assistant":
                raise RefusalError(f"{path}.{place}: `document` blocks can only be in `user` messages")


def _check_cited(content: Any, path: str) -> None:
    for place, block in enumerate(objects(content)):
        if block.get("type") == "text" and block.get("citations"):
            raise RefusalError(f"{path}.{place}.text.citations: Extra inputs are not permitted")
        _check_cited(block.get("content"), f"{path}.{place}.content")
