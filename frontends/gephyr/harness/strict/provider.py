"""The strict provider: one account's view of OpenAI, Anthropic or Gemini, that refuses what the real ones refuse."""

import random
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import parse_qsl, unquote

from gephyr.harness.providers import SimulatedReply, SimulatedSettings
from gephyr.harness.providers.wire import Ids, Piece, Reply, Request, RequestError, route
from gephyr.harness.strict import anthropic, descriptions, gemini, openai_chat
from gephyr.harness.strict.openai_responses import ResponsesPlayer
from gephyr.harness.strict.refusal import RefusalError, anthropic_refusal, gemini_refusal, openai_refusal
from gephyr.harness.strict.signatures import Signer
from gephyr_core.http import Headers

_GEMINI_MODEL = "/v1(?:beta|alpha)?/models/(?P<model>[^:/]+)"
_MAX_REMEMBERED = 1_000
_REFUSED = (RefusalError, RequestError, KeyError, TypeError, AttributeError, ValueError, RecursionError)
"""All but the first two: a field is not what the checks took it for, such as a number in place of a message."""


class StrictProvider:
    """Answers in all four dialects, by the script, with the speed of its settings; and says what its models take.

    Credentials are not looked at. Signed reasoning counts as its own if it was made for the same organisation and
    model. The same *rng* state, requests and times give the same replies, byte for byte.
    """

    def __init__(
        self,
        organization: str = "org-strict",
        settings: SimulatedSettings | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """*organization* is whose account it is; without *settings* it answers at once."""
        self.refusals: list[str] = []
        """What was refused, oldest first, a bounded number."""
        self.requests: list[tuple[str, bytes]] = []
        """What was sent by POST, oldest first, a bounded number: paths and bodies."""
        self._settings = settings or SimulatedSettings(latency=0.0, pace=float("inf"))
        self._rng = rng or random.Random(0)
        self._ids = Ids(self._rng)
        signer = Signer()
        responses = ResponsesPlayer(organization, signer)

        def generate(request: Request) -> Reply:
            return gemini.answer_generate(request, organization, signer, streamed=False)

        def stream_generate(request: Request) -> Reply:
            return gemini.answer_generate(request, organization, signer, streamed=True)

        def messages(request: Request) -> Reply:
            return anthropic.answer_messages(request, organization, signer)

        self._routes = (
            route("POST", "/v1/chat/completions", openai_chat.answer_chat),
            route("POST", "/v1/responses", responses.answer),
            route("POST", "/v1/messages", messages),
            route("POST", "/v1/messages/count_tokens", anthropic.answer_count),
            route("GET", "/v1/models/(?P<model>[^:/]+)", descriptions.describe),
            route("GET", "/v1beta/models/(?P<model>[^:/]+)", descriptions.describe_gemini),
            route("POST", _GEMINI_MODEL + ":generateContent", generate),
            route("POST", _GEMINI_MODEL + ":streamGenerateContent", stream_generate),
            route("POST", _GEMINI_MODEL + ":countTokens", gemini.answer_count),
        )

    def respond(self, method: str, target: str, headers: Headers, body: bytes, now: float) -> SimulatedReply:
        """Answer one request. *target* is path and query, *now* is in seconds since the epoch."""
        path, _, query = target.partition("?")
        request_id = self._ids.new("req_")
        if method == "POST":
            self.requests.append((path, body))
        del self.requests[:-_MAX_REMEMBERED]
        try:
            reply = self._answer(method, path, query, headers, body, now)
        except _REFUSED as error:
            refused = (
                error if isinstance(error, RefusalError) else RefusalError(f"The request cannot be read: {error!r}")
            )
            self.refusals.append(refused.message)
            del self.refusals[:-_MAX_REMEMBERED]
            reply = _renderer(path, headers)(refused, request_id)
        id_header = b"request-id" if _is_anthropic(path, headers) else b"x-request-id"
        return SimulatedReply(
            reply.status, (*reply.headers, (id_header, request_id.encode())), self._timed(reply.pieces)
        )

    def _answer(self, method: str, path: str, query: str, headers: Headers, body: bytes, now: float) -> Reply:
        for candidate in self._routes:
            found = candidate.pattern.fullmatch(path)
            if found and method == candidate.method:
                names = {name: unquote(value) for name, value in found.groupdict().items()}
                request = Request(names, dict(parse_qsl(query)), headers, body, now, self._ids, self._settings)
                return candidate.handler(request)
        raise RefusalError(f"Invalid URL ({method} {path})", status=404)

    def _timed(self, pieces: Iterable[Piece]) -> Iterator[tuple[float, bytes]]:
        delay = self._settings.first_byte(self._rng)
        for tokens, data in pieces:
            yield delay + self._settings.generation(tokens), data
            delay = 0.0


def _renderer(path: str, headers: Headers) -> Callable[[RefusalError, str], Reply]:
    if _is_anthropic(path, headers):
        return anthropic_refusal
    return gemini_refusal if ":" in path or path.startswith("/v1beta/") else openai_refusal


def _is_anthropic(path: str, headers: Headers) -> bool:
    return path.startswith("/v1/messages") or any(name == b"anthropic-version" for name, _ in headers)
