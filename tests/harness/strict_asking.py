"""Asking a strict provider in a test: one request changed in one place, and what it says."""

import copy
from typing import Any

import msgspec

from gephyr.harness.strict import StrictProvider
from gephyr.harness.strict.script import TOOLS
from tests.harness.asking import NOW, Got

VERSION = ((b"anthropic-version", b"2023-06-01"),)
NEWER = ((b"anthropic-version", b"2026-10-21"),)
DELETED = object()
"""A value that takes its field away."""


def changed(body: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """*body* with some top-level fields set, or taken away."""
    made = copy.deepcopy(body) | changes
    return {name: value for name, value in made.items() if value is not DELETED}


def ask(provider: StrictProvider, target: str, body: object, headers: Any = None, method: str = "POST") -> Got:
    """Send *body* as JSON and read the reply to its end; Anthropic's header goes with its paths."""
    if headers is None:
        headers = VERSION if target.startswith("/v1/messages") else ()
    reply = provider.respond(method, target, headers, msgspec.json.encode(body), NOW)
    return Got(reply.status, dict(reply.headers), [data for _, data in reply.pieces], [])


def refusal(target: str, body: object, headers: Any = None) -> str:
    """What a provider answers to a request that it refuses with 400; empty for one that it takes."""
    got = ask(StrictProvider(), target, body, headers)
    if got.status == 200:
        return ""
    assert got.status == 400, got.body
    message: str = got.json["error"]["message"]
    return message


def schemas() -> list[tuple[str, str, dict[str, Any]]]:
    """The script's tools: names, descriptions, schemas."""
    return [(name, description, schema) for name, (description, schema) in TOOLS.items()]
