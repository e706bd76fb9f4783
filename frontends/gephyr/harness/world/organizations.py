"""What a provider counts for one organisation: its buckets, its requests in progress, its prompt cache."""

from gephyr.harness.world.limits import Bucket
from gephyr.harness.world.refusals import Level
from gephyr.harness.world.replies import Spent
from gephyr.harness.world.settings import ProviderSettings
from gephyr.harness.world.tokens import quantiles

_CACHE_STEP = 128
"""Tokens: prompt caches hold whole steps of a conversation (OpenAI's size of them)."""
_MOST_CACHED = 50_000
_FOR_BUSY = 1.0
"""Seconds to come back in, told to one request too many in progress."""
_OF_A_CACHED_TOKEN = 0.1
"""Share of the time that reading a token takes if the prompt cache holds it."""


class Organization:
    """One organisation at its provider."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.settings = settings
        self.first_byte = quantiles(settings.first_byte)
        self.tokens_per_second = quantiles(settings.tokens_per_second)
        self.in_flight = 0
        self._unlimited = settings.requests_per_minute is None and settings.tokens_per_minute is None
        self._buckets: dict[str, tuple[Bucket | None, Bucket | None]] = {}
        self._cache: dict[tuple[str, str], tuple[float, int]] = {}
        """By model and session: when it was last used, and how many tokens are held. The longest unused first."""

    def spend(self, model: str, session: str, tokens: int, output: int, now: float) -> Spent:
        """Return what a request would spend. Nothing is taken yet."""
        settings = self.settings
        cached = written = 0
        if settings.cache_lifetime > 0.0 and tokens >= settings.cache_minimum_tokens:
            used_at, held = self._cache.get((model, session), (-settings.cache_lifetime, 0))
            if used_at + settings.cache_lifetime > now:
                cached = min(held, tokens) // _CACHE_STEP * _CACHE_STEP
            written = tokens - cached
        return Spent(tokens, cached, written, output)

    def refuses(self, model: str, spent: Spent, now: float) -> float:
        """Seconds until a request for *spent* would be taken; 0 where it is now."""
        settings = self.settings
        if settings.concurrency is not None and self.in_flight >= settings.concurrency:
            return _FOR_BUSY
        if self._unlimited:
            return 0.0
        requests, tokens = self._buckets_of(model)
        wait = requests.wait(1.0, now) if requests is not None else 0.0
        if tokens is not None:
            wait = max(wait, tokens.wait(float(spent.input - spent.cached), now))
        return wait

    def begin(self, model: str, session: str, spent: Spent, now: float) -> None:
        """A request is taken: count it, and keep its conversation in the prompt cache."""
        self.in_flight += 1
        if not self._unlimited:
            requests, tokens = self._buckets_of(model)
            if requests is not None:
                requests.take(1.0, now)
            if tokens is not None:
                tokens.take(float(spent.input - spent.cached), now)
        if spent.cached or spent.written:
            self._cache.pop((model, session), None)
            self._cache[model, session] = (now, spent.input)
            if len(self._cache) > _MOST_CACHED:
                del self._cache[next(iter(self._cache))]

    def end(self, model: str, output: int, now: float) -> None:
        """A request is over, after *output* tokens."""
        self.in_flight -= 1
        tokens = None if self._unlimited else self._buckets_of(model)[1]
        if tokens is not None:
            tokens.take(float(output), now)

    def reading_seconds(self, spent: Spent) -> float:
        """How long the input takes to read."""
        return (spent.input - spent.cached * (1.0 - _OF_A_CACHED_TOKEN)) / self.settings.prefill_per_second

    def levels(self, model: str, now: float) -> tuple[Level, ...]:
        """Return what is left of each limit, or plenty where the headers are wrong."""
        if self._unlimited:
            return ()
        buckets = zip(("requests", "tokens"), self._buckets_of(model), strict=True)
        found = [(measure, bucket) for measure, bucket in buckets if bucket is not None]
        if self.settings.hints == "wrong":
            return tuple(Level(measure, bucket.limit, bucket.limit, 0.0) for measure, bucket in found)
        return tuple(
            Level(measure, bucket.limit, max(0, int(bucket.level(now))), bucket.full_in(now))
            for measure, bucket in found
        )

    def _buckets_of(self, model: str) -> tuple[Bucket | None, Bucket | None]:
        name = model if self.settings.limits_per_model else ""
        found = self._buckets.get(name)
        if found is None:
            requests, tokens = self.settings.requests_per_minute, self.settings.tokens_per_minute
            found = self._buckets[name] = (
                None if requests is None else Bucket(requests),
                None if tokens is None else Bucket(tokens),
            )
        return found
