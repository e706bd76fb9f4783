"""What a client is told when nobody can be asked: when the first account is free, and whether limits are the cause."""

import math
from collections.abc import Sequence

from gephyr_core.scheduling.pool import Pool


def soonest_account(pools: Sequence[Pool], now: float, tokens: int, *, sure: bool) -> float | None:
    """Return the seconds until the first account of *pools* may be asked for *tokens*; None where one may be now, or
    where no time is known. Where it has to be *sure*, the end of an estimate is no time."""
    soonest = math.inf
    for pool in pools:
        if pool.any_free(0, now):
            too_small = pool.too_small(tokens, now)
            if len(too_small) < pool.ready_count:
                return None
            soonest = min(soonest, *(block.until for _, block in too_small))
        outlook = pool.outlook(())
        if outlook.busy or outlook.clearable or (outlook.estimated and sure):
            return None  # its estimate would be cleared, and it be asked all the same
        soonest = min(soonest, outlook.soonest)
    return soonest - now if soonest < math.inf else None


def is_limited(pool: Pool, now: float, tokens: int) -> bool:
    """Whether every account of a pool is at a limit that time alone lifts."""
    if not pool.any_free(0, now):
        return pool.outlook(()).limited
    too_small = pool.too_small(tokens, now)
    return len(too_small) == pool.ready_count and (not pool.parked or pool.outlook(()).limited)
