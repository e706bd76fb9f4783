"""Which account serves a request."""

from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.claims import Claim, Denied, Granted
from gephyr_core.scheduling.lease import Lease
from gephyr_core.scheduling.outcomes import NEUTRAL, SUCCESS, Outcome, Says
from gephyr_core.scheduling.pool import Pool
from gephyr_core.scheduling.scheduler import Scheduler
from gephyr_core.scheduling.search import Choice, Refused, Search, Wait

__all__ = [
    "NEUTRAL",
    "SUCCESS",
    "Account",
    "Choice",
    "Claim",
    "Denied",
    "Granted",
    "Lease",
    "Outcome",
    "Pool",
    "Refused",
    "Says",
    "Scheduler",
    "Search",
    "Wait",
]
