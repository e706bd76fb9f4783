"""What clients will do: sessions, planned before the world begins. The contract of workloads and world."""

import attrs


@attrs.frozen
class Turn:
    """One request of a session."""

    think: float
    """Seconds between the end of the reply before and this request; 0 for the first."""
    input_tokens: int
    """The whole context that is sent."""
    output_tokens: int
    stream: bool
    leaves_after: float | None = None
    """Seconds after which the client disconnects; None: it stays."""


@attrs.frozen
class PlannedSession:
    """One conversation, from its first request on."""

    start: float
    """Seconds since the scenario's begin."""
    session: str
    """Its name, unlike any other's of the scenario."""
    key: int
    """Number of the client key that it uses."""
    dialect: str
    model: str
    turns: tuple[Turn, ...]
    """One at least."""
    sends_id: bool
    """The client tells the session's id; else the gateway has to know it by its beginning."""
