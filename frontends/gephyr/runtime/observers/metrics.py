"""Metrics: what happened, counted for Prometheus, in a registry of Gephyr's own.

Every label takes values from the configuration or from a fixed list, never one that a client chose: a model's name
as a label would let any client grow the process.
"""

import platform
from collections.abc import Callable, Iterator
from functools import partial

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from gephyr_core import __version__
from gephyr_core.records import AttemptRecord, RequestRecord, Usage

_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Seconds. A count of tokens takes milliseconds, a long answer with reasoning many minutes."""

_NAMING = dict.fromkeys(("account", "proxy", "route"))
"""Labels whose values the operator chose as names; a route may name an account."""

_Add = Callable[[float], None]


class Metrics:
    """The counters of one process. Counting a request costs a few microseconds: labelled children are kept."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        counter, histogram = partial(Counter, registry=registry), partial(Histogram, registry=registry)
        self._requests = counter(
            "gephyr_requests_total", "Client requests that ended.", ["dialect", "operation", "status", "outcome"]
        )
        self._attempts = counter(
            "gephyr_upstream_attempts_total",
            "Calls to providers that ended; status is the provider's where it refused.",
            ["account", "outcome", "status"],
        )
        self._stale = counter(
            "gephyr_stale_connection_retries_total", "Calls repeated because a kept connection was closed."
        )
        self._tokens = counter("gephyr_tokens_total", "Tokens that providers reported.", ["account", "kind"])
        self._durations = histogram(
            "gephyr_request_duration_seconds", "From a request's head to its end.", ["dialect"], buckets=_DURATIONS
        )
        self._first_bytes = histogram(
            "gephyr_first_byte_seconds",
            "From a request's head to the first byte of the response's body.",
            ["dialect"],
            buckets=_DURATIONS,
        )
        self._keepalives = counter("gephyr_keepalives_total", "Keep-alives sent while a provider was silent.")
        size = counter("gephyr_bytes_total", "Bytes of bodies, before transfer coding.", ["direction"])
        self._bytes_in, self._bytes_out = size.labels("in").inc, size.labels("out").inc
        Info("gephyr_build", "The version that runs.", registry=registry).info(
            {"version": __version__, "python": platform.python_version()}
        )
        ProcessCollector(registry=registry)
        self._count_request: dict[tuple[str, str, int, str], _Add] = {}
        self._count_attempt: dict[tuple[str, str, int | None], _Add] = {}
        self._count_tokens: dict[str, tuple[_Add, _Add, _Add, _Add, _Add]] = {}
        self._observe_times: dict[str, tuple[_Add, _Add]] = {}

    def add_gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Show a value that *read* returns whenever the page is asked for (``gephyr_open_exchanges``)."""
        Gauge(name, documentation, registry=self.registry).set_function(read)

    def add_counter(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Show a count that *read* returns whenever the page is asked for; *name* ends with ``_total``."""
        self.registry.register(_ReadCounter(name, documentation, read))

    def count(self, fact: RequestRecord) -> None:
        """Count one request."""
        key = (fact.dialect, fact.operation, fact.status, fact.outcome)
        count = self._count_request.get(key)
        if count is None:
            labels = (fact.dialect, fact.operation, _status_label(fact.status), fact.outcome)
            count = self._count_request[key] = self._requests.labels(*labels).inc
        count(1)
        for attempt in fact.attempts:
            self._count_one_attempt(attempt)
        times = self._observe_times.get(fact.dialect)
        if times is None:
            children = self._durations.labels(fact.dialect), self._first_bytes.labels(fact.dialect)
            times = self._observe_times[fact.dialect] = (children[0].observe, children[1].observe)
        times[0](fact.duration)
        if fact.first_byte is not None:
            times[1](fact.first_byte)
        if fact.bytes_in:
            self._bytes_in(fact.bytes_in)
        if fact.bytes_out:
            self._bytes_out(fact.bytes_out)
        if fact.usage is not None and fact.account is not None:
            self._count_usage(fact.account, fact.usage)
        if fact.keepalives:
            self._keepalives.inc(fact.keepalives)

    def page(self) -> tuple[str, bytes]:
        """Return the content type and the text of the page that Prometheus reads."""
        return CONTENT_TYPE_LATEST, generate_latest(self.registry)

    def page_for_clients(self) -> tuple[str, bytes]:
        """Return the page as the holder of a client key may see it: without the names of accounts, proxies and routes.

        What they were counted by is summed up.
        """
        return CONTENT_TYPE_LATEST, generate_latest(_WithoutNames(self.registry))

    def listen(self, host: str, port: int) -> Callable[[], None]:
        """Serve the page on a listener of its own, from a thread; returns what closes it. Raises ``OSError``."""
        server, thread = start_http_server(port, addr=host, registry=self.registry)

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return close

    def _count_one_attempt(self, attempt: AttemptRecord) -> None:
        status = attempt.status if attempt.outcome == "status" else None
        key = (attempt.account, attempt.outcome, status)
        count = self._count_attempt.get(key)
        if count is None:
            labels = (attempt.account, attempt.outcome, "" if status is None else _status_label(status))
            count = self._count_attempt[key] = self._attempts.labels(*labels).inc
        count(1)
        if attempt.stale:
            self._stale.inc()

    def _count_usage(self, account: str, usage: Usage) -> None:
        counts = self._count_tokens.get(account)
        if counts is None:
            child = partial(self._tokens.labels, account)
            counts = self._count_tokens[account] = (
                child("input").inc,
                child("cached").inc,
                child("cache_write").inc,
                child("output").inc,
                child("reasoning").inc,
            )
        if usage.input:
            counts[0](usage.input)
        if usage.cached:
            counts[1](usage.cached)
        if usage.cache_write:
            counts[2](usage.cache_write)
        if usage.output:
            counts[3](usage.output)
        if usage.reasoning:
            counts[4](usage.reasoning)


class _WithoutNames(CollectorRegistry):
    """Another registry, without the labels that are the operator's own business."""

    def __init__(self, whole: CollectorRegistry) -> None:
        super().__init__()
        self._whole = whole

    def collect(self) -> Iterator[Metric]:
        """Yield what the other one has, summed up over what is left out."""
        for family in self._whole.collect():
            if any(_NAMING.keys() & sample.labels.keys() for sample in family.samples):
                yield _summed_up(family)
            else:
                yield family


def _summed_up(family: Metric) -> Metric:
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for sample in family.samples:
        if sample.name.endswith("_created"):  # when each began to be counted; the sum has no such time
            continue
        labels = tuple((name, value) for name, value in sample.labels.items() if name not in _NAMING)
        sums[sample.name, labels] = sums.get((sample.name, labels), 0.0) + sample.value
    summed = Metric(family.name, family.documentation, family.type, family.unit)
    for (name, labels), value in sums.items():
        summed.add_sample(name, dict(labels), value)
    return summed


class _ReadCounter(Collector):
    """A count that somebody else keeps."""

    def __init__(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        self._name = name
        self._documentation = documentation
        self._read = read

    def collect(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._documentation, value=self._read())


def _status_label(status: int) -> str:
    """A provider may send any three digits; those that HTTP does not know share one label (RFC 9110 section 15)."""
    return str(status) if status == 0 or 100 <= status <= 599 else "other"
