"""The same configuration, seed, events and times give the same commands: a recorded log, played again and again."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from play import JSON, SSE, account

from gephyr_core.commands import Observe
from gephyr_core.config import AuthConfig, Config, CorsConfig, ModelsConfig, SecurityConfig
from gephyr_core.errors import Fault
from gephyr_core.events import (
    ClientBlocked,
    ClientGone,
    ClientReady,
    DrainRequested,
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    StateRestored,
    TimePassed,
    UpstreamBody,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamStarted,
)
from gephyr_core.faults import raise_again
from gephyr_core.gateway import Gateway
from gephyr_core.http import Header
from gephyr_core.records import Pin, RequestRecord

KEY = "5" * 64
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages?beta=true", "/v1/responses"
BUSY = b'{"type":"error","error":{"type":"rate_limit_error","message":"busy"}}'
CHUNK = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
RESPONSE = b'{"id":"resp_new","object":"response","status":"completed","output":[],"usage":{"input_tokens":1}}'

CONFIG = Config(
    accounts=(
        account("a", models=("gpt-*", "o3"), max_concurrency=2, organization="one"),
        account("b", priority=1, models=("gpt-*",)),
        account("c", models=("gpt-*",), organization="one"),
        account("d", "anthropic"),
        account("e", "anthropic"),
    ),
    auth=AuthConfig(mode="strict", api_keys=(KEY,)),
    cors=CorsConfig(origins=("https://app.example",)),
    security=SecurityConfig(block=("192.0.2.0/24",)),
    models=ModelsConfig(routes={"fast": ("openai/gpt-5-mini", "gpt-4o"), "claude-*": ("anthropic/claude-x",)}),
)


def request(number: int, target: str, body: bytes, *headers: Header) -> Iterator[Event]:
    """A whole request."""
    yield RequestStarted(number, "POST", target, [*JSON, *headers], (KEY,), "198.51.100.7")
    yield RequestBody(number, body[:5])
    yield RequestBody(number, body[5:])
    yield RequestEnded(number)


def reply(number: int, attempt: int, body: bytes, status: int = 200, *headers: Header) -> Iterator[Event]:
    """A provider's whole reply."""
    yield UpstreamStarted(number, attempt, status, [*JSON, *headers])
    yield UpstreamBody(number, attempt, body)
    yield UpstreamEnded(number, attempt)


def log() -> Iterator[tuple[float, Event]]:
    """What happened one day: each event a quarter of a second after the one before."""
    for number, event in enumerate(_events()):
        yield 1_000.0 + number / 4, event


def _events() -> Iterator[Event]:
    yield StateRestored((Pin(KEY, "resp_old", "c", "one", 1e9),))
    # a success
    yield from request(1, CHAT, b'{"model":"gpt-5","messages":[]}', (b"origin", b"https://app.example"))
    yield from reply(
        1, 1, b'{"id":"x","choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    )
    # two fail-overs: a mapped model, a limit, a broken connection
    yield from request(2, CHAT, b'{"model":"fast","messages":[]}', (b"session-id", b"s"))
    yield from reply(2, 1, BUSY, 429, (b"retry-after", b"30"))
    yield UpstreamFailed(2, 2, Fault.RESET, "connection reset")
    yield from reply(2, 3, b'{"id":"y","choices":[{"message":{"content":"hi"}}]}')
    # a stream beside another one whose client leaves; blocked for a while, silent for longer
    yield from request(3, MESSAGES, b'{"model":"claude-5","stream":true,"messages":[]}')
    yield from request(4, CHAT, b'{"model":"gpt-5","stream":true,"messages":[]}')
    yield UpstreamStarted(3, 1, 200, SSE)
    yield UpstreamStarted(4, 1, 200, SSE)
    yield UpstreamBody(3, 1, b'event: message_start\ndata: {"type":"message_start","message":{"id":"m"}}\n\n')
    yield UpstreamBody(4, 1, CHUNK + CHUNK[:20])
    yield ClientBlocked(4)
    yield UpstreamBody(3, 1, b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"del')
    yield ClientReady(4)
    yield UpstreamBody(4, 1, CHUNK[20:])
    yield ClientGone(4)
    yield UpstreamBody(4, 1, CHUNK)
    yield from [TimePassed()] * 60
    yield UpstreamBody(3, 1, b'ta":{"type":"text_delta","text":"Hi"}}\n\n')
    yield UpstreamFailed(3, 1, Fault.RESET, "connection reset")
    # a stored object, made, used and refused
    yield from request(5, RESPONSES, b'{"model":"gpt-5","input":"hi","previous_response_id":"resp_old"}')
    yield from reply(5, 1, RESPONSE)
    yield from request(6, RESPONSES, b'{"model":"gpt-5","input":"hi","previous_response_id":"resp_new"}')
    yield from reply(6, 1, RESPONSE.replace(b"new", b"newer"))
    yield RequestStarted(7, "GET", "/v1/responses/resp_unknown", [], (KEY,), "198.51.100.7")
    yield RequestEnded(7)
    # refusals of Gephyr's own, and the end
    yield RequestStarted(8, "GET", "/v1/models", [(b"anthropic-version", b"2023-06-01")], (KEY,), "198.51.100.7")
    yield RequestStarted(9, "GET", "/v1/models", [], (), "198.51.100.7")
    yield RequestStarted(10, "POST", CHAT, [], (KEY,), "192.0.2.1")
    yield from request(11, CHAT, b'{"model":"gpt-5","stream":true,"messages":[]}')
    yield DrainRequested()
    yield from [TimePassed()] * 60


def transcript(seed: int = 7) -> str:
    """Every command of the log, as text, with the deadline after each event."""
    gateway = Gateway(CONFIG, random.Random(seed), on_fault=raise_again)
    lines = []
    for now, event in log():
        lines += [f"{now} {command!r}" for command in gateway.receive(event, now)]
        lines.append(f"{now} until {gateway.deadline}")
    assert gateway.open_exchanges == gateway.open_leases == 0
    return "\n".join(lines)


def test_the_log_goes_through_what_matters() -> None:
    """Success, fail-over, a broken stream, a client that left, refusals, a shutdown: what is compared is worth it."""
    gateway = Gateway(CONFIG, random.Random(7), on_fault=raise_again)
    commands = [command for now, event in log() for command in gateway.receive(event, now)]
    facts = [command.fact for command in commands if isinstance(command, Observe)]
    records = [fact for fact in facts if isinstance(fact, RequestRecord)]
    assert [(record.outcome, record.status, len(record.attempts)) for record in records] == [
        ("ok", 200, 1),
        ("ok", 200, 3),
        ("client_gone", 200, 1),
        ("failed", 200, 1),
        ("ok", 200, 1),
        ("ok", 200, 1),
        ("refused", 404, 0),
        ("ok", 200, 0),
        ("refused", 401, 0),
        ("refused", 403, 0),
        ("aborted", 200, 1),
    ]
    assert [record.account for record in records[4:6]] == ["c", "c"]


def test_the_same_log_gives_the_same_commands() -> None:
    assert transcript() == transcript()


def test_chance_comes_from_the_seed_alone() -> None:
    assert transcript(7) != transcript(8)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_order_of_hashes_changes_nothing(hash_seed: str) -> None:
    """Another process, another ``PYTHONHASHSEED``: strings hash differently, sets have another order."""
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONIOENCODING": "utf-8"}
    played = subprocess.run(
        [sys.executable, Path(__file__)], env=environment, capture_output=True, check=False, timeout=60
    )
    assert played.stderr.decode() == ""
    assert played.stdout.decode().splitlines() == transcript().splitlines()


if __name__ == "__main__":
    sys.stdout.write(transcript())
