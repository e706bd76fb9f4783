"""Whether a request or reply is read in place or by a job makes no difference to anybody but those who wait."""

import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gephyr_core.commands import CallUpstream, Command, Compute
from gephyr_core.computing import answer
from gephyr_core.config import AccountConfig, AuthConfig, Config
from gephyr_core.events import (
    Event,
    RequestBody,
    RequestEnded,
    RequestStarted,
    UpstreamBody,
    UpstreamEnded,
    UpstreamStarted,
)
from gephyr_core.faults import raise_again
from gephyr_core.gateway import Gateway
from tests.translation.recorded import DIALECTS, Recording, recordings

pytestmark = pytest.mark.recordings
PROVIDERS = {"openai-chat": "deepseek", "openai-responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
"""A provider of each dialect; OpenAI's account is asked in Responses by clients of Responses, and of others in Chat."""
PATHS = {"openai-chat": "/v1/chat/completions", "openai-responses": "/v1/responses", "anthropic": "/v1/messages"}
JSON, SSE = [(b"content-type", b"application/json")], [(b"content-type", b"text/event-stream")]


def path_of(request: Recording) -> str:
    """The path that the request was sent to."""
    if request.dialect == "gemini":
        method = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        return f"/v1beta/models/m:{method}"
    return PATHS[request.dialect]


def reply_of(call: CallUpstream) -> str:
    """The dialect that a provider was asked in."""
    for dialect, path in PATHS.items():
        if call.target.endswith(path):
            return dialect
    return "gemini"


def happened(request: Recording, provider: str, pick: int, heavy: float) -> tuple[list[Command], list[Compute]]:
    """Play a request and the reply of *provider* to it; return what the gateway wanted done, and the jobs apart."""
    account = AccountConfig(id="a", provider=provider, api_key="account:a", models=("*",), base_url="https://a.test")
    gateway = Gateway(
        Config(accounts=(account,), auth=AuthConfig(mode="off")), random.Random(3), heavy=heavy, on_fault=raise_again
    )
    wanted: list[Command] = []
    jobs: list[Compute] = []

    def feed(event: Event) -> None:
        for command in gateway.receive(event, 1_800_000_000.0):
            if isinstance(command, Compute):
                jobs.append(command)
                feed(answer(command))
            else:
                wanted.append(command)

    feed(RequestStarted(1, "POST", path_of(request), JSON, (), "127.0.0.1"))
    feed(RequestBody(1, request.request))
    feed(RequestEnded(1))
    call = wanted[-1]
    if isinstance(call, CallUpstream):
        possible = recordings(reply_of(call))
        reply = possible[pick % len(possible)]
        feed(UpstreamStarted(1, call.attempt, 200, SSE if reply.streamed else JSON))
        for piece in pieces(reply.reply):
            feed(UpstreamBody(1, call.attempt, piece))
        if gateway.open_exchanges:
            feed(UpstreamEnded(1, call.attempt))
    return wanted, jobs


def pieces(data: bytes) -> Iterator[bytes]:
    """A reply as it may come."""
    for at in range(0, len(data), 5000):
        yield data[at : at + 5000]


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("source", DIALECTS)
@settings(max_examples=12, deadline=None)
@given(number=st.integers(0, 10_000), pick=st.integers(0, 10_000))
def test_jobs_change_nothing_that_goes_out(source: str, target: str, number: int, pick: int) -> None:
    """Everything computed by jobs, and nothing: the same calls, the same bytes for the client, the same record."""
    possible = recordings(source)
    request = possible[number % len(possible)]
    provider = PROVIDERS[target]
    by_jobs, jobs = happened(request, provider, pick, 0.0)
    in_place, none = happened(request, provider, pick, math.inf)
    assert jobs
    assert not none
    assert by_jobs == in_place
