"""Who may pass, and what is answered without a provider: every guard and every local path, as was approved."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from play import KEY, account

from gephyr_core.commands import AbortResponse, EndResponse, Observe, ReadBody, SendBody, StartResponse
from gephyr_core.config import (
    AuthConfig,
    Config,
    CorsConfig,
    ModelsConfig,
    SecurityConfig,
    ServerConfig,
)
from gephyr_core.events import DrainRequested, MetricsCollected, RequestBody, RequestEnded, RequestStarted
from gephyr_core.exchange.admission import error_dialect
from gephyr_core.gateway import Gateway
from gephyr_core.records import RequestRecord
from tests.approved import check_table

OFF = AuthConfig(mode="off")
CONFIGS: dict[str, dict[str, Any]] = {
    "open": {"auth": OFF},
    "strict": {"auth": AuthConfig(mode="strict", api_keys=(KEY,))},
    "all except health": {"auth": AuthConfig(mode="all_except_health", api_keys=(KEY,))},
    "strict without keys": {"auth": AuthConfig(mode="strict")},
    "for one page": {"auth": OFF, "cors": CorsConfig(origins=("https://page.test",))},
    "for all pages": {"auth": OFF, "cors": CorsConfig(origins=("*",))},
    "a network blocked": {"auth": OFF, "security": SecurityConfig(block=("10.0.0.0/8",))},
    "a network allowed": {"auth": OFF, "security": SecurityConfig(allow=("10.0.0.0/8",))},
    "behind a proxy": {"auth": OFF, "security": SecurityConfig(block=("10.0.0.0/8",), trusted_proxies=("127.0.0.1",))},
    "small": {"auth": OFF, "server": ServerConfig(max_body_size=10)},
    "little memory": {"auth": OFF, "server": ServerConfig(max_body_size=10, max_buffered_bytes=10)},
    "with models": {
        "auth": OFF,
        "models": ModelsConfig(routes={"exact": ("openai/x",), "wild*": ("openai/y",)}, list=("listed",)),
    },
    "stopping": {"auth": OFF},
    "without accounts": {"auth": OFF, "accounts": ()},
}
REQUESTS: tuple[tuple[str, str], ...] = (
    *(
        ("GET", "/health"),
        ("HEAD", "/health"),
        ("POST", "/health"),
        ("HEAD", "/"),
        ("GET", "/"),
        ("GET", "/metrics"),
        ("GET", "/odd"),
    ),
    *(
        ("GET", "/v1/models"),
        ("GET", "/v1beta/models"),
        ("GET", "/v1/models/exact"),
        ("GET", "/v1/models/wild1"),
        ("GET", "/v1/models/none"),
    ),
    *(
        ("GET", "/v1beta/models/listed"),
        ("GET", "/v1/models?limit=1"),
        ("GET", "/v1beta/models?pageSize=1"),
        ("GET", "/v1/responses"),
    ),
    *(
        ("POST", "/v1/chat/completions"),
        ("PUT", "/v1/chat/completions"),
        ("POST", "/v1/messages"),
        ("POST", "/v1beta/models/m:generateContent"),
    ),
    ("OPTIONS", "/v1/chat/completions"),
)
HEADERS: dict[str, list[tuple[bytes, bytes]]] = {
    "": [],
    "from a page": [
        (b"origin", b"https://page.test"),
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", b"x-a"),
    ],
    "from another page": [(b"origin", b"https://other.test"), (b"access-control-request-method", b"POST")],
    "for Anthropic": [(b"anthropic-version", b"2023-06-01")],
    "for Google": [(b"x-goog-api-client", b"x")],
    "a page for Google": [
        (b"origin", b"https://page.test"),
        (b"access-control-request-method", b"POST"),
        (b"access-control-request-headers", b"content-type, X-Goog-Api-Key"),
    ],
    "with a body": [(b"content-length", b"11"), (b"content-type", b"application/json")],
    "with an upgrade": [(b"connection", b"upgrade"), (b"upgrade", b"websocket")],
    "from behind": [(b"x-forwarded-for", b"10.1.2.3, 1.2.3.4")],
}
PEERS = ("127.0.0.1", "10.1.2.3", "::1", "")
SHOWN = (b"content-type", b"retry-after", b"allow", b"upgrade", b"vary", b"www-authenticate", b"x-should-retry")


def answered(
    name: str, method: str, target: str, headers: list[tuple[bytes, bytes]], keys: tuple[str, ...], peer: str
) -> str:
    """What is answered to a request's head, or to the whole of it."""
    settings = {"accounts": (account("a"), account("b", "anthropic", models=("claude",))), **CONFIGS[name]}
    gateway = Gateway(Config(**settings), random.Random(7))
    if name == "stopping":
        gateway.receive(DrainRequested(), 1000.0)
    told: list[str] = []
    events: list[Any] = [RequestStarted(1, method, target, list(headers), keys, peer)]
    for event in events:
        for command in gateway.receive(event, 1000.0):
            match command:
                case ReadBody():
                    told.append("reads the body")
                    events += (
                        [RequestBody(1, b"12345678901"), RequestEnded(1)]
                        if (b"content-length", b"11") in headers
                        else []
                    )
                case StartResponse(status=status, headers=sent):
                    shown = [
                        f"{key.decode()}: {value.decode()}"
                        for key, value in sent
                        if key in SHOWN or key.startswith(b"access")
                    ]
                    told.append(f"{status} {'; '.join(shown)}")
                case SendBody(data=data):
                    told.append(data.decode()[:200])
                case AbortResponse(reason=reason):
                    told.append(f"abort {reason}")
                case Observe(fact=RequestRecord() as record):
                    told.append(f"({record.operation} {record.dialect} {record.outcome} {record.error})")
                case EndResponse():
                    pass
                case _:
                    told.append(type(command).__name__)
                    events += [MetricsCollected(1, "text/plain", b"metrics")] if told[-1] == "CollectMetrics" else []
        if any(line[:3].isdigit() for line in told):
            break
    return " | ".join(told)


def lines(name: str) -> Iterator[str]:
    for method, target in REQUESTS:
        fates: dict[str, list[str]] = {}
        for (about, headers), (who, keys), peer in itertools.product(
            HEADERS.items(), (("", ()), ("a key", (KEY,)), ("a wrong key", ("1" * 64,))), PEERS
        ):
            if (who and "strict" not in name and "except" not in name) or (
                peer != "127.0.0.1" and about not in ("", "from behind")
            ):
                continue
            fate = answered(name, method, target, headers, keys, peer)
            fates.setdefault(fate, []).append(" ".join(word for word in (about, who, f"at {peer}") if word))
        yield f"## {method} {target}"
        yield from (f"{fate}: {', '.join(where)}" for fate, where in fates.items())


@pytest.mark.parametrize("name", CONFIGS)
def test_each_request_is_admitted_answered_or_refused_as_was_approved(name: str) -> None:
    check_table(f"admission-{name.replace(' ', '-')}", lines(name))


@pytest.mark.parametrize(
    ("target", "dialect"),
    [
        ("/v1/messages?x", "anthropic"),
        ("/v1beta/x", "gemini"),
        ("/v1/responses", "openai-responses"),
        ("/odd", "openai-chat"),
    ],
)
def test_errors_of_heads_that_cannot_be_read_are_told_in_the_paths_dialect(target: str, dialect: str) -> None:
    assert error_dialect(RequestStarted(1, "GET", target, [], (), "")) == dialect
