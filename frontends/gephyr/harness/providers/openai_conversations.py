"""OpenAI Conversations: ``/v1/conversations`` and their items."""

from typing import Any

import attrs
import msgspec

from gephyr.harness.providers.openai_items import as_input_items, page
from gephyr.harness.providers.openai_store import OpenAIStore, StoredConversation
from gephyr.harness.providers.wire import Reply, Request, RequestError, Route, decode, route, whole


class ConversationRequest(msgspec.Struct):
    """The body of a creation or an update."""

    items: list[dict[str, Any]] | None = None
    metadata: dict[str, str] | None = None


class ItemsRequest(msgspec.Struct):
    """The body that adds items."""

    items: list[dict[str, Any]]


@attrs.frozen
class OpenAIConversations:
    """The endpoints under ``/v1/conversations``, over the objects that one provider stores."""

    store: OpenAIStore

    def routes(self) -> tuple[Route, ...]:
        """Return the routes."""
        one = r"/v1/conversations/(?P<id>[^/]+)"
        item = one + r"/items/(?P<item>[^/]+)"
        return (
            route("POST", "/v1/conversations", self.create),
            route("GET", one, self.retrieve),
            route("POST", one, self.update),
            route("DELETE", one, self.delete),
            route("POST", one + "/items", self.add_items),
            route("GET", one + "/items", self.list_items),
            route("GET", item, self.retrieve_item),
            route("DELETE", item, self.delete_item),
        )

    def create(self, request: Request) -> Reply:
        """Start a conversation, with items if some are given."""
        asked = decode(request.body or b"{}", ConversationRequest)
        conversation = {
            "id": request.ids.new("conv_"),
            "object": "conversation",
            "created_at": int(request.now),
            "metadata": asked.metadata or {},
        }
        items = as_input_items(asked.items, request.ids)
        self.store.keep_conversation(StoredConversation(conversation, items))
        return whole(conversation)

    def retrieve(self, request: Request) -> Reply:
        """Give a conversation, without its items."""
        return whole(self._found(request).conversation)

    def update(self, request: Request) -> Reply:
        """Replace the metadata."""
        asked = decode(request.body, ConversationRequest)
        conversation = self._found(request).conversation
        conversation["metadata"] = asked.metadata or {}
        return whole(conversation)

    def delete(self, request: Request) -> Reply:
        """Forget a conversation."""
        conversation_id = self._found(request).conversation["id"]
        del self.store.conversations[conversation_id]
        return whole({"id": conversation_id, "object": "conversation.deleted", "deleted": True})

    def add_items(self, request: Request) -> Reply:
        """Append items, and give them back in their stored form."""
        stored = self._found(request)
        added = as_input_items(decode(request.body, ItemsRequest).items, request.ids)
        stored.items.extend(added)
        return whole(page(added, {"order": "asc", "limit": "100"}))

    def list_items(self, request: Request) -> Reply:
        """List the items, newest first if not asked otherwise."""
        return whole(page(self._found(request).items, request.query))

    def retrieve_item(self, request: Request) -> Reply:
        """Give one item."""
        return whole(self._item(request))

    def delete_item(self, request: Request) -> Reply:
        """Remove one item, and give the conversation."""
        stored = self._found(request)
        stored.items.remove(self._item(request))
        return whole(stored.conversation)

    def _found(self, request: Request) -> StoredConversation:
        return self.store.conversation(request.names["id"])

    def _item(self, request: Request) -> dict[str, Any]:
        for item in self._found(request).items:
            if item["id"] == request.names["item"]:
                return item
        raise RequestError(404, f"Item with id '{request.names['item']}' not found.")
