"""The classes of a scenario file. Times are in seconds since its begin; in the file also ``"90s"``, ``"6h"``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import attrs

from gephyr.harness.world.settings import (
    POSITIVE,
    SHARE,
    ClientSettings,
    Fault,
    Number,
    PlannedChange,
    ProviderSettings,
    Spread,
)
from gephyr_core.config import Config
from gephyr_core.config.rules import ANY_TEXT, Text, Whole

AT = Number(0.0, 1e9)
WEIGHT = Number(0.0, 1e9)
MODEL = Text(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}", "a model's name")
LABEL = Text(r"[ -~]{0,64}", "at most 64 printable ASCII characters")
DIALECTS = ("openai-chat", "anthropic", "gemini", "openai-responses")


@attrs.frozen(kw_only=True)
class About:
    """``[scenario]``: what it is called, and how long it lasts."""

    name: Annotated[str, ANY_TEXT] = ""
    description: Annotated[str, ANY_TEXT] = ""
    duration: Annotated[float, Number(1.0, 1e9)] = 3600.0
    day_starts_at: Annotated[float, Number(0.0, 24.0)] = 0.0
    """Hour of the day at which the scenario begins, for workloads with an hourly curve."""


@attrs.frozen(kw_only=True)
class ProviderTable(ProviderSettings):
    """One of ``[[providers]]``: the providers of the accounts that fit its patterns. The first that fits counts."""

    accounts: tuple[Annotated[str, ANY_TEXT], ...] = ("*",)
    """Ids of accounts; ``*`` stands for any text."""


@attrs.frozen(kw_only=True)
class Burst:
    """Sessions that come at once."""

    at: Annotated[float, AT]
    sessions: Annotated[int, Whole(1, 1_000_000)]
    within: Annotated[float, AT] = 10.0
    """Seconds over which they are spread evenly."""


@attrs.frozen(kw_only=True)
class Workload:
    """One of ``[[workloads]]``: a kind of client, and how many there are."""

    name: Annotated[str, LABEL] = ""
    """Begins the names of its sessions; unlike the other workloads'."""
    sessions_per_minute: Annotated[float, Number(0.0, 1e6)] = 0.0
    """New sessions, arriving independently of each other (a Poisson process); with *hourly*: at the peak."""
    start: Annotated[float, AT] = 0.0
    end: Annotated[float, AT] = 1e9
    """When no session begins any more; those that have begun go on."""
    hourly: tuple[Annotated[float, WEIGHT], ...] = ()
    """24 weights, one for each hour of the day, from midnight on: the curve of a day, 1 at its peak. Empty: none."""
    bursts: tuple[Burst, ...] = ()
    log: Annotated[str, ANY_TEXT] = ""
    """A recorded arrival log (JSON lines), from the file's folder on, in place of drawn arrivals, turns and sizes."""
    turns: Spread = attrs.field(default=Spread(median=6.0, p95=30.0))
    """Requests of a session; rounded, one at least."""
    think: Spread = attrs.field(default=Spread(median=8.0, p95=60.0))
    """Seconds between a reply and the next request."""
    first_input: Spread = attrs.field(default=Spread(median=12000.0, p95=40000.0))
    """Tokens of a session's first request."""
    growth: Spread = attrs.field(default=Spread(median=1500.0, p95=8000.0))
    """Tokens that each turn adds to the context."""
    most_input: Annotated[int, Whole(1)] = 180000
    """Tokens beyond which the context does not grow."""
    output: Spread = attrs.field(default=Spread(median=400.0, p95=2000.0))
    """Tokens of a reply."""
    streams: Annotated[float, SHARE] = 1.0
    """Share of the requests that ask for a stream."""
    leaves: Annotated[float, SHARE] = 0.0
    """Share of the requests whose client disconnects before the end."""
    leaves_after: Spread = attrs.field(default=Spread(median=5.0, p95=20.0))
    """Seconds after which it does."""
    sends_id: Annotated[float, SHARE] = 0.5
    """Share of the sessions whose client tells a session id."""
    keys: Annotated[int, Whole(1, 10000)] = 5
    """Client keys that the sessions are spread over."""
    models: dict[Annotated[str, MODEL], Annotated[float, WEIGHT]] = attrs.field(factory=lambda: {"gpt-5.2": 1.0})
    """Models asked for, with their weights."""
    dialects: dict[Annotated[str, ANY_TEXT], Annotated[float, WEIGHT]] = attrs.field(
        factory=lambda: {"openai-chat": 1.0}
    )
    """Dialects of the clients, with their weights."""


@attrs.frozen(kw_only=True)
class Expectations:
    """``[expect]``: bounds that the run is to keep; it fails otherwise. What is left out is not looked at."""

    max_refused_share: Annotated[float, SHARE] | None = None
    """Of the clients' requests: answered by an error of the gateway's own, or by a provider's that was not hidden."""
    max_wait_p95: Annotated[float, AT] | None = None
    """Seconds that a request waited for an account."""
    min_cache_hit_share: Annotated[float, SHARE] | None = None
    """Of the input tokens: read from the providers' prompt caches."""
    max_attempts_per_request: Annotated[float, POSITIVE] | None = None


@attrs.frozen(kw_only=True)
class ScenarioFile:
    """A scenario file but for ``gateway``, which is a configuration of its own."""

    scenario: About = About()
    providers: tuple[ProviderTable, ...] = ()
    workloads: tuple[Workload, ...] = ()
    faults: tuple[Fault, ...] = ()
    changes: tuple[PlannedChange, ...] = ()
    clients: ClientSettings = attrs.field(factory=ClientSettings)
    expect: Expectations = Expectations()


@attrs.frozen(kw_only=True)
class Scenario:
    """A scenario, ready to be played."""

    path: Path
    about: About
    config: Config
    providers: Mapping[str, ProviderSettings]
    """By account id."""
    workloads: tuple[Workload, ...]
    faults: tuple[Fault, ...]
    changes: tuple[PlannedChange, ...]
    clients: ClientSettings
    expect: Expectations

    @property
    def name(self) -> str:
        """What it is called."""
        return self.about.name or self.path.stem
