"""Requests that are translated: what is asked on each leg of the route, and answers that need no provider."""

import base64
from collections.abc import Callable
from functools import partial

import attrs

from gephyr_core.commands import CancelQuestions, DescribeModel, FetchUrl
from gephyr_core.computing import LIGHTER
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import Inline
from gephyr_core.conversation.report import Fate, UntranslatableError
from gephyr_core.conversation.signed_blocks import LeftOut
from gephyr_core.dialects.anthropic.versions import USUAL
from gephyr_core.dialects.translator import FOREIGN, Destination, ReplyContext
from gephyr_core.errors import ErrorKind, Problem, quoted
from gephyr_core.events import TimePassed, UrlFetched, UrlFetchFailed
from gephyr_core.exchange.computing import compute
from gephyr_core.exchange.endings import finish, refuse, tell_failure
from gephyr_core.exchange.exchange import Exchange
from gephyr_core.exchange.plan import Asking, WritingCall
from gephyr_core.exchange.signers import organization_of
from gephyr_core.exchange.states import Fetching, Waiting
from gephyr_core.guards.body_limit import TOO_MUCH_HELD
from gephyr_core.providers.capabilities import capabilities_of, is_known
from gephyr_core.providers.targets import upstream_target
from gephyr_core.shared import Leg
from gephyr_core.translation.dialects import CLIENTS
from gephyr_core.translation.estimate import estimate_tokens
from gephyr_core.translation.memory import Memories
from gephyr_core.translation.reading import ReadingRequest, ReadRequest, WritingRequest
from gephyr_core.translation.requests import (
    MOST_URLS,
    TranslatedCall,
    reply_context,
)

_DEFAULT_MAX_TOKENS = 32768
_LONG_REPLY = 21333
"""Tokens above which a whole reply may take more than ten minutes (Anthropic's SDK refuses to wait for such a one): it
is collected from a stream, since connections that are silent for so long are cut."""
_FETCH_GRACE = 5.0
"""Seconds beyond the limit of a fetch until its answer is not waited for any more."""
MODEL_PATHS = {"anthropic": "/v1/models/{model}", "gemini": "/v1beta/models/{model}"}
"""Where the providers that tell it are asked what a model can do."""
_MODEL_HEADERS = {"anthropic": (USUAL,)}
_MOST_LEARNED = 1000
_REQUESTS_FAULT = (ErrorKind.BAD_REQUEST, ErrorKind.CONTEXT_TOO_LONG, ErrorKind.CONTENT_POLICY)
"""Failures to count tokens that no estimate may hide."""
ESTIMATED = (b"x-gephyr-estimated", b"input_tokens")
"""Marks a count of tokens that no provider made."""


def translated_call(exchange: Exchange, leg: Leg) -> TranslatedCall | None:
    """Return what was written for a translated leg. None: it counts tokens, and the leg's dialect cannot."""
    return exchange.translation.calls[leg]


def prepare(exchange: Exchange, now: float, go_on: Callable[[float], None]) -> bool:
    """Read the request for the legs that need it translated. False: there is something to be waited for first;
    *go_on* is called then."""
    exchange.translation.prepared = True
    request, operation, shared = exchange.request, exchange.request.endpoint.operation, exchange.shared
    memory: Memories | None = None
    if shared.memory is not None and exchange.request.owns:
        memory = shared.memory.of(exchange.request.owner, now, lasting=len(request.body) >= shared.heavy)
    dialects = dict.fromkeys(leg.dialect for leg in exchange.itinerary.translated_legs)
    job = ReadingRequest(
        operation.dialect,
        request.body,
        model=request.model or "",
        stream=request.stream,
        headers=request.headers,
        strict=shared.config.translation.strict,
        count=operation.counts,
        memory=memory,
        makers={one.block.name: one.maker[1] for one in request.made if one.block.name and one.maker[1]},
        fetched_for=tuple(dialects) if shared.config.translation.fetch_urls else (),
    )
    take = partial(request_translated, exchange, go_on)
    done = compute(exchange, job, take, partial(unless_fetching, exchange, go_on), len(request.body), now)
    return done and not isinstance(exchange.state, Fetching)


def unless_fetching(exchange: Exchange, go_on: Callable[[float], None], now: float) -> None:
    """A job is done that an account was not taken before: go on, unless there is something else first."""
    if not isinstance(exchange.state, Fetching):
        go_on(now)


def request_translated(
    exchange: Exchange, go_on: Callable[[float], None], read: Callable[[], ReadRequest], now: float
) -> None:
    """The request was read: decide what that means for the legs, and have addresses fetched."""
    try:
        found = read()
    except (FieldError, UntranslatableError) as error:
        for leg in exchange.itinerary.translated_legs:
            refuse_leg(exchange, leg, error)
        return
    exchange.translation.take(found)
    problem = exchange.kept.decide(exchange.request, exchange.shared.config.translation)
    if problem is not None:
        for leg in exchange.itinerary.translated_legs:
            exchange.itinerary.close(leg, problem)
        return
    split_by_organization(exchange)
    wanted: dict[str, str] = {}
    for leg in exchange.itinerary.legs:
        wanted.update(exchange.translation.wanted_urls.get(leg.dialect, {}))
    fetch(exchange, list(wanted)[:MOST_URLS], go_on, now)


def opens(exchange: Exchange, leg: Leg, now: float, go_on: Callable[[float], None]) -> bool:
    """Whether the request is ready to be asked on the leg. If not, the leg is closed, or the request is still being
    written for it, or has been answered: it counts tokens, and those are estimated."""
    closed = exchange.itinerary.closed
    if leg.without is not None and exchange.shared.config.translation.strict and leg not in closed:
        _refuse_strictly(exchange, leg, leg.without)
    if leg in closed or not is_written(exchange, leg, now, go_on) or leg in closed:
        return False
    if leg.dialect and translated_call(exchange, leg) is None:
        answer_estimate(exchange, now)
        return False
    return True


def is_written(exchange: Exchange, leg: Leg, now: float, go_on: Callable[[float], None]) -> bool:
    """Have the request written for the leg. False: that is waited for. A leg for which it cannot be is closed."""
    size = len(exchange.request.body)
    if not leg.dialect:
        weight = size / LIGHTER if leg.without is None else size
        heavy = weight >= exchange.shared.heavy
        if not heavy or leg in exchange.translation.passed_on:
            return True
        passing = _passing(exchange, leg)
        return compute(exchange, passing, partial(_passed_on, exchange, leg), go_on, weight, now)
    if leg in exchange.translation.calls:
        return True
    translation = attrs.evolve(exchange.translation.read())
    destination = _destination(exchange, leg)
    job = WritingRequest(translation, destination, asks_for_stream(exchange, leg))
    return compute(exchange, job, partial(_written, exchange, leg), go_on, size, now)


def _written(exchange: Exchange, leg: Leg, call: Callable[[], TranslatedCall | None], _now: float) -> None:
    try:
        exchange.translation.calls[leg] = call()
    except (FieldError, UntranslatableError) as error:
        refuse_leg(exchange, leg, error)


def _passed_on(exchange: Exchange, leg: Leg, asking: Callable[[], Asking], _now: float) -> None:
    exchange.translation.passed_on[leg] = asking()


def fetch(exchange: Exchange, urls: list[str], go_on: Callable[[float], None], now: float) -> None:
    """Ask for what stands at *urls*."""
    if not urls:
        return
    settings = exchange.shared.config.translation
    exchange.enter(Fetching(now + settings.fetch_timeout + _FETCH_GRACE, go_on, dict(enumerate(urls))))
    for number, url in enumerate(urls):
        exchange.shared.emit(FetchUrl(exchange.id, number, url, settings.fetch_max_bytes, settings.fetch_timeout))


def url_fetched(exchange: Exchange, state: Fetching, event: UrlFetched, now: float) -> None:
    """What stands at an address has come."""
    url = state.missing.pop(event.question, None)
    if url is not None:
        state.media[url] = Inline(event.media_type, base64.b64encode(event.data).decode())
        if not exchange.hold(exchange.held + len(event.data)):
            refuse(exchange, TOO_MUCH_HELD, now)
            return
    _fetched_one(exchange, state, now)


def url_fetch_failed(exchange: Exchange, state: Fetching, event: UrlFetchFailed, now: float) -> None:
    """An address could not be fetched: whoever can be given the address itself may serve the request."""
    url = state.missing.pop(event.question, None)
    if url is not None:
        _unfetchable(exchange, url, event.reason, ours=event.ours)
    _fetched_one(exchange, state, now)


def fetching_took_too_long(exchange: Exchange, state: Fetching, _event: TimePassed, now: float) -> None:
    """The answers that are missing are not waited for any more."""
    exchange.shared.emit(CancelQuestions(exchange.id))
    for url in state.missing.values():
        _unfetchable(exchange, url, "it did not come in time")
    state.missing.clear()
    _fetched_one(exchange, state, now)


def _fetched_one(exchange: Exchange, state: Fetching, now: float) -> None:
    if state.missing:
        return
    exchange.translation.read().inline(state.media)
    search = exchange.itinerary.search
    search.until = now + exchange.shared.config.scheduling.acquire_timeout
    exchange.enter(Waiting(search))
    state.go_on(now)


def _unfetchable(exchange: Exchange, url: str, reason: str, *, ours: bool = False) -> None:
    for leg in exchange.itinerary.translated_legs:
        if leg not in exchange.itinerary.closed:
            wanted = exchange.translation.wanted_urls.get(leg.dialect, {})
            if url in wanted:
                error = UntranslatableError(wanted[url], f"{quoted(url)} could not be fetched: {reason}")
                refuse_leg(exchange, leg, error, ours=ours)


def asks_for_stream(exchange: Exchange, leg: Leg) -> bool:
    """Whether a stream is asked for on the leg: the client wants one, or its whole reply is collected from one."""
    operation = exchange.request.endpoint.operation
    if exchange.request.stream or operation.counts or not operation.translates:
        return exchange.request.stream
    match leg.accounts[0].collect:
        case "always":
            return True
        case "auto" if leg.dialect:
            return (exchange.translation.read().prompt.sampling.max_tokens or 0) > _LONG_REPLY
    return False


def asking_on(exchange: Exchange, leg: Leg) -> Asking:
    """Return what is sent on the leg, which :meth:`is_open` found to be open."""
    if not leg.dialect:
        return exchange.translation.passed_on.get(leg) or _passing(exchange, leg)()
    call = translated_call(exchange, leg)
    assert call is not None
    return Asking(call.path, call.query, call.headers, call.body, asks_for_stream(exchange, leg), leg.target.model)


def _passing(exchange: Exchange, leg: Leg) -> WritingCall:
    """How the request is passed on to accounts that speak the client's dialect."""
    edits = None if leg.without is None else leg.without.edits
    return WritingCall(
        exchange.request, leg.target, asks_for_stream(exchange, leg) and not exchange.request.stream, edits
    )


def _refuse_strictly(exchange: Exchange, leg: Leg, left_out: LeftOut) -> None:
    dropped = left_out.report.paths(Fate.DROPPED)
    if dropped:
        reason = "is another organisation's, and would be left out (translation.strict)"
        refuse_leg(exchange, leg, left_out.report.refused(dropped[0], reason))


def note_losses(exchange: Exchange, leg: Leg) -> None:
    """The leg is taken: what its translation lost is what the client and the record are told."""
    written = translated_call(exchange, leg) if leg.dialect else leg.without
    exchange.reply.dropped = exchange.translation.begin_report(None if written is None else written.report)


def context_of(exchange: Exchange, now: float) -> ReplyContext:
    """Return what writing the reply needs to know; the same for each attempt."""
    if exchange.translation.context is None:
        exchange.translation.context = reply_context(
            exchange.translation.read().prompt,
            key=exchange.reply_key,
            created=int(now),
            model=exchange.request.model or "",
            stored=exchange.kept.keeps_reply,
            body=exchange.kept.body or exchange.request.body,
        )
    return exchange.translation.context


def split_by_organization(exchange: Exchange) -> None:
    """Divide the legs by who made the conversation's reasoning, what Gephyr remembered of it included."""
    makers, newest = exchange.translation.read().makers()
    if makers:
        exchange.itinerary.prefer(makers, exchange.dialect.name, newest)


def refuse_leg(exchange: Exchange, leg: Leg, error: FieldError | UntranslatableError, *, ours: bool = False) -> None:
    """Note that the request cannot be asked on *leg*, and what the client is told if no other leg is open. It may
    be *ours* to mend, and not the client's."""
    problem = Problem(ErrorKind.BAD_REQUEST, str(error)[:2000], param=error.path or None)
    if ours:
        problem = Problem(ErrorKind.UNAVAILABLE, str(error)[:2000], retry_after=1.0)
    exchange.itinerary.close(leg, problem)


def give_up(exchange: Exchange, now: float) -> None:
    """No account is left to ask. A translated count is estimated then, unless the request itself is at fault."""
    counts = exchange.request.endpoint.operation.counts and exchange.translation.request is not None
    if counts and exchange.failures and exchange.failures[-1].kind not in _REQUESTS_FAULT:
        answer_estimate(exchange, now)
    else:
        tell_failure(exchange, now)


def answer_estimate(exchange: Exchange, now: float) -> None:
    """Answer a count of tokens that no provider can make."""
    prompt = exchange.translation.read().prompt
    body = CLIENTS[exchange.request.endpoint.operation.dialect].write_count_reply(estimate_tokens(prompt))
    exchange.reply.whole(200, [(b"content-type", b"application/json"), ESTIMATED], body, now)
    finish(exchange, "ok", now)


def _ask_about(exchange: Exchange, leg: Leg) -> None:
    """Have the provider asked what a model can do that nobody here knows; this request does not wait for it."""
    learned, key = exchange.shared.learned, (leg.kind, leg.target.model)
    path = MODEL_PATHS.get(leg.dialect)
    if path is None or key in learned or len(learned) >= _MOST_LEARNED:
        return
    if is_known(leg.target.model):
        return
    learned[key] = None
    account = leg.accounts[0]
    target = upstream_target(account.base_path, path, model=leg.target.model, vertex=account.vertex)
    headers = [(b"accept-encoding", b"identity"), *_MODEL_HEADERS.get(leg.dialect, ())]
    route = exchange.shared.proxies.choose(account.id, exchange.started_at)
    if route is not None:
        exchange.shared.emit(DescribeModel(account.id, leg.target.model, account.origin, target, headers, route))


def _destination(exchange: Exchange, leg: Leg) -> Destination:
    shared = exchange.shared
    _ask_about(exchange, leg)
    learned = shared.learned.get((leg.kind, leg.target.model))
    return Destination(
        dialect=leg.dialect,
        provider=leg.kind,
        model=leg.target.model,
        capabilities=capabilities_of(leg.kind, leg.dialect, leg.target.model, shared.config.capabilities, learned),
        organization=organization_of(leg) or FOREIGN,
        default_max_tokens=shared.config.translation.default_max_tokens or _DEFAULT_MAX_TOKENS,
        hosted_tools=shared.config.translation.hosted_tools,
    )
