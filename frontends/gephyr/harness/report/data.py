"""A run and what it came to, as values: what ``--json`` prints, bounds are checked on, and comparisons are made of."""

from collections.abc import Mapping
from typing import Any

import attrs

from gephyr.harness.report.accounts import AccountMeasure, fairness
from gephyr.harness.report.measurements import Measurements
from gephyr.harness.report.quantiles import Histogram
from gephyr.harness.world.world import Violation

_DIGITS = 6


@attrs.frozen(kw_only=True)
class Run:
    """One run of a scenario."""

    scenario: str
    """Its name."""
    seed: int
    measurements: Measurements
    trace_hash: str | None
    """None where the run was interrupted."""
    violations: tuple[Violation, ...] = ()
    limit_violations: Mapping[str, int] = attrs.field(factory=dict)
    """By account: requests that a provider's own limits refused."""
    token_refreshes: int = 0
    wall_seconds: float = 0.0
    """What the run took here."""
    interrupted: bool = False


def summary_data(run: Run) -> dict[str, Any]:
    """Return what a run came to as plain values, for JSON. The same scenario and seed give the same."""
    measured = run.measurements
    calls = sum(account.attempts for account in measured.accounts.values())
    tokens = measured.tokens
    return {
        "scenario": run.scenario,
        "seed": run.seed,
        "trace_hash": run.trace_hash,
        "violations": [attrs.asdict(violation) for violation in run.violations],
        "interrupted": run.interrupted,
        "virtual_seconds": _rounded(measured.seconds),
        "requests": measured.requests,
        **measured.endings,
        "served_share": _ratio(measured.endings["served"], measured.requests),
        "refused_why": _ordered(measured.reasons["refused"]),
        "failed_why": _ordered(measured.reasons["failed"]),
        "waits": _durations(measured.waits),
        "first_byte": _durations(measured.first_bytes),
        "duration": _durations(measured.durations),
        "calls": calls,
        "attempts_per_request": _ratio(calls, measured.requests),
        "requests_by_attempts": {str(number): count for number, count in sorted(measured.attempts.items())},
        "cache_hit_share": _rounded(tokens.cache_share),
        "tokens": {"input": tokens.input, "cached": tokens.cached, "output": tokens.output},
        "cost": _rounded(tokens.cost),
        "fairness": [
            {"tier": each.tier, "accounts": each.accounts, "index": _rounded(each.index)}
            for each in fairness(measured.accounts.values(), measured.end)
        ],
        "chosen_by": _ordered(measured.rules),
        "routes": {name: {"calls": made, "failed": failed} for name, (made, failed) in measured.routes.items()},
        "account_events": _ordered(measured.events),
        "token_refreshes": run.token_refreshes,
        "limit_violations": sum(run.limit_violations.values()),
        "accounts": {
            account.id: _account(account, run.limit_violations.get(account.id, 0), measured.end)
            for account in measured.accounts.values()
        },
        "proxies": {
            name: {"down_seconds": _rounded(bands.covered(measured.end, "down"))}
            for name, bands in measured.proxies.items()
        },
    }


def _account(account: AccountMeasure, limit_violations: int, end: float) -> dict[str, Any]:
    busy = account.in_flight.averages()
    return {
        "calls": account.attempts,
        "served": account.served,
        "failed": account.failures,
        "rate_limited": account.rate_limited,
        "limit_violations": limit_violations,
        "input_tokens": account.input_tokens,
        "cached_tokens": account.cached_tokens,
        "output_tokens": account.output_tokens,
        "in_flight_most": _rounded(max(busy, default=0.0)),
        "cooldowns": sum(span.times for span in account.bands.spans if span.kind in ("stated", "estimated")),
        "cooling_seconds": _rounded(account.bands.covered(end, "stated", "estimated")),
        "disabled_seconds": _rounded(account.bands.covered(end, "disabled", "removed")),
    }


def _durations(histogram: Histogram) -> dict[str, float]:
    p50, p95, p99 = histogram.quantiles(50, 95, 99)
    found = {"p50": p50, "p95": p95, "p99": p99, "most": histogram.greatest, "mean": histogram.mean}
    return {name: _rounded(value) for name, value in found.items()}


def _ordered(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _ratio(part: float, whole: float) -> float:
    return _rounded(part / whole) if whole else 0.0


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
