"""Faults of the runtime's and the front ends' own code, on their way to the core, which ends what they happened to."""

from gephyr_core.events import FrontEndFailed
from gephyr_core.faults import internal_error


def failure(error: BaseException, during: str, exchange: int = 0) -> FrontEndFailed:
    """Return the event that tells of *error*, which was raised *during* a piece of work for *exchange* (0: for none).

    Feed it: the core answers the client, and has the fault logged and counted.
    """
    return FrontEndFailed(exchange, internal_error(error, during, 0.0))
