"""Bounds that a scenario puts on a run: which of them did not hold."""

from collections.abc import Iterator
from typing import Any

from gephyr.harness.report.words import number, seconds, share
from gephyr.harness.scenario import Expectations


def missed(expect: Expectations, data: dict[str, Any]) -> Iterator[str]:
    """Yield each bound that a run did not keep, with what it came to. *data*: its summary as values."""
    requests = data["requests"]
    refused = (data["refused"] + data["failed"]) / requests if requests else 0.0
    bound = expect.max_refused_share
    if bound is not None and refused > bound:
        yield f"max_refused_share: at most {share(bound)} of the requests, {share(refused)} were refused or failed"
    bound, wait = expect.max_wait_p95, data["waits"]["p95"]
    if bound is not None and wait > bound:
        yield f"max_wait_p95: 95 % wait no longer than {seconds(bound)}, it was {seconds(wait)}"
    bound, cached = expect.min_cache_hit_share, data["cache_hit_share"]
    if bound is not None and cached < bound:
        yield f"min_cache_hit_share: at least {share(bound)} of the input tokens cached, {share(cached)} were"
    bound, attempts = expect.max_attempts_per_request, data["attempts_per_request"]
    if bound is not None and attempts > bound:
        yield f"max_attempts_per_request: at most {number(bound)} calls for each request, it was {attempts:.3f}"
