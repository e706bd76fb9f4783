"""Recorded exchanges made ready for the nets: as clients of any dialect ask, and as providers answer."""

import hashlib
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import attrs

from gephyr_core.config import (
    AccountConfig,
    AuthConfig,
    Config,
    ModelsConfig,
    ProviderConfig,
    SchedulingConfig,
    ServerConfig,
    TranslationConfig,
)
from gephyr_core.http import Header
from tests.nets.talking import Answer, Asked
from tests.replay.recordings import Exchange

DIALECT_OF = {
    "openai-chat": "openai-chat",
    "openai-completions": "openai-completions",
    "openai-responses": "openai-responses",
    "anthropic-messages": "anthropic",
    "gemini-generate": "gemini",
}
"""The files of recordings that hold replies of models, with the dialect of each."""
_JSON: tuple[Header, ...] = ((b"content-type", b"application/json"),)
_SLOW = (20.0,) * 6
"""Seconds before the first pieces of a slow reply: enough for keep-alives, not for a limit."""
_MOST_PIECES = 3_000


@attrs.frozen
class Provider:
    """What a request is sent to."""

    kind: str
    dialect: str = ""
    """The only one that it speaks; empty: those of its kind."""
    model: str = ""
    """The model that every name is mapped to; empty: names are left as they are."""

    def config(self, accounts: int = 1) -> Config:
        """A gateway of so many accounts there; each is asked when the one before it has failed."""
        return Config(
            accounts=tuple(
                AccountConfig(
                    id="abc"[number],
                    provider="there",
                    api_key=f"account:{number}",
                    base_url=f"https://{'abc'[number]}.test",
                    priority=-number,
                )
                for number in range(accounts)
            ),
            providers={"there": ProviderConfig(kind=self.kind, dialect=self.dialect)},
            auth=AuthConfig(mode="off"),
            server=ServerConfig(expose_account=True),
            models=ModelsConfig(routes={"*": (f"there/{self.model}",)} if self.model else {}),
            scheduling=SchedulingConfig(last_used_lock_seconds=0),
            translation=TranslationConfig(fetch_urls=True),
        )


TARGETS = {
    "openai-chat": Provider("openai", "openai-chat", "gpt-6-sol"),
    "openai-responses": Provider("openai", "openai-responses", "gpt-6-sol"),
    "anthropic": Provider("anthropic", "anthropic", "claude-opus-5-5"),
    "gemini": Provider("gemini", "gemini", "gemini-3-pro"),
    "older claude": Provider("anthropic", "anthropic", "claude-sonnet-4-5"),
    "older gemini": Provider("gemini", "gemini", "gemini-2.5-flash"),
    "older gpt": Provider("openai", "openai-chat", "gpt-4o"),
    "claude at openrouter": Provider("openrouter", "openai-chat", "anthropic/claude-sonnet-4.5"),
    "any": Provider("openai-compatible", "openai-chat", "some-model"),
}
"""Where requests are translated to; of a request's own dialect: with another model's name."""
DIALECTS = ("openai-chat", "openai-responses", "anthropic", "gemini")
"""Those that providers speak in a translation."""
MINIMAL: dict[str, tuple[str, dict[str, Any]]] = {
    "openai-chat": ("/v1/chat/completions", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    "openai-completions": ("/v1/completions", {"model": "m", "prompt": "hi"}),
    "openai-responses": ("/v1/responses", {"model": "m", "input": "hi"}),
    "anthropic": (
        "/v1/messages",
        {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]},
    ),
    "gemini": ("/v1beta/models/m:generateContent", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
}
"""A small request of each dialect."""


def own(exchange: Exchange, model: str = "") -> Provider:
    """The provider that a recorded request was made for."""
    return Provider(exchange.provider, "", model)


def asked(exchange: Exchange) -> Asked:
    """The request as it was recorded."""
    headers = tuple((name.lower().encode(), value.encode()) for name, value in exchange.headers.items())
    return Asked(exchange.method, exchange.target, headers, exchange.body)


def minimal(dialect: str) -> Asked:
    """A small request."""
    target, body = MINIMAL[dialect]
    return Asked("POST", target, _JSON, json.dumps(body).encode())


def with_stream(one: Asked, dialect: str, *, stream: bool) -> Asked:
    """The request, for a stream or for a whole reply."""
    if dialect == "gemini":
        path = one.target.partition("?")[0].rpartition(":")[0]
        return attrs.evolve(one, target=path + (":streamGenerateContent?alt=sse" if stream else ":generateContent"))
    body = json.loads(one.body)
    body.pop("stream_options", None)
    body["stream"] = stream
    if stream and dialect == "openai-chat":
        body["stream_options"] = {"include_usage": True}
    return attrs.evolve(one, body=json.dumps(body, ensure_ascii=False).encode())


def digest(text: str) -> str:
    """By which an encrypted item or a signature is known to the gateway."""
    return hashlib.sha256(text.encode()).hexdigest()


def signatures(exchange: Exchange) -> list[str]:
    """The signatures of thinking in a request for Anthropic."""
    return re.findall(r'"signature": ?"([A-Za-z0-9+/=_-]+)"', exchange.body.decode())


# -- replies ----------------------------------------------------------------------------------------------------------


def head(exchange: Exchange) -> tuple[Header, ...]:
    """The headers of the recorded reply."""
    return tuple((name.lower().encode(), value.encode()) for name, value in exchange.reply_headers.items())


def cuttings(exchange: Exchange) -> Iterator[tuple[str, Answer]]:
    """The recorded reply, cut in each way."""
    status, headers, reply = exchange.status, head(exchange), exchange.reply
    parts = events(reply)
    half = (len(parts) + 1) // 2
    yield "in one piece", Answer(status, headers, [reply])
    yield "in small pieces", Answer(status, headers, small(reply, exchange.seed))
    yield "event by event, slowly at first", Answer(status, headers, parts, _SLOW)
    yield "broken off half way", Answer(status, headers, parts[:half], breaks=True)
    yield "with a client that leaves half way", Answer(status, headers, parts[:half], client_leaves=True)


def small(data: bytes, seed: int) -> list[bytes]:
    """Pieces of one to forty bytes; larger ones of what is large."""
    rng = random.Random(seed)
    most = max(40, 2 * len(data) // _MOST_PIECES)
    pieces, at = [], 0
    while at < len(data):
        size = rng.randint(1, most)
        pieces.append(data[at : at + size])
        at += size
    return pieces


def events(data: bytes) -> list[bytes]:
    """The events of a stream; the lines of what is none, or its halves."""
    found = re.findall(rb".+?(?:\r?\n\r?\n|\Z)|.+", data, re.DOTALL)
    if len(found) < 3:
        third = max(1, len(data) // 3)
        found = [data[at : at + third] for at in range(0, len(data), third)]
    return found
