"""Pages of a browser call the gateway: what ``cors.origins`` names may, and nothing else.

A browser judges by rules that no other client has (Fetch standard, section 3.3), so a browser is asked.
"""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gephyr_core.errors import Fault
from gephyr_core.http import Header
from tests.asgi.test_app import make_app
from tests.asgi.test_uvicorn import hosted
from tests.browsers.chromium import Page, browsing, find_chromium
from tests.conformance.front_ends import ServerFrontEnd, account, configuration, serve_by_sockets
from tests.conformance.samples import CHAT, SAMPLES
from tests.conformance.talk import KEY
from tests.conformance.upstream import JSON, SSE, Reply, ScriptedUpstream

pytestmark = pytest.mark.anyio

_FRONT_ENDS = ("server", "uvicorn")
_SDK = {"content-type": "application/json", "x-stainless-os": "Linux", "x-stainless-retry-count": "0"}
_BEARER = {**_SDK, "authorization": f"Bearer {KEY}"}
_MESSAGES = {
    **_SDK,
    "x-api-key": KEY,
    "anthropic-version": "2023-06-01",
    "anthropic-dangerous-direct-browser-access": "true",
}
_GEMINI = {"content-type": "application/json", "x-goog-api-key": KEY, "x-goog-api-client": "google-genai-sdk/1.0"}
_OWN: Sequence[Header] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"x-nothing"),
    (b"x-request-id", b"req_upstream"),
    (b"x-ratelimit-remaining-requests", b"7"),
)
"""Headers of a provider that lets every page call it."""
_ACCOUNTS = [
    account("chat", models=["m"]),
    account("stream", models=["s"]),
    account("limited", models=["limited"]),
    account("down", models=["down"]),
    account("claude", "anthropic"),
    account("gemini", "gemini"),
]
_WHOLE = {sample.provider: sample for sample in SAMPLES if sample.name in {"chat", "anthropic", "gemini"}}


def _chat(model: str, **more: Any) -> str:
    return json.dumps({"model": model, "messages": [], **more})


def _request(name: str, path: str, body: str | None, headers: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "path": path, "method": "GET" if body is None else "POST", "body": body, "headers": headers}


_REQUESTS = [
    _request("chat", CHAT.path, _chat("m"), _BEARER),
    _request("stream", CHAT.path, _chat("s", stream=True), _BEARER),
    _request("messages", _WHOLE["anthropic"].path, _WHOLE["anthropic"].body.decode(), _MESSAGES),
    _request("gemini", _WHOLE["gemini"].path, _WHOLE["gemini"].body.decode(), _GEMINI),
    _request("models", "/v1/models", None, {"authorization": f"Bearer {KEY}"}),
    _request("401", CHAT.path, _chat("m"), {**_BEARER, "authorization": "Bearer wrong"}),
    _request("404", "/v1/nowhere", "{}", _BEARER),
    _request("400", CHAT.path, "{", _BEARER),
    _request("405", "/v1/models", "{}", _BEARER),
    _request("413", CHAT.path, _chat("m", user="x" * 3000), _BEARER),
    _request("429", CHAT.path, _chat("limited"), _BEARER),
    _request("502", CHAT.path, _chat("down"), _BEARER),
    {**_request("deleted", "/v1/responses/resp_1", None, {"authorization": f"Bearer {KEY}"}), "method": "DELETE"},
]
_SERVED = {"chat": 200, "stream": 200, "messages": 200, "gemini": 200, "models": 200, "deleted": 404}
_STATUSES = _SERVED | {name: int(name) for name in ("400", "401", "404", "405", "413", "429", "502")}


def _script(upstream: ScriptedUpstream) -> None:
    """Have the providers answer, with headers of their own for pages."""
    upstream.replies |= {
        "chat": Reply([CHAT.reply], [*JSON, *_OWN]),
        "stream": Reply([CHAT.prelude, CHAT.content, CHAT.ending], [*SSE, *_OWN]),
        "claude": Reply([_WHOLE["anthropic"].reply], [*JSON, *_OWN]),
        "gemini": Reply([_WHOLE["gemini"].reply], [*JSON, *_OWN]),
        "limited": Reply([b'{"error": {"message": "slow"}}'], [*JSON, *_OWN, (b"retry-after", b"30")], 429),
        "down": Fault.CONNECT,
    }


@contextlib.asynccontextmanager
async def _gateways(origin: str) -> AsyncIterator[dict[str, str]]:
    """Both front ends, for the pages of *origin*; their addresses."""
    mapping = configuration(_ACCOUNTS, cors={"origins": [origin]}, server={"max_body_size": 2000})
    app, upstream = make_app(mapping)
    async with serve_by_sockets(mapping) as front, hosted(app) as host:
        assert isinstance(front, ServerFrontEnd)
        _script(front.upstream)
        _script(upstream)
        yield {"server": f"http://127.0.0.1:{front.port}", "uvicorn": f"http://127.0.0.1:{host.port}"}


def _requests(gateways: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {**request, "name": f"{door} {request['name']}", "url": url + request["path"]}
        for door, url in gateways.items()
        for request in _REQUESTS
    ]


async def test_pages_call_the_gateway_from_an_origin_that_is_allowed_and_from_no_other(tmp_path: Path) -> None:
    """With keys in each SDK's header, whole and streamed; what is refused or fails can be read like what succeeds.

    All in one browser, because starting one takes longer than everything it does here.
    """
    find_chromium()
    async with Page().served() as stranger, Page(inner=stranger).served() as friend, _gateways(friend.origin) as doors:
        friend.requests = stranger.requests = _requests(doors)
        async with browsing(friend, tmp_path / "profile"):
            seen, unseen = await friend.findings(), await stranger.findings()
    for door in _FRONT_ENDS:
        assert {name: seen[f"{door} {name}"].get("status") for name in _STATUSES} == _STATUSES
        assert seen[f"{door} chat"]["text"].encode() == CHAT.reply
        assert seen[f"{door} stream"]["text"].encode() == CHAT.stream
        assert {"x-request-id", "x-gephyr-request-id"} <= {*seen[f"{door} chat"]["seen"]}
        assert "x-ratelimit-remaining-requests" in seen[f"{door} chat"]["seen"]
        assert "retry-after" in seen[f"{door} 429"]["seen"]
        assert "API key" in seen[f"{door} 401"]["text"]
    assert {finding.get("error") for finding in unseen.values()} == {"TypeError"}
    assert len(unseen) == len(_FRONT_ENDS) * len(_REQUESTS)
