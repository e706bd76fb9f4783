"""What the simulated world is like: providers, their limits and their pace, and what goes wrong with them.

Times are in seconds, of the scenario's own clock: it begins at 0.
"""

import math
from typing import Annotated, Literal

import attrs

from gephyr_core.config.problems import RefusedValueError, shown
from gephyr_core.config.rules import Seconds, Whole


@attrs.frozen
class Number:
    """A finite number within bounds, both included."""

    least: float
    most: float

    def read(self, value: object) -> float:
        """Return the number as a float, or raise :class:`RefusedValueError`."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.least <= value <= self.most:
            raise RefusedValueError(f"expected a number from {self.least:g} to {self.most:g}, got {shown(value)}")
        return float(value)


SHARE = Number(0.0, 1.0)
POSITIVE = Number(1e-6, 1e9)


@attrs.frozen(kw_only=True)
class Spread:
    """A log-normal distribution, by two numbers that people measure."""

    median: Annotated[float, POSITIVE]
    p95: Annotated[float, POSITIVE]
    """Nineteen of twenty are below it. Equal to *median*: no spread at all. Less than *median* counts as equal."""


@attrs.frozen(kw_only=True)
class ProviderSettings:
    """The provider as one account meets it.

    Limits and prompt cache belong to the account's organisation: accounts of one share them (those of the first of
    them count), an account without one has its own.
    """

    requests_per_minute: Annotated[int, Whole(1)] | None = None
    """Token bucket of requests: as large as the limit, refilled evenly."""
    tokens_per_minute: Annotated[int, Whole(1)] | None = None
    """Token bucket of tokens: a request's input is taken when it comes, its output when it ends. Input that the prompt
    cache held is not counted."""
    limits_per_model: bool = False
    """Each model has buckets of its own."""
    concurrency: Annotated[int, Whole(1)] | None = None
    """Requests in progress; one more is answered 429."""
    first_byte: Spread = Spread(median=0.8, p95=2.5)
    """Seconds from the request to the response's head, or to a stream's first token."""
    tokens_per_second: Spread = Spread(median=60.0, p95=100.0)
    """Pace of the output."""
    prefill_per_second: Annotated[float, POSITIVE] = 20_000.0
    """Input tokens read in a second: what the prompt cache holds takes a tenth of the time."""
    cache_lifetime: Annotated[float, Seconds(0)] = 300.0
    """Seconds that the prompt cache keeps a conversation after its last use; 0: there is none."""
    cache_minimum_tokens: Annotated[int, Whole(1)] = 1024
    """Conversations with less input are not cached."""
    hints: Literal["full", "none", "wrong"] = "full"
    """``full``: limit headers on every reply, and with a 429 the time to come back. ``none``: neither. ``wrong``: limit
    headers say that plenty is left, and a 429 says to come back in a tenth of the time it takes."""
    clock_skew: Annotated[float, Number(-86400.0, 86400.0)] = 0.0
    """Seconds that the provider's clock is ahead: it shows in ``date`` and in resets told as dates."""
    error_rate: Annotated[float, SHARE] = 0.0
    """Share of requests answered 500 for no reason."""
    token_lifetime: Annotated[float, Seconds()] = 3600.0
    """Seconds that an access token is good, for accounts that sign in."""
    token_endpoint: Spread = Spread(median=0.3, p95=1.0)
    """Seconds that the token endpoint takes."""


FaultKind = Literal[
    "outage",
    "brownout",
    "error_status",
    "rate_limit_storm",
    "reset_before_head",
    "reset_in_stream",
    "stall",
    "html_page",
    "revoked_token",
    "token_endpoint_down",
    "proxy_down",
    "no_descriptors",
]


@attrs.frozen(kw_only=True)
class Fault:
    """Something that goes wrong from *start* until *end*."""

    kind: FaultKind
    """* ``outage``: no connection can be made to the hosts of *accounts*, which other accounts may share.
    * ``brownout``: everything takes *slowdown* times as long.
    * ``error_status``: requests are answered *status*.
    * ``rate_limit_storm``: requests are answered 429, with the hints that the provider gives.
    * ``reset_before_head``: the connection is reset before the response begins.
    * ``reset_in_stream``: the connection is reset in the middle of the response's body, of a stream after its first
      content.
    * ``stall``: the response stops in the middle, or before its head if it is whole, until somebody gives up.
    * ``html_page``: requests are answered 200 with a page of HTML.
    * ``revoked_token``: the credential is refused with 401, and a new token cannot be had (``invalid_grant``).
    * ``token_endpoint_down``: refreshing a token fails with 503.
    * ``proxy_down``: no connection can be made through *proxies*.
    * ``no_descriptors``: the gateway's own machine has no room for another connection.
    """
    start: Annotated[float, Number(0.0, 1e9)] = 0.0
    end: Annotated[float, Number(0.0, 1e9)] = math.inf
    """When it is over; left out: never."""
    accounts: tuple[str, ...] = ("*",)
    """Ids of the accounts it concerns; ``*`` stands for any text."""
    proxies: tuple[str, ...] = ("*",)
    """Ids of the proxies that ``proxy_down`` concerns; ``*`` stands for any text."""
    share: Annotated[float, SHARE] = 1.0
    """Share of the requests that meet it."""
    status: Annotated[int, Whole(400, 599)] = 500
    """For ``error_status``."""
    slowdown: Annotated[float, Number(1.0, 1000.0)] = 10.0
    """For ``brownout``."""


@attrs.frozen(kw_only=True)
class PlannedChange:
    """What an operator does to accounts, at a time."""

    at: Annotated[float, Number(0.0, 1e9)]
    enable: tuple[str, ...] = ()
    """Ids of the accounts that are in service from then on; ``*`` stands for any text."""
    disable: tuple[str, ...] = ()
    """Ids of those that are out of it; ``*`` stands for any text."""


@attrs.frozen(kw_only=True)
class ClientSettings:
    """What clients do with a refusal: as the official SDKs do (retries of 408, 409, 429 and 5xx)."""

    retries: Annotated[int, Whole(0, 100)] = 2
    """Tries of one request after the first."""
    backoff: Annotated[float, Seconds(0)] = 0.5
    """Seconds before the first retry where no ``retry-after`` is told; doubled with each, up to 8, less up to a
    quarter by chance (openai-python and anthropic-python, ``_calculate_retry_timeout``)."""
    longest_retry_after: Annotated[float, Seconds(0)] = 120.0
    """Seconds: a longer ``retry-after`` is not waited for, and the request is given up."""
    after_failure: Literal["end", "go_on"] = "go_on"
    """What a session does with a turn that failed for good: end, or come to its next turn."""
