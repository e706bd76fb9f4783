"""Facts made by hand, for the tests of reports."""

from gephyr_core.config import AccountConfig
from gephyr_core.records import AttemptRecord, RequestRecord, Usage

BEGIN = 1_800_000_000.0


def account(name: str, **settings: object) -> AccountConfig:
    """An account of a configuration."""
    return AccountConfig(id=name, provider="openai", **settings)


def attempt(account: str = "a", **values: object) -> AttemptRecord:
    """A call that went well, one second after the begin."""
    given: dict[str, object] = {
        "attempt": 1,
        "account": account,
        "model": "gpt-5",
        "outcome": "ok",
        "status": 200,
        "detail": "",
        "started_at": BEGIN + 1.0,
        "duration": 2.0,
        "rule": "best_of_two",
        "route": "direct",
    }
    return AttemptRecord(**(given | values))


def request(*attempts: AttemptRecord, **values: object) -> RequestRecord:
    """A request that was answered well, one second after the begin."""
    given: dict[str, object] = {
        "request_id": "r",
        "operation": "chat.completions",
        "dialect": "openai-chat",
        "method": "POST",
        "model_asked": "gpt-5",
        "model_served": "gpt-5",
        "account": attempts[-1].account if attempts else None,
        "stream": True,
        "status": 200,
        "outcome": "ok",
        "error": None,
        "attempts": attempts,
        "bytes_in": 100,
        "bytes_out": 100,
        "usage": Usage(input=100, cached=50, output=10) if attempts else None,
        "started_at": BEGIN + 1.0,
        "first_byte": 0.5,
        "duration": 2.0,
    }
    return RequestRecord(**(given | values))


def refused(**values: object) -> RequestRecord:
    """A request that Gephyr refused, since every account was at its limit."""
    given: dict[str, object] = {"status": 429, "outcome": "refused", "error": "rate_limit", "first_byte": None}
    return request(**(given | values))
