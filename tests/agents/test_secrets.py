"""No secret is told to anyone it is not meant for, whatever becomes of a request (decision 3)."""

import base64
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.acceptance.speech import ANTHROPIC, CHAT, GEMINI, Speech
from tests.acceptance.stub import Answer, json_answer, sse_answer
from tests.agents.asking import Gateway, sent_headers
from tests.sdk.servers import Server, Stub, running, write_config
from tests.waiting import WAIT

MARK = "MARKED"
KEY = f"{MARK}-client-key"
WRONG = f"{MARK}-no-key-of-ours"
PROMPT = f"{MARK}-prompt"
"""Not a secret in the sense of a credential, but nothing for a log either."""


def _key(account: str) -> str:
    return f"{MARK}-key-of-{account}"


@attrs.define
class World:
    """A gateway whose every secret is marked, and all that its clients were told by it."""

    server: Server
    folder: Path
    stub: Stub
    told: list[bytes]

    def ask(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> int:
        """Ask as a client does; headers and body of the answer are kept."""
        answer = Gateway(self.server.port).ask(method, target, body, headers)
        self.told += [repr(answer.headers).encode(), answer.body]
        return answer.status

    def send(self, data: bytes) -> None:
        """Send bytes that need not be HTTP, and read until the gateway closes."""
        with socket.create_connection(("127.0.0.1", self.server.port), WAIT) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                self.told.append(answer.read())

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Everything that the gateway wrote and said, but what it was configured with."""
        for number, told in enumerate(self.told):
            yield f"answer {number}", told
        for file in self.folder.rglob("*"):
            if file.is_file() and file.name != "gephyr.toml":
                yield file.name, file.read_bytes()


@pytest.fixture
def world(tmp_path: Path, stub: Stub) -> Iterator[World]:
    """At debug level, with accounts that serve, fail and are reached by proxies that do not let them through."""
    mapping = {
        "server": {"max_body_size": 100_000, "expose_account": True},
        "auth": {"api_keys": [KEY]},
        "accounts": list(_accounts(stub)),
    }
    file = write_config(tmp_path, mapping)
    with running(tmp_path, "serve", "--config", str(file), "--log-level", "debug") as server:
        yield World(server, tmp_path, stub, [])


def _accounts(stub: Stub) -> Iterator[dict[str, Any]]:
    refused, http = stub.ports["refused"], stub.ports["http"]
    proxies = {"proxied-refused": f"http://user:{MARK}-proxy-password@127.0.0.1:{refused}"}
    proxies["proxied-socks"] = f"socks5h://user:{MARK}-proxy-password@127.0.0.1:{refused}"
    proxies["proxied-rejected"] = f"http://user:{MARK}-proxy-password@127.0.0.1:{http}"
    for name, provider in [
        ("claude", "anthropic"),
        ("chat", "openai"),
        ("gemini", "gemini"),
        *((name, "openai") for name in ("rejected-401", "rejected-403", "unreachable", *proxies)),
    ]:
        kind = "refused" if name == "unreachable" else "http"
        url = f"http://127.0.0.1:{stub.ports[kind]}/{name}"
        yield {
            "id": name,
            "provider": provider,
            "api_key": _key(name),
            "base_url": url.replace("http:", "https:") if name in proxies else url,
            "models": [name],
            **({"proxy": proxies[name]} if name in proxies else {}),
        }


STREAM = "/v1beta/models/gemini:streamGenerateContent?alt=sse"
CHAT_TARGET = "/v1/chat/completions"
_WAYS: list[tuple[str, dict[str, str]]] = [
    ("", {"Authorization": "Bearer {}"}),
    ("", {"Authorization": "bearer   {}"}),
    ("", {"Authorization": "{}"}),
    ("", {"x-api-key": "{}"}),
    ("", {"X-Goog-Api-Key": "{}"}),
    ("", {"api-key": "{}"}),
    ("key={}", {}),
    ("a=b&%6Be%79={}&c=d", {}),
    ("KEY={}", {}),
    ("key[]={}&a=b", {}),
    ("a=b;key={}", {}),
    ("access_token={}&api_key={}&token={}", {}),
    ("", {"Ocp-Apim-Subscription-Key": "{}"}),
    ("", {"x-api-key": "{}", "Cookie": "session={}", "Sec-WebSocket-Protocol": "a, openai-insecure-api-key.{}"}),
    ("key={}&key={}", {"Authorization": "Bearer {}", "x-api-key": "{}"}),
]
"""Every way to send a key: what stands in the query, and which headers."""


def _asked(speech: Speech) -> tuple[str, str, dict[str, Any]]:
    """The account, and target and body of a request for it that has the prompt."""
    if speech is GEMINI:
        return "gemini", STREAM, {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}
    messages = [{"role": "user", "content": PROMPT}]
    if speech is ANTHROPIC:
        return "claude", "/v1/messages", {"model": "claude", "stream": True, "max_tokens": 9, "messages": messages}
    return "chat", CHAT_TARGET, {"model": "chat", "messages": messages}


def test_no_secret_is_told_whatever_becomes_of_a_request(world: World) -> None:
    _ask_in_every_way(world)
    _ask_what_is_refused(world)
    _send_what_is_no_request(world)
    _ask_what_fails(world)
    _check_what_providers_saw(world)
    assert world.ask("GET", "/metrics", headers={"x-api-key": KEY}) == 200
    assert b"gephyr_requests" in world.told[-1]
    for kept, data in [*world.kept(), ("check", _check_command(world))]:
        assert _around_mark(data) == b"", kept
    world.server.stop()
    files = dict(world.kept())
    assert len(files) > 20
    assert any(data.startswith(b"SQLite format 3") for data in files.values())
    assert files["stderr"].count(b'"event":"request"') > 50
    assert b"Incorrect API key provided: [redacted]" in files["stderr"]
    for kept, data in files.items():
        assert _around_mark(data) == b"", kept


def _around_mark(data: bytes) -> bytes:
    """What stands around the first secret in *data*; empty if there is none."""
    at = data.find(MARK.encode())
    return b"" if at < 0 else data[max(0, at - 300) : at + 300]


def _ask_in_every_way(world: World) -> None:
    """With the right key, a wrong one and an empty one, in each dialect."""
    for speech in (CHAT, ANTHROPIC, GEMINI):
        account, target, body = _asked(speech)
        world.stub.script(account, speech.answer(stream=speech is not CHAT))
        for query, headers in _WAYS:
            for key, status in ((KEY, 200), (WRONG, 401), ("", 401)):
                joined = target + ("&" if "?" in target else "?") + query.replace("{}", key)
                filled = {name: value.format(key).strip() for name, value in headers.items()}
                more = {"Proxy-Authorization": f"Bearer {WRONG}", "Cookie": f"session={WRONG}"}
                assert world.ask("POST", joined, body, {**more, **filled}) == status, (joined, filled)


def _ask_what_is_refused(world: World) -> None:
    keys = {"Authorization": f"Bearer {KEY}", "x-goog-api-key": WRONG}
    query = f"?key={KEY}"
    _, _, body = _asked(CHAT)
    for status, method, target, sent, headers in [
        (404, "GET", f"/v1/nothing{query}", None, {}),
        (404, "POST", f"/v1beta/nothing{query}", body, {}),
        (405, "PUT", f"/v1/messages{query}", body, {}),
        (404, "GET", f"/v1/models/nothing{query}", None, {}),
        (404, "GET", f"/v1/responses/resp_1{query}", None, {}),
        (426, "GET", f"/v1/responses{query}", None, {"Connection": "Upgrade", "Upgrade": "websocket"}),
        (400, "POST", CHAT_TARGET, b'{"model": "chat", "messages": "' + PROMPT.encode(), {}),
        (400, "POST", CHAT_TARGET, {**body, "model": 7}, {}),
        (404, "POST", CHAT_TARGET, {**body, "model": "nothing"}, {}),
        (413, "POST", CHAT_TARGET, PROMPT.encode() * 10_000, {}),
        (415, "POST", CHAT_TARGET, body, {"Content-Encoding": "br"}),
        (400, "POST", CHAT_TARGET, PROMPT.encode(), {"Content-Encoding": "gzip"}),
    ]:
        assert world.ask(method, target, sent, {**keys, **headers}) == status, target


def _send_what_is_no_request(world: World) -> None:
    """Heads that break off, are too long or are none, with a key in each."""
    key = f"Authorization: Bearer {KEY}\r\n".encode()
    host = b"Host: gateway\r\n"
    line = f"POST /v1/messages?key={KEY} HTTP/1.1\r\n".encode()
    for data in [
        line + host + key[:-6],
        line + host + key.replace(b":", b"") + b"\r\n",
        line + host + b" " + key + b"\r\n",
        line + host + key * 2000 + b"\r\n",
        line.replace(b"1.1", b"9.9") + host + b"\r\n",
        line.replace(b"POST", b"P@ST") + host + b"\r\n",
        line.replace(b"/v1", f"http://user:{WRONG}@gateway/v1".encode()) + host + b"Content-Length: 0\r\n\r\n",
        line + host + key + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + PROMPT.encode(),
        line + host + key + b"Transfer-Encoding: chunked\r\n\r\n" + PROMPT.encode(),
        line + host + key + b"Content-Length: 900\r\n\r\n" + PROMPT.encode(),
        f"{KEY}\r\n\r\n".encode(),
    ]:
        world.send(data)


def _ask_what_fails(world: World) -> None:
    """Providers that fail in every way, one of which repeats the key it was sent; and proxies that do."""
    failures: list[tuple[int, Answer]] = [
        (500, json_answer({"error": {"message": "broken"}}, 500)),
        (400, json_answer({"error": {"message": "no"}}, 400)),
        (502, {"status": 302, "headers": [["Location", "http://127.0.0.1:1/"]], "body": ""}),
        (502, {"status": 0, "then": "reset"}),
        (502, {"raw64": base64.b64encode(b"SSH-2.0\r\n\r\n").decode(), "then": "close"}),
        (200, sse_answer(*CHAT.prelude, CHAT.content, then="reset")),
        (503, sse_answer(*CHAT.prelude, CHAT.error)),
        (429, json_answer({"error": {"message": "slow down"}}, 429, {"retry-after": "60"})),
        (429, CHAT.answer()),
    ]
    _, _, body = _asked(CHAT)
    for account in ("chat", "claude"):  # in the client's dialect, and translated
        for status, answer in _echoes(account):
            world.stub.script(account, answer)
            got = world.ask("POST", CHAT_TARGET, {**body, "model": account, "stream": True}, {"x-api-key": KEY})
            assert got == status, (answer, world.told[-1])
            assert "[redacted]" in world.told[-1].decode()
    for status, answer in failures:
        world.stub.script("chat", answer)
        got = world.ask("POST", CHAT_TARGET, {**body, "stream": True}, {"x-api-key": KEY})
        assert got == status, (answer, world.told[-1])
    for status in (401, 403):  # each on an account of its own, which is left alone afterwards
        account = f"rejected-{status}"
        echo = json_answer({"error": {"message": f"Incorrect API key provided: {_key(account)}"}}, status)
        world.stub.script(account, echo)
        for told in (502, 503):
            got = world.ask("POST", CHAT_TARGET, {**body, "model": account}, {"x-api-key": KEY})
            assert got == told, (account, world.told[-1])
    for account in ("unreachable", "proxied-refused", "proxied-socks", "proxied-rejected"):
        assert world.ask("POST", CHAT_TARGET, {**body, "model": account}, {"x-api-key": KEY}) == 502


def _echoes(account: str) -> Iterator[tuple[int, Answer]]:
    """Errors that repeat the account's key: refusals, with it in their heads too, and an event after content."""
    speech = CHAT if account == "chat" else ANTHROPIC
    error = {"type": "invalid_request_error", "message": f"no {_key(account)}"}
    told = {"type": "error", "error": error}
    for status in (400, 422):
        yield status, json_answer(told, status, {"x-echo": _key(account), "x-request-id": _key(account)})
    event = f"event: error\ndata: {json.dumps(told)}\n\n"
    yield 200, sse_answer(*speech.prelude, speech.content, event)


def _check_what_providers_saw(world: World) -> None:
    """The key of the account, once and in the header of its provider, and no other credential."""
    header = {"claude": ("x-api-key", "{}"), "chat": ("authorization", "Bearer {}"), "gemini": ("x-goog-api-key", "{}")}
    taken = world.stub.take()
    connects = [seen for seen in taken if seen["method"] == "CONNECT"]
    assert connects
    for seen in connects:
        assert MARK not in repr(seen["headers"]), "the proxy learns its own password, which is encoded, and no more"
    for seen in taken:
        if seen["method"] == "CONNECT":
            continue
        name, form = header.get(seen["account"], header["chat"])
        assert sent_headers(seen, name) == [form.format(_key(seen["account"]))]
        others = [pair for pair in seen["headers"] if pair[0].lower() != name]
        assert MARK not in seen["target"] + repr(others)


def _check_command(world: World) -> bytes:
    """What ``gephyr check`` says about the configuration."""
    program = "from gephyr.cli import main; main()"
    command = [sys.executable, "-c", program, "check", "--config", str(world.folder / "gephyr.toml")]
    done = subprocess.run(command, capture_output=True, check=True, timeout=WAIT)
    assert b"proxied-socks" in done.stdout
    return done.stdout + done.stderr
