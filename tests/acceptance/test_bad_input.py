"""Bad input over the wire: a 4xx in the dialect of the path, naming the field, on a connection that stays usable."""

import json
from typing import Any

import attrs
import pytest

from tests.acceptance.client import Client, Response, connected
from tests.acceptance.gateway import account, configuration, gateway
from tests.acceptance.speech import ANTHROPIC, CHAT, GEMINI, RESPONSES, SPEECHES, Speech
from tests.acceptance.stub import Stub

pytestmark = pytest.mark.anyio

_MAX_BODY = 50_000
_DEEP = b'{"model": "m", "messages": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"


@attrs.frozen
class Bad:
    """A bad request, and what is answered."""

    body: bytes
    status: int
    names: str
    """What the message has to name."""
    param: str | None = None
    """The field, where the dialect has a place for it."""
    code: str | None = None


BODIES = {
    "malformed": Bad(b'{"model": "m", "messages": [', 400, "JSON"),
    "no-object": Bad(b'["model"]', 400, "JSON object"),
    "empty": Bad(b"", 400, "JSON"),
    "invalid-utf8": Bad(b'{"model": "m", "messages": "\xff\xfe"}', 400, "UTF-8"),
    "utf16": Bad('{"model": "m"}'.encode("utf-16"), 400, "UTF-8"),
    "too-deep": Bad(_DEEP, 400, "nested too deeply"),
    "nan": Bad(b'{"model": "m", "temperature": NaN}', 400, "JSON"),
    "infinity": Bad(b'{"model": "m", "temperature": -Infinity}', 400, "JSON"),
    "too-large": Bad(b'{"model": "%b"}' % (b"m" * _MAX_BODY), 413, str(_MAX_BODY)),
}
"""Bodies that every dialect refuses."""
MODELS = {
    "no-model": Bad(b'{"stream": true}', 400, "model", "model"),
    "model-number": Bad(b'{"model": 7}', 400, "model", "model"),
    "model-null": Bad(b'{"model": null}', 400, "model", "model"),
    "model-empty": Bad(b'{"model": ""}', 400, "model", "model"),
    "unknown-model": Bad(b'{"model": "unheard-of"}', 404, "unheard-of", "model", "model_not_found"),
    "model-twice": Bad(b'{"model": "m", "model": "other"}', 400, "model: the field stands twice", "model"),
    "model-twice-escaped": Bad(b'{"model": "m", "mod\\u0065l": "other"}', 400, "model: the field", "model"),
    "stream-twice": Bad(b'{"model": "m", "stream": true, "stream": false}', 400, "stream: the field", "stream"),
    "stream-text": Bad(b'{"model": "m", "stream": "yes"}', 400, "stream: expected a boolean", "stream"),
}
"""Bodies that the dialects refuse whose model is in the body."""
_BODY_DIALECTS = (CHAT, RESPONSES, ANTHROPIC)
CASES = [(speech, name) for name in BODIES for speech in SPEECHES]
CASES += [(speech, name) for name in MODELS for speech in _BODY_DIALECTS]


@pytest.mark.parametrize(("speech", "name"), CASES, ids=lambda part: part if isinstance(part, str) else part.name)
async def test_a_bad_body_is_refused_by_name_and_the_connection_stays(stub: Stub, speech: Speech, name: str) -> None:
    bad = (BODIES | MODELS)[name]
    async with gateway(_settings(stub)) as world, connected(world.port) as client:
        response = await client.ask("POST", speech.target, bad.body)
        _check(speech, response, bad)
        await _still_usable(stub, client, speech)


@pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)
async def test_a_wrong_path_or_method_is_told_in_the_dialect_of_the_path(stub: Stub, speech: Speech) -> None:
    unknown = "/v1beta/unheard-of" if speech is GEMINI else f"{speech.target}/unheard-of/of"
    async with gateway(_settings(stub)) as world, connected(world.port) as client:
        response = await client.ask("POST", unknown, speech.body())
        _check(speech, response, Bad(b"", 404, "unheard-of"))
        response = await client.ask("PUT", speech.target, speech.body())
        _check(speech, response, Bad(b"", 405, "POST"))
        assert "POST" in (response.header("allow") or "")
        await _still_usable(stub, client, speech)


@pytest.mark.parametrize("speech", SPEECHES, ids=lambda speech: speech.name)
@pytest.mark.parametrize("key", ["", "Bearer wrong", "Basic d3Jvbmc6d3Jvbmc="])
async def test_a_missing_or_wrong_key_is_401_in_the_dialect(stub: Stub, speech: Speech, key: str) -> None:
    async with gateway(_settings(stub)) as world, connected(world.port) as client:
        response = await client.ask("POST", speech.target, speech.body(), {"Authorization": key})
        _check(speech, response, Bad(b"", 401, "API key", code="invalid_api_key"))
        await _still_usable(stub, client, speech)


async def test_an_unknown_gemini_model_is_404_naming_it(stub: Stub) -> None:
    async with gateway(_settings(stub)) as world, connected(world.port) as client:
        response = await client.ask("POST", "/v1beta/models/unheard-of:generateContent", GEMINI.body())
        _check(GEMINI, response, Bad(b"", 404, "unheard-of"))
        await _still_usable(stub, client, GEMINI)


def _settings(stub: Stub) -> dict[str, Any]:
    names = ("openai", "anthropic", "gemini")
    accounts = [account(name, stub.url(name), name, models=["m"]) for name in names]
    return configuration(accounts, server={"max_body_size": _MAX_BODY})


async def _still_usable(stub: Stub, client: Client, speech: Speech) -> None:
    await stub.script(speech.provider, speech.answer())
    response = await client.ask("POST", speech.target, speech.body())
    assert (response.status, json.loads(response.body)) == (200, speech.whole)
    assert (await stub.count())["requests"] == 1, "something bad reached the provider"


_KINDS = {
    "anthropic": {
        400: "invalid_request_error",
        401: "authentication_error",
        404: "not_found_error",
        405: "invalid_request_error",
        413: "request_too_large",
    },
    "gemini": {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND"},
}
"""The kinds that ``docs/mapping.md#errors`` has for a status."""


def _check(speech: Speech, response: Response, bad: Bad) -> None:
    told = json.loads(response.body)
    error = told["error"]
    assert (response.status, response.header("content-type")) == (bad.status, "application/json"), told
    assert bad.names in error["message"]
    assert response.header("connection") != "close"
    if speech.name == "anthropic":
        assert (told["type"], error["type"]) == ("error", _KINDS["anthropic"][bad.status])
        assert told["request_id"] == response.header("x-request-id")
    elif speech.name == "gemini":
        assert error["code"] == bad.status
        assert error["status"] == _KINDS["gemini"].get(bad.status, error["status"])
    else:
        assert error["type"] == "invalid_request_error"
        assert (error["param"], error["code"]) == (bad.param, bad.code or error["code"])  # a code of its own, or any
