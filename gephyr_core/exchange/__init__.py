"""One client request being served, from its head to the last byte of the response."""

from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.machine import ILLEGAL, ROWS
from gephyr_core.exchange.states import STATES, State

__all__ = ["ILLEGAL", "ROWS", "STATES", "Exchange", "State"]
