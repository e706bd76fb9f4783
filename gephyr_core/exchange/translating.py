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
from gephyr_core.exchange.keeping import Keeping
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


class Translating(Keeping):
    """Makes of a leg what is asked on it."""

    def translated_call(self, leg: Leg) -> TranslatedCall | None:
        """Return what was written for a translated leg. None: it counts tokens, and the leg's dialect cannot."""
        return self.translation.calls[leg]

    def prepare(self, now: float) -> bool:
        """Read the request for the legs that need it translated. False: there is something to be waited for first."""
        self.translation.prepared = True
        request, operation, shared = self.request, self.request.endpoint.operation, self.shared
        memory: Memories | None = None
        if shared.memory is not None and self.request.owns:
            memory = shared.memory.of(self.request.owner, now, lasting=len(request.body) >= shared.heavy)
        dialects = dict.fromkeys(leg.dialect for leg in self.itinerary.translated_legs)
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
        return self.compute(job, self.request_translated, self.go_on, len(request.body), now) and not self._is_fetching

    def go_on(self, now: float) -> None:
        """A job is done that an account was not taken before: take one, unless there is something else first."""
        if not self._is_fetching:
            self.acquire(now)

    def request_translated(self, read: Callable[[], ReadRequest], now: float) -> None:
        """The request was read: decide what that means for the legs, and have addresses fetched."""
        try:
            found = read()
        except (FieldError, UntranslatableError) as error:
            for leg in self.itinerary.translated_legs:
                self.refuse_leg(leg, error)
            return
        self.translation.take(found)
        problem = self.kept.decide(self.request, self.shared.config.translation)
        if problem is not None:
            for leg in self.itinerary.translated_legs:
                self.itinerary.close(leg, problem)
            return
        self.split_by_organization()
        wanted: dict[str, str] = {}
        for leg in self.itinerary.legs:
            wanted.update(self.translation.wanted_urls.get(leg.dialect, {}))
        self.fetch(list(wanted)[:MOST_URLS], now)

    def opens(self, leg: Leg, now: float) -> bool:
        """Whether the request is ready to be asked on the leg. If not, the leg is closed, or the request is still being
        written for it, or has been answered: it counts tokens, and those are estimated."""
        closed = self.itinerary.closed
        if leg.without is not None and self.shared.config.translation.strict and leg not in closed:
            self._refuse_strictly(leg, leg.without)
        if leg in closed or not self.is_written(leg, now) or leg in closed:
            return False
        if leg.dialect and self.translated_call(leg) is None:
            self.answer_estimate(now)
            return False
        return True

    def is_written(self, leg: Leg, now: float) -> bool:
        """Have the request written for the leg. False: that is waited for. A leg for which it cannot be is closed."""
        size = len(self.request.body)
        if not leg.dialect:
            weight = size / LIGHTER if leg.without is None else size
            heavy = weight >= self.shared.heavy
            if not heavy or leg in self.translation.passed_on:
                return True
            passing = self._passing(leg)
            return self.compute(passing, partial(self._passed_on, leg), self.acquire, weight, now)
        if leg in self.translation.calls:
            return True
        translation = attrs.evolve(self.translation.read())
        destination = self._destination(leg)
        job = WritingRequest(translation, destination, self.asks_for_stream(leg))
        return self.compute(job, partial(self._written, leg), self.acquire, size, now)

    def _written(self, leg: Leg, call: Callable[[], TranslatedCall | None], _now: float) -> None:
        try:
            self.translation.calls[leg] = call()
        except (FieldError, UntranslatableError) as error:
            self.refuse_leg(leg, error)

    def _passed_on(self, leg: Leg, asking: Callable[[], Asking], _now: float) -> None:
        self.translation.passed_on[leg] = asking()

    @property
    def _is_fetching(self) -> bool:
        return isinstance(self.state, Fetching)

    def fetch(self, urls: list[str], now: float) -> None:
        """Ask for what stands at *urls*."""
        if not urls:
            return
        settings = self.shared.config.translation
        self.enter(Fetching(now + settings.fetch_timeout + _FETCH_GRACE, dict(enumerate(urls))))
        for number, url in enumerate(urls):
            self.shared.emit(FetchUrl(self.id, number, url, settings.fetch_max_bytes, settings.fetch_timeout))

    def url_fetched(self, state: Fetching, event: UrlFetched, now: float) -> None:
        """What stands at an address has come."""
        url = state.missing.pop(event.question, None)
        if url is not None:
            state.media[url] = Inline(event.media_type, base64.b64encode(event.data).decode())
            if not self.hold(self.held + len(event.data)):
                self.refuse(TOO_MUCH_HELD, now)
                return
        self._fetched_one(state, now)

    def url_fetch_failed(self, state: Fetching, event: UrlFetchFailed, now: float) -> None:
        """An address could not be fetched: whoever can be given the address itself may serve the request."""
        url = state.missing.pop(event.question, None)
        if url is not None:
            self._unfetchable(url, event.reason, ours=event.ours)
        self._fetched_one(state, now)

    def fetching_took_too_long(self, state: Fetching, _event: TimePassed, now: float) -> None:
        """The answers that are missing are not waited for any more."""
        self.shared.emit(CancelQuestions(self.id))
        for url in state.missing.values():
            self._unfetchable(url, "it did not come in time")
        state.missing.clear()
        self._fetched_one(state, now)

    def _fetched_one(self, state: Fetching, now: float) -> None:
        if state.missing:
            return
        self.translation.read().inline(state.media)
        search = self.itinerary.search
        search.until = now + self.shared.config.scheduling.acquire_timeout
        self.enter(Waiting(search))
        self.acquire(now)

    def _unfetchable(self, url: str, reason: str, *, ours: bool = False) -> None:
        for leg in self.itinerary.translated_legs:
            if leg not in self.itinerary.closed:
                wanted = self.translation.wanted_urls.get(leg.dialect, {})
                if url in wanted:
                    error = UntranslatableError(wanted[url], f"{quoted(url)} could not be fetched: {reason}")
                    self.refuse_leg(leg, error, ours=ours)

    def acquire(self, now: float) -> None:
        """Take an account and call it; wait for one; or give up."""
        raise NotImplementedError

    def asks_for_stream(self, leg: Leg) -> bool:
        """Whether a stream is asked for on the leg: the client wants one, or its whole reply is collected from one."""
        operation = self.request.endpoint.operation
        if self.request.stream or operation.counts or not operation.translates:
            return self.request.stream
        match leg.accounts[0].collect:
            case "always":
                return True
            case "auto" if leg.dialect:
                return (self.translation.read().prompt.sampling.max_tokens or 0) > _LONG_REPLY
        return False

    def asking(self, leg: Leg) -> Asking:
        """Return what is sent on the leg, which :meth:`is_open` found to be open."""
        if not leg.dialect:
            return self.translation.passed_on.get(leg) or self._passing(leg)()
        call = self.translated_call(leg)
        assert call is not None
        return Asking(call.path, call.query, call.headers, call.body, self.asks_for_stream(leg), leg.target.model)

    def _passing(self, leg: Leg) -> WritingCall:
        """How the request is passed on to accounts that speak the client's dialect."""
        edits = None if leg.without is None else leg.without.edits
        return WritingCall(self.request, leg.target, self.asks_for_stream(leg) and not self.request.stream, edits)

    def _refuse_strictly(self, leg: Leg, left_out: LeftOut) -> None:
        dropped = left_out.report.paths(Fate.DROPPED)
        if dropped:
            reason = "is another organisation's, and would be left out (translation.strict)"
            self.refuse_leg(leg, left_out.report.refused(dropped[0], reason))

    def note_losses(self, leg: Leg) -> None:
        """The leg is taken: what its translation lost is what the client and the record are told."""
        written = self.translated_call(leg) if leg.dialect else leg.without
        self.reply.dropped = self.translation.begin_report(None if written is None else written.report)

    def context(self, now: float) -> ReplyContext:
        """Return what writing the reply needs to know; the same for each attempt."""
        if self.translation.context is None:
            self.translation.context = reply_context(
                self.translation.read().prompt,
                key=self.reply_key,
                created=int(now),
                model=self.request.model or "",
                stored=self.kept.keeps_reply,
                body=self.kept.body or self.request.body,
            )
        return self.translation.context

    def split_by_organization(self) -> None:
        """Divide the legs by who made the conversation's reasoning, what Gephyr remembered of it included."""
        makers, newest = self.translation.read().makers()
        if makers:
            self.itinerary.prefer(makers, self.dialect.name, newest)

    def refuse_leg(self, leg: Leg, error: FieldError | UntranslatableError, *, ours: bool = False) -> None:
        """Note that the request cannot be asked on *leg*, and what the client is told if no other leg is open. It may
        be *ours* to mend, and not the client's."""
        problem = Problem(ErrorKind.BAD_REQUEST, str(error)[:2000], param=error.path or None)
        if ours:
            problem = Problem(ErrorKind.UNAVAILABLE, str(error)[:2000], retry_after=1.0)
        self.itinerary.close(leg, problem)

    def give_up(self, now: float) -> None:
        """No account is left to ask. A translated count is estimated then, unless the request itself is at fault."""
        counts = self.request.endpoint.operation.counts and self.translation.request is not None
        if counts and self.failures and self.failures[-1].kind not in _REQUESTS_FAULT:
            self.answer_estimate(now)
        else:
            super().give_up(now)

    def answer_estimate(self, now: float) -> None:
        """Answer a count of tokens that no provider can make."""
        prompt = self.translation.read().prompt
        body = CLIENTS[self.request.endpoint.operation.dialect].write_count_reply(estimate_tokens(prompt))
        self.reply.whole(200, [(b"content-type", b"application/json"), ESTIMATED], body, now)
        self.finish("ok", now)

    def _ask_about(self, leg: Leg) -> None:
        """Have the provider asked what a model can do that nobody here knows; this request does not wait for it."""
        learned, key = self.shared.learned, (leg.kind, leg.target.model)
        path = MODEL_PATHS.get(leg.dialect)
        if path is None or key in learned or len(learned) >= _MOST_LEARNED:
            return
        if is_known(leg.target.model):
            return
        learned[key] = None
        account = leg.accounts[0]
        target = upstream_target(account.base_path, path, model=leg.target.model, vertex=account.vertex)
        headers = [(b"accept-encoding", b"identity"), *_MODEL_HEADERS.get(leg.dialect, ())]
        route = self.shared.proxies.choose(account.id, self.started_at)
        if route is not None:
            self.shared.emit(DescribeModel(account.id, leg.target.model, account.origin, target, headers, route))

    def _destination(self, leg: Leg) -> Destination:
        shared = self.shared
        self._ask_about(leg)
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
