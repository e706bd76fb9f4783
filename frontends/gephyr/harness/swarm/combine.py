"""Scenarios at random: accounts, limits, modes, clients and faults, combined as nobody would think of."""

import random
from typing import Any

_PROVIDERS = ("openai", "anthropic", "gemini", "openai-compatible")
_DIALECTS = {
    "openai": "openai-chat",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "openai-compatible": "openai-chat",
}
_MODELS = {
    "openai": ("gpt-5.2", "gpt-5-mini"),
    "anthropic": ("claude-sonnet-5", "claude-opus-5-5"),
    "gemini": ("gemini-3-pro", "gemini-2.5-flash"),
    "openai-compatible": ("local-model",),
}
_FAULTS = (
    *("outage", "brownout", "error_status", "rate_limit_storm", "reset_before_head", "reset_in_stream", "stall"),
    *("html_page", "revoked_token", "token_endpoint_down"),
)
_STATUSES = (400, 401, 402, 403, 404, 408, 429, 500, 502, 503, 529)


def combined(seed: int) -> dict[str, Any]:
    """Return a scenario, as a file would hold it: a few minutes, some hundred requests."""
    rng = random.Random(f"swarm {seed}")
    minutes = rng.choice((2, 5, 10))
    kinds = rng.sample(_PROVIDERS, rng.choice((1, 1, 2)))
    accounts = [_account(rng, kind, number) for kind in kinds for number in range(rng.choice((1, 2, 3, 5)))]
    gateway: dict[str, Any] = {"accounts": accounts, "scheduling": _scheduling(rng, accounts)}
    gateway["upstream"] = {
        "first_byte_timeout": rng.choice((5, 30, 120)),
        "idle_timeout": rng.choice((5, 30, 120)),
        "total_timeout": rng.choice((60, 600)),
        "max_attempts": rng.choice((1, 2, 4, 8)),
    }
    if rng.random() < 0.4:
        gateway["compliance"] = _compliance(rng)
    proxies: list[str] = []
    if rng.random() < 0.3:
        gateway["proxy_pool"], proxies = _proxy_pool(rng)
    scenario: dict[str, Any] = {
        "scenario": {"name": f"swarm {seed}", "duration": minutes * 60},
        "gateway": gateway,
        "providers": [_provider(rng)],
        "workloads": [_workload(rng, kind) for kind in kinds],
        "clients": {"retries": rng.choice((0, 2)), "after_failure": rng.choice(("end", "go_on"))},
        "faults": [_fault(rng, accounts, proxies, minutes * 60) for _ in range(rng.choice((0, 1, 2, 4)))],
    }
    if rng.random() < 0.3:
        scenario["changes"] = _changes(rng, accounts, minutes * 60)
    return scenario


def _maybe(rng: random.Random, table: dict[str, Any], share: float, name: str, *values: Any) -> None:
    if rng.random() < share:
        table[name] = rng.choice(values)


def _account(rng: random.Random, kind: str, number: int) -> dict[str, Any]:
    account: dict[str, Any] = {"id": f"{kind}-{number}", "provider": kind}
    if kind == "openai-compatible":
        account["base_url"] = "http://models.invalid"
    if kind == "openai" and rng.random() < 0.3:
        account["oauth"] = {"token_url": "https://tokens.invalid/", "client_id": "swarm"}
    _maybe(rng, account, 0.5, "max_concurrency", 1, 2, 5)
    _maybe(rng, account, 0.4, "requests_per_minute", 1, 3, 20, 60)
    _maybe(rng, account, 0.2, "tokens_per_minute", 2000, 50000)
    _maybe(rng, account, 0.3, "priority", -1, 1)
    _maybe(rng, account, 0.3, "weight", 2, 10)
    _maybe(rng, account, 0.3, "organization", "acme")
    return account


def _scheduling(rng: random.Random, accounts: list[dict[str, Any]]) -> dict[str, Any]:
    scheduling: dict[str, Any] = {"mode": rng.choice(("balance", "cache_first", "performance_first"))}
    _maybe(rng, scheduling, 0.5, "max_wait_seconds", 0, 1, 10)
    _maybe(rng, scheduling, 0.5, "acquire_timeout", 0, 1, 30)
    _maybe(rng, scheduling, 0.3, "preferred_account", *(account["id"] for account in accounts))
    _maybe(rng, scheduling, 0.4, "last_used_lock_seconds", 0, 5)
    _maybe(rng, scheduling, 0.3, "binding_idle_seconds", 5, 60)
    _maybe(rng, scheduling, 0.3, "max_bindings", 1, 5)
    return scheduling


def _compliance(rng: random.Random) -> dict[str, Any]:
    compliance: dict[str, Any] = {"enabled": True}
    _maybe(rng, compliance, 0.5, "max_global_requests_per_minute", 2, 20, 100)
    _maybe(rng, compliance, 0.5, "max_account_requests_per_minute", 1, 10)
    _maybe(rng, compliance, 0.5, "max_account_concurrency", 1, 3)
    _maybe(rng, compliance, 0.5, "risk_cooldown_seconds", 1, 30)
    _maybe(rng, compliance, 0.5, "max_retry_attempts", 0, 1, 3)
    return compliance


def _proxy_pool(rng: random.Random) -> tuple[dict[str, Any], list[str]]:
    names = [f"proxy-{number}" for number in range(rng.choice((1, 2, 4)))]
    strategies = ("round_robin", "random", "priority", "least_connections", "weighted_round_robin")
    pool: dict[str, Any] = {
        "enabled": True,
        "strategy": rng.choice(strategies),
        "proxies": [{"id": name, "url": "http://proxy.invalid", "priority": rng.choice((0, 5))} for name in names],
        "require_proxy_for_account_requests": rng.random() < 0.5,
        "auto_failover": rng.random() < 0.7,
    }
    _maybe(rng, pool, 0.5, "health_check_url", "https://check.invalid/")
    return pool, names


def _provider(rng: random.Random) -> dict[str, Any]:
    provider: dict[str, Any] = {
        "accounts": ["*"],
        "hints": rng.choice(("full", "full", "none", "wrong")),
        "clock_skew": rng.choice((0, 0, 3600, -300)),
        "error_rate": rng.choice((0, 0, 0.05, 0.5)),
        "token_lifetime": rng.choice((20, 120, 3600)),
        "limits_per_model": rng.random() < 0.5,
    }
    _maybe(rng, provider, 0.6, "requests_per_minute", 2, 20, 100)
    _maybe(rng, provider, 0.3, "tokens_per_minute", 20000, 200000)
    _maybe(rng, provider, 0.3, "concurrency", 1, 4)
    return provider


def _workload(rng: random.Random, kind: str) -> dict[str, Any]:
    models = _MODELS[kind]
    workload: dict[str, Any] = {
        "sessions_per_minute": rng.choice((1, 5, 20)),
        "turns": {"median": rng.choice((1, 4)), "p95": 12},
        "think": {"median": rng.choice((0.1, 5)), "p95": 30},
        "first_input": {"median": 2000, "p95": 20000},
        "output": {"median": 100, "p95": 600},
        "streams": rng.choice((0.0, 0.5, 1.0)),
        "leaves": rng.choice((0.0, 0.1, 0.5)),
        "leaves_after": {"median": rng.choice((0.1, 2.0)), "p95": 10},
        "sends_id": rng.choice((0.0, 0.5, 1.0)),
        "keys": rng.choice((1, 3)),
        "models": dict.fromkeys(models[: rng.choice((1, 2))], 1),
        "dialects": {_DIALECTS[kind]: 1},
    }
    if rng.random() < 0.3:
        workload["bursts"] = [{"at": 30, "sessions": rng.choice((5, 40)), "within": rng.choice((0.1, 10))}]
    return workload


def _fault(rng: random.Random, accounts: list[dict[str, Any]], proxies: list[str], duration: float) -> dict[str, Any]:
    start = rng.choice((0, 10, duration // 2))
    fault: dict[str, Any] = {"start": start, "end": start + rng.choice((5, 60, duration))}
    fault["share"] = rng.choice((1.0, 1.0, 0.3))
    if proxies and rng.random() < 0.5:
        return {**fault, "kind": "proxy_down", "proxies": [rng.choice(["*", *proxies])]}
    fault |= {"kind": rng.choice(_FAULTS), "accounts": [rng.choice(["*", *(one["id"] for one in accounts)])]}
    if fault["kind"] == "error_status":
        fault["status"] = rng.choice(_STATUSES)
    return fault


def _changes(rng: random.Random, accounts: list[dict[str, Any]], duration: float) -> list[dict[str, Any]]:
    name = rng.choice(accounts)["id"]
    return [
        {"at": duration // 4, "disable": [name]},
        {"at": duration // 2, "enable": [name]},
    ]
