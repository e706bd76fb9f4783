"""Jobs: what is read or written of a request or reply in one go, which takes long where it is large.

A job is an object without ties to what may change, and calling it does it. The core has a small one done at once, and a
large one by its front end beside everything else (``Compute``), so that no request holds up the others.
"""

from gephyr_core.commands import Compute
from gephyr_core.events import Computed

HEAVY = 64 * 1024
"""Bytes of JSON from which on reading and writing them, value by value, is a job for the front end: half a millisecond
of work."""
LIGHTER = 16
"""How many times as many bytes are passed on in the time in which one is read and written value by value."""
HEAVIER = 16
"""How many bytes a compressed one is taken for: JSON shrinks to a tenth, about."""


def answer(command: Compute) -> Computed:
    """Do the job, now and here, and return what the core is told. Raises nothing."""
    try:
        return Computed(command.exchange, command.question, command.job())
    except Exception as error:
        return Computed(command.exchange, command.question, error=error)
