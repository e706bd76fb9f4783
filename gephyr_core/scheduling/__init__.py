"""Which account serves a request."""

from gephyr_core.scheduling.accounts import NEUTRAL, SUCCESS, Account, Outcome
from gephyr_core.scheduling.scheduler import Lease, Refused, Scheduler, Wait

__all__ = ["NEUTRAL", "SUCCESS", "Account", "Lease", "Outcome", "Refused", "Scheduler", "Wait"]
