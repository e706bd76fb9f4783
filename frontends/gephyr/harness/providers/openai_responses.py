"""OpenAI Responses: ``/v1/responses`` with its stored objects, compaction and token counting."""

from collections.abc import Iterator
from typing import Any

import attrs

from gephyr.harness.providers.openai_items import as_input_items, page
from gephyr.harness.providers.openai_response import (
    ResponseRequest,
    input_tokens_of,
    output_items,
    question_of,
    response_object,
    usage_object,
)
from gephyr.harness.providers.openai_response_events import events
from gephyr.harness.providers.openai_store import OpenAIStore, StoredResponse
from gephyr.harness.providers.speech import answer, signature_of, tokens_of
from gephyr.harness.providers.wire import (
    Object,
    Piece,
    Reply,
    Request,
    RequestError,
    Route,
    decode,
    route,
    sse,
    stream,
    whole,
)


@attrs.frozen
class OpenAIResponses:
    """The endpoints under ``/v1/responses``, over the objects that one provider stores."""

    store: OpenAIStore

    def routes(self) -> tuple[Route, ...]:
        """Return the routes; the longer paths stand before the ``{id}`` that would take them."""
        one = r"/v1/responses/(?P<id>[^/]+)"
        return (
            route("POST", "/v1/responses", self.create),
            route("POST", "/v1/responses/compact", self.compact),
            route("POST", "/v1/responses/input_tokens", self.input_tokens),
            route("GET", one, self.retrieve),
            route("DELETE", one, self.delete),
            route("POST", one + "/cancel", self.cancel),
            route("GET", one + "/input_items", self.input_items),
        )

    def create(self, request: Request) -> Reply:
        """Answer, streamed or not, and store the response unless ``store`` is false."""
        asked = decode(request.body, ResponseRequest)
        items = as_input_items(asked.input, request.ids)
        self._check(asked, items)
        said = answer(question_of(asked, items))
        output = output_items(asked, said, request.ids)
        response = response_object(asked, said, output, request)
        ready_at = request.now
        if asked.background and not asked.stream:
            ready_at += request.settings.latency + request.settings.generation(said.output_tokens)
        stored = StoredResponse(response, items, ready_at, background=bool(asked.background))
        if asked.store is not False:
            self.store.keep_response(stored)
            if asked.conversation_id is not None:
                self.store.conversation(asked.conversation_id).items.extend([*items, *output])
        if asked.stream:
            return stream(_sse(response, after=-1))
        if asked.background:
            return whole(stored.at(request.now))
        return whole(response, tokens=said.output_tokens)

    def _check(self, asked: ResponseRequest, items: list[dict[str, Any]]) -> None:
        """Refuse a request without input, and one that continues what is not stored here."""
        continues = asked.previous_response_id or asked.conversation_id or asked.prompt
        if not items and not continues:
            raise RequestError(400, "it is missing", param="input", missing=True)
        if asked.previous_response_id and asked.previous_response_id not in self.store.responses:
            raise RequestError(
                400,
                f"Previous response with id '{asked.previous_response_id}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        if asked.conversation_id is not None:
            self.store.conversation(asked.conversation_id)

    def retrieve(self, request: Request) -> Reply:
        """Give a stored response, or its events again from ``starting_after`` on."""
        stored = self.store.response(request.names["id"])
        if request.query.get("stream") != "true":
            return whole(stored.at(request.now))
        after = request.query.get("starting_after", "-1")
        if not after.lstrip("-").isdecimal():
            raise RequestError(400, "expected an integer", param="starting_after")
        return stream(_sse(stored.response, after=int(after)))

    def delete(self, request: Request) -> Reply:
        """Forget a stored response."""
        stored = self.store.response(request.names["id"])
        del self.store.responses[stored.response["id"]]
        return whole({"id": stored.response["id"], "object": "response.deleted", "deleted": True})

    def cancel(self, request: Request) -> Reply:
        """Cancel a response that is still made in the background; one that is complete stays so."""
        stored = self.store.response(request.names["id"])
        if not stored.background:
            raise RequestError(400, "Cannot cancel a synchronous response.")
        stored.cancelled = stored.cancelled or request.now < stored.ready_at
        return whole(stored.at(request.now))

    def input_items(self, request: Request) -> Reply:
        """List the items that a response was asked with."""
        return whole(page(self.store.response(request.names["id"]).items, request.query))

    def input_tokens(self, request: Request) -> Reply:
        """Count the input tokens of a request."""
        asked = decode(request.body, ResponseRequest)
        tokens = input_tokens_of(asked, as_input_items(asked.input, request.ids))
        return whole({"object": "response.input_tokens", "input_tokens": tokens})

    def compact(self, request: Request) -> Reply:
        """Compact a conversation into one opaque item."""
        asked = decode(request.body, ResponseRequest)
        items = as_input_items(asked.input, request.ids)
        self._check(asked, items)
        sealed = signature_of(f"{len(items)} items")
        output = {"id": request.ids.new("cmp_"), "type": "compaction", "encrypted_content": sealed}
        made = tokens_of(sealed)
        compacted = {
            "id": request.ids.new("resp_"),
            "object": "response.compaction",
            "created_at": int(request.now),
            "output": [output],
            "usage": usage_object(input_tokens_of(asked, items), made, 0),
        }
        return whole(compacted, tokens=made)


def _sse(response: Object, *, after: int) -> Iterator[Piece]:
    """Encode the events that led to *response*, from the one after the sequence number *after*."""
    for tokens, event in events(response):
        if event["sequence_number"] > after:
            yield tokens, sse(event, event=event["type"])
