"""From a complete request to the search for an account that serves it."""

from collections.abc import Callable

from msgspec.json import encode

from gephyr_core.envelope import EnvelopeError
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.exchange.attempting import acquire
from gephyr_core.exchange.body import Body
from gephyr_core.exchange.endings import refuse
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.plan import planned, rewritten
from gephyr_core.exchange.states import Waiting
from gephyr_core.guards.body_limit import TOO_MUCH_HELD
from gephyr_core.pins import RequestRefused
from gephyr_core.scheduling import Search


def set_out(exchange: Exchange, read: Callable[[], Body], now: float) -> None:
    """Make a plan for the body that *read* returns, which is complete and decoded, and take an account."""
    try:
        body = read()
        exchange.request, route = planned(exchange.shared, exchange.request, body, now)
    except RequestRefused as refusal:
        refuse(exchange, refusal.problem, now)
        return
    except EnvelopeError as error:
        refuse(exchange, Problem(ErrorKind.BAD_REQUEST, str(error), param=error.param), now)
        return
    expanded = len(exchange.request.body)
    if expanded != exchange.held and not exchange.hold(expanded):
        refuse(exchange, TOO_MUCH_HELD, now)
        return
    if exchange.request.renamed:
        exchange.renaming = [(encode(upstream_id), encode(seen)) for seen, upstream_id in exchange.request.renamed]
    if exchange.kept.conversation is not None:  # what is said has to come back in a form that can be kept
        route = rewritten(route, exchange.dialect.name)
    exchange.reply.sent_at = now  # keep-alives bridge the provider's silence, not the client's own upload
    until = now + exchange.shared.config.scheduling.acquire_timeout
    search = Search(exchange.id, exchange.request.session, exchange.request.tokens, now, until, exchange.request.owner)
    exchange.itinerary.begin(search, route)
    exchange.enter(Waiting(search))
    acquire(exchange, now)
