"""The score: which of two accounts is the better one for a request. Higher is better.

    score = weight / (1 + load) * room * quota * success * speed

=========  ===========================================================  ===============================================
factor     what it is                                                   why
=========  ===========================================================  ===============================================
weight     the operator's ``weight``                                    shares among accounts of one priority
load       requests in flight, plus a tenth of those begun in the last  evens the accounts out; the trace of recent
           minute (aged)                                                ones makes weights count for light traffic too
room       the share of ``max_concurrency`` that is free; 1 without     an account that is nearly full makes others wait
quota      the share of the provider's quota that is left, of the       an account that is nearly used up will answer
           scarcest measure (requests, tokens); 1 where unknown         429; better to spread before that
success    the mean of recent successes, the latest counting most, no   an account that fails costs an attempt and its
           less than 0.05                                               time, and needs a chance to show it is well
speed      5 / (5 + seconds to the first byte), of a mean that the      a slow account is felt by the client, but less
           latest counts most in                                        than a failing one
=========  ===========================================================  ===============================================

Success and speed age towards what is assumed of an unknown account (:mod:`gephyr_core.scheduling.health`), so that no
account is shunned for what was long ago. Priority is no factor: accounts of a lower one are not drawn at all while one
of a higher one can serve. Two are drawn at random and the better is taken: nearly as even as comparing all of them,
at a cost that does not grow with the pool, and no herd runs to the one that looks best
(Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
"""

from gephyr_core.scheduling.accounts import Account
from gephyr_core.scheduling.health import SLOW

_LEAST_SUCCESS = 0.05
_LEAST_QUOTA = 0.02


def score(account: Account, model: str, now: float) -> float:
    """Return how good a choice the account is for *model*: more than 0, and higher is better."""
    health, view = account.health, account.view
    value = account.weight / (1.0 + health.load(view.in_flight, now))
    if view.most_in_flight is not None:
        value *= 1.0 - view.in_flight / view.most_in_flight
    if view.organization.remaining:
        remaining = view.remaining(model)
        if remaining is not None:
            value *= max(_LEAST_QUOTA, remaining.share(now))
    value *= max(_LEAST_SUCCESS, health.success_rate(now))
    return value * SLOW / (SLOW + health.latency(now))


def better(first: Account, second: Account, model: str, now: float) -> tuple[Account, float, float]:
    """Return the better of two, with the scores of both; among equals the one idle for longer."""
    one, other = score(first, model, now), score(second, model, now)
    if other > one or (other == one and second.view.last_claim < first.view.last_claim):
        return second, one, other
    return first, one, other
