"""How fast a simulated provider is."""

import random

import attrs
from attrs import validators


@attrs.frozen
class SimulatedSettings:
    """The speed of one provider. Raises ``ValueError`` for a value outside its range."""

    latency: float = attrs.field(default=0.3, validator=validators.ge(0.0))
    """Seconds from the request to the first byte of a stream; a whole reply takes its tokens' time on top."""
    jitter: float = attrs.field(default=0.2, validator=[validators.ge(0.0), validators.le(1.0)])
    """Share of *latency* by which a reply may come earlier or later, evenly distributed."""
    pace: float = attrs.field(default=60.0, validator=validators.gt(0.0))
    """Output tokens per second; ``math.inf`` for no pause between pieces."""

    def first_byte(self, rng: random.Random) -> float:
        """Draw the seconds until a reply's first byte."""
        return self.latency * (1.0 + self.jitter * rng.uniform(-1.0, 1.0))

    def generation(self, tokens: int) -> float:
        """Return the seconds that *tokens* output tokens take."""
        return tokens / self.pace
