"""Measures a run while it goes, from the facts that the gateway tells: in bounded memory, however long it takes."""

import math
from collections.abc import Iterable

from gephyr.harness.report.accounts import AccountMeasure
from gephyr.harness.report.bands import Bands
from gephyr.harness.report.quantiles import Histogram
from gephyr.harness.report.timeline import Axis, Counts, Durations
from gephyr_core.config import AccountConfig
from gephyr_core.records import AccountEvent, AttemptRecord, Fact, OriginEvent, ProxyEvent, RequestRecord, Usage

SERVED, REFUSED, FAILED, LEFT = "served", "refused", "failed", "left"
"""What became of a request: answered; refused by Gephyr; failed at the provider or on the way; left by its client."""
ENDINGS = (SERVED, REFUSED, FAILED, LEFT)
_ENDING = {"ok": SERVED, "refused": REFUSED, "client_gone": LEFT}
_MOST_REASONS = 64
_MOST_ATTEMPTS = 100


class Measurements:
    """What one run came to. Give it every fact, in the order they are told."""

    def __init__(self, accounts: Iterable[AccountConfig], begin: float) -> None:
        """*accounts*: those of the configuration. *begin*: when the run begins, seconds since the epoch."""
        self.begin = begin
        self.end = begin
        """The latest time that was heard of, seconds since the epoch."""
        self.axis = Axis(begin)
        self.endings = dict.fromkeys(ENDINGS, 0)
        """How many requests ended how; *failed* includes those cut off by the gateway's own end."""
        self.reasons: dict[str, dict[str, int]] = {REFUSED: {}, FAILED: {}}
        """Why, with how often: the error's kind and the status told to the client."""
        self.accounts: dict[str, AccountMeasure] = {}
        self.proxies: dict[str, Bands] = {}
        self.rules: dict[str, int] = {}
        """What chose the account, of each call."""
        self.routes: dict[str, tuple[int, int]] = {}
        """Outbound routes: calls, and those of them that failed on the way."""
        self.events: dict[str, int] = {}
        """What happened to accounts, with how often."""
        self.attempts: dict[int, int] = {}
        """Requests by how many calls they took; 100 stands for more, too."""
        self.first_bytes = Histogram()
        """Seconds from a request's head to the first byte of its answer; of those served."""
        self.durations = Histogram()
        """Seconds from a request's head to the end of its answer; of those served."""
        self.tokens = Tokens(self.axis)
        self.over_time = {ending: Counts(self.axis) for ending in ENDINGS}
        """Requests by the time that they began."""
        self.waits_over_time = Durations(self.axis)
        """Seconds that requests waited for an account, the refused ones included."""
        for config in accounts:
            self._account(config.id, begin).configure(config)

    @property
    def requests(self) -> int:
        """Client requests that have ended."""
        return sum(self.endings.values())

    @property
    def waits(self) -> Histogram:
        """Those over time, as one."""
        return self.waits_over_time.whole()

    @property
    def seconds(self) -> float:
        """How long the run has been, in its own time."""
        return self.end - self.begin

    def ran_until(self, at: float) -> None:
        """The run went on until *at* (seconds since the epoch), though nothing may have been told."""
        self.end = max(self.end, at)
        self.axis.bucket(at)

    def take(self, fact: Fact) -> None:
        """Measure one fact."""
        if isinstance(fact, RequestRecord):
            self._request(fact)
        elif isinstance(fact, AccountEvent):
            self.end = max(self.end, fact.at)
            self._count(self.events, fact.what)
            self._account(fact.account, fact.at).happened(fact)
        elif isinstance(fact, ProxyEvent):
            self.end = max(self.end, fact.at)
            self._proxy(fact)
        elif isinstance(fact, OriginEvent):
            self.end = max(self.end, fact.at)
            self._count(self.events, "host reachable" if fact.reachable else "host unreachable")

    def _request(self, record: RequestRecord) -> None:
        self.end = max(self.end, record.started_at + record.duration)
        attempts = record.attempts
        waited = 0.0
        for attempt in attempts:
            waited += attempt.waited
            self._attempt(attempt)
        # After the attempts: the end of one may widen the buckets.
        bucket = self.axis.bucket(record.started_at)
        ending = _ENDING.get(record.outcome, FAILED)
        self.endings[ending] += 1
        self.over_time[ending].values[bucket] += 1
        number = min(len(attempts), _MOST_ATTEMPTS)
        self.attempts[number] = self.attempts.get(number, 0) + 1
        if ending == SERVED:
            self.durations.add(record.duration)
            if record.first_byte is not None:
                self.first_bytes.add(record.first_byte)
        elif ending != LEFT:
            self._count(self.reasons[ending], _reason(record))
            if not attempts:
                waited = record.duration
        self.waits_over_time.add(bucket, waited)
        account = self.accounts.get(record.account or "")
        if account is not None and ending == SERVED:
            account.served += 1
        if record.usage is not None:
            self.tokens.add(bucket, record.usage)
            if account is not None:
                account.used(record.usage)

    def _attempt(self, attempt: AttemptRecord) -> None:
        account = self.accounts.get(attempt.account) or self._account(attempt.account, attempt.started_at)
        account.attempted(attempt)
        if attempt.rule:
            self._count(self.rules, attempt.rule)
        if attempt.route:
            calls, failures = self.routes.get(attempt.route, (0, 0))
            self.routes[attempt.route] = (calls + 1, failures + (attempt.outcome in ("proxy", "connect", "tls")))

    def _account(self, name: str, at: float) -> AccountMeasure:
        account = self.accounts.get(name)
        if account is None:
            account = self.accounts[name] = AccountMeasure(name, self.axis, at)
        return account

    def _proxy(self, event: ProxyEvent) -> None:
        bands = self.proxies.setdefault(event.proxy, Bands())
        if event.healthy:
            bands.end(event.at, "down")
        else:
            bands.begin("down", "", event.at, math.inf, event.reason)

    def _count(self, counts: dict[str, int], name: str) -> None:
        if name not in counts and len(counts) >= _MOST_REASONS:
            name = "others"
        counts[name] = counts.get(name, 0) + 1


class Tokens:
    """Tokens that replies said they took."""

    def __init__(self, axis: Axis) -> None:
        self.input = 0
        """Cached ones and those written to a cache included."""
        self.cached = 0
        self.cache_write = 0
        self.output = 0
        self.input_over_time = Counts(axis)
        self.cached_over_time = Counts(axis)

    def add(self, bucket: int, usage: Usage) -> None:
        """Count one reply's."""
        given, cached = usage.input or 0, usage.cached or 0
        self.input += given
        self.cached += cached
        self.cache_write += usage.cache_write or 0
        self.output += usage.output or 0
        self.input_over_time.values[bucket] += given
        self.cached_over_time.values[bucket] += cached

    @property
    def cache_share(self) -> float:
        """The share of input tokens that came from a provider's prompt cache."""
        return self.cached / self.input if self.input else 0.0

    @property
    def cost(self) -> float:
        """What it all cost, in input tokens at the full price: a cached one is a tenth, one written to the cache 1.25,
        an output token 5 (Anthropic's prices; those of others are near enough to compare two runs)."""
        fresh = max(0, self.input - self.cached - self.cache_write)
        return fresh + self.cached / 10 + self.cache_write * 5 / 4 + self.output * 5


def _reason(record: RequestRecord) -> str:
    reason = record.error or record.outcome
    return f"{reason} ({record.status})" if record.status else reason
