"""What a simulated OpenAI account stores: responses and conversations, the oldest forgotten beyond a limit."""

from typing import Any, TypeVar

import attrs

from gephyr.harness.providers.wire import RequestError

MAX_STORED = 1_000
"""Responses, and conversations, that are kept."""

T = TypeVar("T")


@attrs.define
class StoredResponse:
    """One response and the items it was asked with."""

    response: dict[str, Any]
    items: list[dict[str, Any]]
    ready_at: float
    """When a response made in the background is complete."""
    background: bool
    cancelled: bool = False

    def at(self, now: float) -> dict[str, Any]:
        """Return the response as it stands at *now*."""
        if not self.cancelled and now >= self.ready_at:
            return self.response
        status = "cancelled" if self.cancelled else "queued"
        return {**self.response, "status": status, "output": [], "usage": None, "incomplete_details": None}


@attrs.define
class StoredConversation:
    """One conversation and its items, oldest first."""

    conversation: dict[str, Any]
    items: list[dict[str, Any]]


@attrs.define
class OpenAIStore:
    """The objects of one account, by id."""

    responses: dict[str, StoredResponse] = attrs.field(factory=dict)
    conversations: dict[str, StoredConversation] = attrs.field(factory=dict)

    def keep_response(self, stored: StoredResponse) -> None:
        """Store a response."""
        _keep(self.responses, stored.response["id"], stored)

    def keep_conversation(self, stored: StoredConversation) -> None:
        """Store a conversation."""
        _keep(self.conversations, stored.conversation["id"], stored)

    def response(self, response_id: str) -> StoredResponse:
        """Find a response. Raises :class:`RequestError` (404)."""
        return _find(self.responses, response_id, "Response")

    def conversation(self, conversation_id: str) -> StoredConversation:
        """Find a conversation. Raises :class:`RequestError` (404)."""
        return _find(self.conversations, conversation_id, "Conversation")


def _keep(objects: dict[str, T], object_id: str, stored: T) -> None:
    objects[object_id] = stored
    if len(objects) > MAX_STORED:
        del objects[next(iter(objects))]


def _find(objects: dict[str, T], object_id: str, name: str) -> T:
    if object_id not in objects:
        raise RequestError(404, f"{name} with id '{object_id}' not found.")
    return objects[object_id]
