"""The simulated provider: one account's view of OpenAI, Anthropic and Gemini, without I/O, clock or tokenizer."""

import random
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import parse_qsl, unquote

import attrs

from gephyr.harness.providers import anthropic, gemini, openai_chat, openai_classifiers, openai_completions
from gephyr.harness.providers.errors import style_of
from gephyr.harness.providers.openai_conversations import OpenAIConversations
from gephyr.harness.providers.openai_responses import OpenAIResponses
from gephyr.harness.providers.openai_store import OpenAIStore
from gephyr.harness.providers.settings import SimulatedSettings
from gephyr.harness.providers.wire import Ids, Piece, Reply, Request, RequestError, Route
from gephyr_core.http import Header, Headers


@attrs.frozen
class SimulatedReply:
    """A reply and its timing."""

    status: int
    headers: Sequence[Header]
    """Lower-case names. A whole reply has a ``content-length``, a stream has none."""
    pieces: Iterable[tuple[float, bytes]]
    """Bytes, each with the seconds to let pass since the piece before; the head comes with the first piece. To be
    read once: a stream is made while it is read."""


class SimulatedProvider:
    """Answers requests in all four dialects, with the speed of its settings. Credentials are not looked at.

    The same *rng* state, requests and times give the same replies, byte for byte.
    """

    def __init__(self, settings: SimulatedSettings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._ids = Ids(rng)
        store = OpenAIStore()
        self._routes: tuple[Route, ...] = (
            *openai_chat.ROUTES,
            *openai_completions.ROUTES,
            *openai_classifiers.ROUTES,
            *OpenAIResponses(store).routes(),
            *OpenAIConversations(store).routes(),
            *anthropic.ROUTES,
            *gemini.ROUTES,
        )

    def respond(self, method: str, target: str, headers: Headers, body: bytes, now: float) -> SimulatedReply:
        """Answer one request. *target* is path and query, *now* is in seconds since the epoch."""
        path, _, query = target.partition("?")
        style = style_of(path)
        request_id = self._ids.new("req_")
        try:
            reply = self._answer(method, path, query, headers, body, now)
        except RequestError as error:
            reply = style.render(error, request_id)
        identified = ((style.id_header, request_id.encode()),) if style.id_header else ()
        return SimulatedReply(reply.status, (*reply.headers, *identified), self._timed(reply.pieces))

    def _answer(self, method: str, path: str, query: str, headers: Headers, body: bytes, now: float) -> Reply:
        known_path = False
        for candidate in self._routes:
            found = candidate.pattern.fullmatch(path)
            if found and candidate.method == method:
                names = {name: unquote(value) for name, value in found.groupdict().items()}
                request = Request(names, dict(parse_qsl(query)), headers, body, now, self._ids, self._settings)
                return candidate.handler(request)
            known_path = known_path or found is not None
        if known_path:
            raise RequestError(405, f"Method {method} is not allowed for {path}.")
        raise RequestError(404, f"Unknown path: {method} {path}.")

    def _timed(self, pieces: Iterable[Piece]) -> Iterator[tuple[float, bytes]]:
        delay = self._settings.first_byte(self._rng)
        for tokens, data in pieces:
            yield delay + self._settings.generation(tokens), data
            delay = 0.0
