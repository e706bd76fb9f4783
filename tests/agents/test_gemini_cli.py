"""What Gemini CLI, and other clients of Google's API, need of a gateway (``GOOGLE_GEMINI_BASE_URL``)."""

import json
from pathlib import Path

import pytest

from tests.acceptance.speech import CHAT, GEMINI
from tests.acceptance.stub import sse_answer
from tests.agents.asking import BEARER, KEY, Gateway, sent_body, sent_headers
from tests.sdk.servers import Stub, running, write_config

STREAM = "/v1beta/models/gemini-demo:streamGenerateContent?alt=sse"
EMPTY = {"x-goog-api-key": ""}


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (STREAM, {"x-goog-api-key": KEY}),
        (STREAM, {"Authorization": f"Bearer {KEY}"}),
        (f"{STREAM}&key={KEY}", {}),
        (STREAM.replace("?", f"?key={KEY}&"), {}),
        (STREAM.replace("?", f"?%6bey={KEY}&"), EMPTY),
    ],
)
def test_a_key_is_taken_wherever_it_stands_and_only_the_accounts_own_goes_on(
    gateway: Gateway, stub: Stub, target: str, headers: dict[str, str]
) -> None:
    stub.script("gemini", GEMINI.answer(stream=True))
    answer = gateway.ask("POST", target, GEMINI.request, {**headers, "User-Agent": "GeminiCLI/0.9/gemini-demo"})
    assert answer.status == 200
    assert answer.body == "".join([*GEMINI.prelude, GEMINI.content, *GEMINI.ending]).encode()
    [seen] = stub.take()
    assert seen["target"] == f"/gemini{STREAM}"
    assert sent_headers(seen, "x-goog-api-key") == ["credential-of-gemini"]
    assert sent_headers(seen, "authorization") == []
    assert sent_headers(seen, "user-agent")[0].startswith("GeminiCLI/0.9/gemini-demo")


@pytest.mark.parametrize("headers", [{}, EMPTY, {"Authorization": "Bearer "}])
def test_an_empty_key_is_refused_where_keys_are_asked_for(
    gateway: Gateway, stub: Stub, headers: dict[str, str]
) -> None:
    for target in (STREAM, f"{STREAM}&key="):
        answer = gateway.ask("POST", target, GEMINI.request, headers)
        assert (answer.status, answer.json["error"]["status"]) == (401, "UNAUTHENTICATED")
    assert stub.take() == []


def test_an_empty_key_is_accepted_where_auth_is_off(tmp_path: Path, stub: Stub) -> None:
    account = {"id": "only", "provider": "gemini", "api_key": "credential-of-only", "base_url": stub.url("only")}
    mapping = {"auth": {"mode": "off"}, "accounts": [account]}
    arguments = ("serve", "--config", str(write_config(tmp_path, mapping)), "--insecure-no-auth")
    stub.script("only", GEMINI.answer(stream=True))
    with running(tmp_path, *arguments) as server:
        for headers in ({}, EMPTY, {"Authorization": "Bearer "}, {"x-goog-api-key": "whatever"}):
            assert Gateway(server.port).ask("POST", STREAM, GEMINI.request, headers).status == 200
    assert [sent_headers(seen, "x-goog-api-key") for seen in stub.take()] == [["credential-of-only"]] * 4


@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent", "countTokens", "batchEmbedContents"])
@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("vendor/gemini:free", "vendor/gemini:free"),
        ("a:b/c:d", "a:b/c:d"),
        ("vendor%2Fgemini%3Afree", "vendor/gemini:free"),
    ],
)
def test_models_with_slashes_and_colons_are_found_in_paths(
    gateway: Gateway, stub: Stub, verb: str, asked: str, sent: str
) -> None:
    stub.script("gemini", GEMINI.answer())
    assert gateway.ask("POST", f"/v1beta/models/{asked}:{verb}", GEMINI.request).status == 200
    [seen] = stub.take()
    assert seen["target"] == f"/gemini/v1beta/models/{sent}:{verb}"


def test_models_with_slashes_and_colons_are_found_in_bodies(gateway: Gateway, stub: Stub) -> None:
    body = json.dumps({**CHAT.request, "model": "vendor/model:free"}).encode()
    stub.script("chat", CHAT.answer())
    assert gateway.ask("POST", "/v1/chat/completions", body).status == 200
    [seen] = stub.take()
    assert sent_body(seen) == body


def test_silence_is_bridged_by_blank_lines_and_never_by_comments(bridging: Gateway, stub: Stub) -> None:
    """Google's Python SDK takes a comment for an error."""
    stub.script("gemini", {"status": 0, "then": "stall"})
    with bridging.connected() as line:
        line.send("POST", STREAM, GEMINI.request)
        assert line.until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert [line.until(b"\r\n"), line.until(b"\r\n")] == [b"2\r\n", b"\n\n\r\n"], "a chunk of empty lines"


def test_a_provider_that_falls_silent_is_given_up_in_a_bare_object(impatient: Gateway, stub: Stub) -> None:
    """The one form on which Google's SDKs for Python and JavaScript both raise."""
    stub.script("gemini", sse_answer(*GEMINI.prelude, GEMINI.content, then="stall"))
    *lines, last = impatient.ask("POST", STREAM, GEMINI.request).body.decode().rstrip("\n").split("\n")
    assert [line[:6] for line in lines if line] == ["data: "] * (len(GEMINI.prelude) + 1)
    assert json.loads(last)["error"]["status"] == "DEADLINE_EXCEEDED"
    assert not any("error" in line for line in lines)


def test_thought_signatures_go_both_ways_unchanged(gateway: Gateway, stub: Stub) -> None:
    part = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "c2ln"}
    event = "data: " + json.dumps({"candidates": [{"content": {"role": "model", "parts": [part]}}]}) + "\r\n\r\n"
    stub.script("gemini", sse_answer(event))
    body = json.dumps({"contents": [{"role": "model", "parts": [part]}]}, indent=2).encode()
    assert gateway.ask("POST", STREAM, body, BEARER).body == event.encode()
    assert sent_body(stub.take()[0]) == body


def test_models_are_listed_in_the_shape_of_whoever_asks(gateway: Gateway) -> None:
    """Three dialects share ``/v1/models``; paths that nobody knows are told of in the client's dialect too."""
    google, anthropic = {**BEARER, "x-goog-api-client": "gl-node/22"}, {**BEARER, "anthropic-version": "2023-06-01"}
    listed = [gateway.ask("GET", "/v1/models", headers=headers).json for headers in (BEARER, google, anthropic)]
    assert listed[0]["object"] == "list"
    assert listed[1]["models"][0]["name"].startswith("models/")
    assert listed[2]["data"][0]["type"] == "model"
    errors = [gateway.ask("GET", "/v1/files", headers=headers).json for headers in (BEARER, google, anthropic)]
    assert errors[0]["error"]["code"] == "unknown_url"
    assert errors[1]["error"]["status"] == "NOT_FOUND"
    assert errors[2]["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(("query", "headers"), [("", {"x-goog-api-key": KEY}), (f"?key={KEY}", {})])
def test_a_client_that_shows_only_by_its_key_that_it_is_googles_gets_googles_answers(
    gateway: Gateway, query: str, headers: dict[str, str]
) -> None:
    """As a line of curl does, on paths that OpenAI's and Anthropic's APIs have too."""
    listed = gateway.ask("GET", f"/v1/models{query}", headers=headers)
    assert listed.json["models"][0]["name"].startswith("models/")
    name = listed.json["models"][0]["name"]
    assert gateway.ask("GET", f"/v1/{name}{query}", headers=headers).json["name"] == name
    for path in ("files", "batches/b", "agents/a"):
        answer = gateway.ask("GET", f"/v1/{path}{query}", headers=headers)
        assert (answer.status, answer.json["error"]["status"]) == (404, "NOT_FOUND")
    wrong = dict.fromkeys(headers, "wrong")
    refused = gateway.ask("GET", f"/v1/files{query.replace(KEY, 'wrong')}", headers=wrong)
    assert (refused.status, refused.json["error"]["status"]) == (401, "UNAUTHENTICATED")
