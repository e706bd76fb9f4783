"""Whose client asks on a path that several vendors have: it gets answers that its SDK can read."""

from typing import Any

import msgspec
import pytest

from gephyr_core.commands import EndResponse, SendBody, StartResponse
from gephyr_core.events import DrainRequested
from gephyr_core.http import Header
from gephyr_core.routing.asking import dialect_of_client, dialect_told
from tests.core.play import Play, account

CHAT, ANTHROPIC, GEMINI = "openai-chat", "anthropic", "gemini"
OLD, NEW = (b"anthropic-version", b"2023-06-01"), (b"anthropic-version", b"2026-10-21")
GOOGLE = (b"x-goog-api-client", b"google-genai-sdk/3.6.1 gl-python/3.11.7")
BEARER, X_API_KEY, X_GOOG, QUERY = ("authorization",), ("x-api-key",), ("x-goog-api-key",), ("key",)

CLIENTS: dict[str, tuple[list[Header], tuple[str, ...], str]] = {
    "openai 3": ([], BEARER, CHAT),
    "Azure's": ([], ("api-key",), CHAT),
    "anthropic 2": ([NEW], BEARER, ANTHROPIC),
    "anthropic 0.75": ([OLD], X_API_KEY, ANTHROPIC),
    "Claude Code with two keys": ([OLD], (*BEARER, *X_API_KEY), ANTHROPIC),
    "google-genai": ([GOOGLE], X_GOOG, GEMINI),
    "google-genai through a proxy that takes Bearers": ([GOOGLE], BEARER, GEMINI),
    "curl with Google's header": ([], X_GOOG, GEMINI),
    "curl with Google's parameter": ([], QUERY, GEMINI),
    "a page of Anthropic's": ([NEW, GOOGLE], X_GOOG, ANTHROPIC),
}
SHARED = ("models", "files", "agents", "batches", "decisions", "skills", "vaults", "environments")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_is_known_by_what_only_its_vendors_clients_send(client: str) -> None:
    headers, names, dialect = CLIENTS[client]
    assert (dialect_told(headers, names) or CHAT) == dialect


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("below", ["", "/x_1", "/x_1/content"])
def test_on_a_shared_path_the_client_decides(client: str, name: str, below: str) -> None:
    headers, names, dialect = CLIENTS[client]
    assert dialect_of_client(f"/v1/{name}{below}", headers, names) == dialect


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/messages/batches", ANTHROPIC),
        ("/v1/sessions/s/events", ANTHROPIC),
        ("/v1/cachedContents/c", GEMINI),
        ("/v1beta/files", GEMINI),
        ("/upload/v1/files", GEMINI),
        ("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", GEMINI),
        ("/v1/chat/completions/c", CHAT),
        ("/v1/conversations/c/x", "openai-responses"),
    ],
)
def test_what_one_vendor_alone_has_is_told_by_its_path(client: str, path: str, dialect: str) -> None:
    headers, names, _ = CLIENTS[client]
    assert dialect_of_client(path, headers, names) == dialect


def decoded(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any])


ERRORS = {
    CHAT: lambda told: told["error"]["type"] == "invalid_request_error",
    ANTHROPIC: lambda told: told["type"] == "error",
    GEMINI: lambda told: isinstance(told["error"]["code"], int),
}
MODELS = {
    CHAT: lambda told: told["object"] in {"list", "model"},
    ANTHROPIC: lambda told: "data" in told or told["type"] == "model",
    GEMINI: lambda told: "models" in told or told["name"] == "models/m",
}


@pytest.mark.parametrize("client", CLIENTS)
def test_lists_and_refusals_are_what_the_clients_sdk_reads(client: str) -> None:
    """Models, one model, a model that is not served, another method, and paths that nobody serves."""
    headers, names, dialect = CLIENTS[client]
    play = Play(account("a", models=("m",)))
    for target in ("/v1/models", "/v1/models/m"):
        play.start(target, method="GET", headers=headers, key_names=names)
        start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
        assert (start.status, MODELS[dialect](decoded(sent.data))) == (200, True), sent.data
    for method, target, status in (
        ("GET", "/v1/models/n", 404),
        ("DELETE", "/v1/models/m", 405),
        *(("POST", f"/v1/{name}", 405 if name == "models" else 404) for name in SHARED),
    ):
        play.start(target, method=method, headers=headers, key_names=names)
        start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
        assert (start.status, ERRORS[dialect](decoded(sent.data))) == (status, True), sent.data


@pytest.mark.parametrize(
    ("announced", "dialect"),
    [
        (b"authorization,anthropic-version,content-type", ANTHROPIC),
        (b"Content-Type, X-Goog-Api-Key", GEMINI),
        (b"x-goog-api-client", GEMINI),
        (b"authorization", CHAT),
    ],
)
def test_a_page_that_asks_first_is_known_by_the_headers_it_announces(announced: bytes, dialect: str) -> None:
    """A browser's own question has none of the headers that the page is going to send."""
    play = Play(account("a"))
    play.feed(DrainRequested())
    play.unclaimed = []
    play.start("/v1/files", method="OPTIONS", headers=[(b"access-control-request-headers", announced)])
    start, sent, _ = play.expect(StartResponse, SendBody, EndResponse)
    assert start.status == 503
    assert DRAINING[dialect](decoded(sent.data))


DRAINING = {**ERRORS, CHAT: lambda told: told["error"]["type"] == "server_error"}
