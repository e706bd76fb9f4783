"""Plays the script over OpenAI Responses."""

from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import msgspec

from gephyr.harness.providers.openai_response import usage_object
from gephyr.harness.providers.openai_response_events import events
from gephyr.harness.providers.wire import Ids, Object, Piece, Reply, Request, decode, sse, stream, text_of, whole
from gephyr.harness.strict.openai_input_checks import check_pairs, kind_of
from gephyr.harness.strict.openai_responses_checks import check_responses
from gephyr.harness.strict.openai_values import model_of
from gephyr.harness.strict.playing import arguments_of, image_of_url, input_tokens_of, output_tokens_of, tokens_of
from gephyr.harness.strict.refusal import RefusalError, objects
from gephyr.harness.strict.script import JSON_OBJECT, Call, Result, Seen, Step, next_step
from gephyr.harness.strict.signatures import Sealed, Signer

_MAX_STORED = 1_000


@attrs.define
class ResponsesPlayer:
    """Answers ``/v1/responses`` for one account, and keeps what it said."""

    organization: str
    signer: Signer
    responses: dict[str, list[dict[str, Any]]] = attrs.field(factory=dict)
    """What a stored response continues with: the items up to it and its output, by its id."""

    def answer(self, request: Request) -> Reply:
        """Answer a request for a response, streamed or not. Raises :class:`RefusalError`."""
        given = decode(request.body, dict[str, Any])
        check_responses(given, self.organization, self.signer)
        items = self._items(given)
        step = next_step(self._seen(given, items), _offered(given), _schema(given), forced=_forces(given))
        reasons = _reasons(given)
        output = [self._reasoning(given, step, request.ids)] if reasons else []
        output += _said(step, request.ids)
        made = output_tokens_of(step, thinking=reasons)
        usage = usage_object(input_tokens_of(items), made, tokens_of(step.thought) if reasons else 0)
        response = _response(given, output, usage, request)
        if given.get("store") is not False:
            self.responses[response["id"]] = [*items, *output]
            if len(self.responses) > _MAX_STORED:
                del self.responses[next(iter(self.responses))]
        return stream(_sse(response)) if given.get("stream") else whole(response, tokens=made)

    def _items(self, given: Object) -> list[dict[str, Any]]:
        """Return all items of the conversation, those before ``previous_response_id`` with them."""
        earlier: list[dict[str, Any]] = []
        previous = given.get("previous_response_id")
        if previous is not None:
            if previous not in self.responses:
                message = f"Previous response with id '{previous}' not found."
                raise RefusalError(message, param="previous_response_id", code="previous_response_not_found")
            earlier = self.responses[previous]
        new = given.get("input") or []
        if isinstance(new, str):
            new = [{"role": "user", "content": new}]
        stored = {item["id"]: item for items in self.responses.values() for item in items if item.get("id")}
        items = [*earlier, *(_resolved(item, stored) for item in new)]
        if not given.get("conversation"):  # What a conversation holds is not known here.
            check_pairs(items)
        self._check_reasons(items)
        return items

    def _check_reasons(self, items: Sequence[Object]) -> None:
        """Refuse a stored call without the reasoning that was said before it."""
        given = [item.get("id") for item in items]
        for response in self.responses.values():
            reasoning = ""
            for item in response:
                kind = kind_of(item)
                reasoning = item["id"] if kind == "reasoning" else "" if item.get("role") == "user" else reasoning
                if kind == "function_call" and item["id"] in given and reasoning and reasoning not in given:
                    message = (
                        f"Item '{item['id']}' of type 'function_call' was provided without its required 'reasoning' "
                        f"item: '{reasoning}'."
                    )
                    raise RefusalError(message, param="input")

    def _seen(self, given: Object, items: Sequence[Object]) -> Seen:
        seen = Seen(system=given.get("instructions") or "")
        for item in items:
            match kind_of(item):
                case "message":
                    _see_message(item, seen)
                case "function_call":
                    seen.calls.append(Call(item["name"], arguments_of(item["arguments"]), item["call_id"]))
                case "function_call_output":
                    images = [image_of_url(url) for url in _images(item["output"])]
                    seen.results[item["call_id"]] = Result(text_of(item["output"]), images=images)
                case "reasoning":
                    seen.thoughts += 1  # Its content is sealed and was checked, or it is stored here.
        return seen

    def _reasoning(self, given: Object, step: Step, ids: Ids) -> dict[str, Any]:
        item: dict[str, Any] = {"id": ids.new("rs_"), "type": "reasoning", "summary": []}
        if (given.get("reasoning") or {}).get("summary") is not None:
            item["summary"] = [{"type": "summary_text", "text": step.thought}]
        if "reasoning.encrypted_content" in (given.get("include") or ()):
            sealed = Sealed("openai", self.organization, given["model"], step.thought)
            item["encrypted_content"] = self.signer.sign(sealed)
        return item


def _resolved(item: dict[str, Any], stored: Object) -> dict[str, Any]:
    """Return the item itself, or the stored one it stands for."""
    kind = kind_of(item)
    if kind not in {"reasoning", "item_reference"} or item.get("encrypted_content"):
        return item
    found: dict[str, Any] | None = stored.get(str(item.get("id")))
    if found is None:
        message = (
            f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set to false. Try "
            "again with `store` set to true, or remove this item from your input."
        )
        raise RefusalError(message, status=404, param="input")
    return found


def _reasons(given: Object) -> bool:
    model = model_of(given) if "model" in given else None
    effort = (given.get("reasoning") or {}).get("effort")
    return model is not None and bool(model.efforts) and not model.samples(effort)


def _offered(given: Object) -> dict[str, Object]:
    choice = given.get("tool_choice")
    if choice == "none":
        return {}
    functions = [tool for tool in given.get("tools") or () if tool["type"] == "function"]
    named = choice["name"] if choice and _is_function(choice) else None
    return {tool["name"]: tool.get("parameters") or {} for tool in functions if named in {None, tool["name"]}}


def _forces(given: Object) -> bool:
    return given.get("tool_choice") == "required" or _is_function(given.get("tool_choice"))


def _is_function(choice: Any) -> bool:
    return isinstance(choice, dict) and choice.get("type") == "function"


def _schema(given: Object) -> Object | None:
    form = (given.get("text") or {}).get("format") or {}
    if form.get("type") == "json_schema":
        schema: Object = form["schema"]
        return schema
    return JSON_OBJECT if form.get("type") == "json_object" else None


def _see_message(item: Object, seen: Seen) -> None:
    text = text_of(item["content"])
    if item["role"] in {"system", "developer"}:
        seen.instruct(text)
    elif item["role"] == "user":
        seen.hear(text)
        seen.show(image_of_url(url) for url in _images(item["content"]))


def _images(content: Any) -> list[str]:
    parts = [part for part in objects(content) if part["type"] == "input_image"]
    return [part.get("image_url") or part["file_id"] for part in parts]


def _said(step: Step, ids: Ids) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if step.text:
        part = {"type": "output_text", "text": step.text, "annotations": [], "logprobs": []}
        message = {"id": ids.new("msg_"), "type": "message", "role": "assistant", "status": "completed"}
        items.append({**message, "content": [part]})
    for call in step.calls:
        arguments = msgspec.json.encode(call.arguments).decode()
        made = {"id": ids.new("fc_"), "type": "function_call", "call_id": ids.new("call_"), "name": call.name}
        items.append({**made, "arguments": arguments, "status": "completed"})
    return items


def _response(given: Object, output: list[dict[str, Any]], usage: Object, request: Request) -> dict[str, Any]:
    echoed = ("instructions", "max_output_tokens", "previous_response_id", "temperature", "top_p", "user")
    return {
        "id": request.ids.new("resp_"),
        "object": "response",
        "created_at": int(request.now),
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        **{name: given.get(name) for name in echoed},
        "metadata": given.get("metadata") or {},
        "model": given.get("model", "the-prompts-own"),
        "output": output,
        "parallel_tool_calls": given.get("parallel_tool_calls") is not False,
        "reasoning": {"effort": None, "summary": None, **(given.get("reasoning") or {})},
        "service_tier": "default",
        "store": given.get("store") is not False,
        "text": given.get("text") or {"format": {"type": "text"}},
        "tool_choice": given.get("tool_choice") or "auto",
        "tools": [_echoed(tool) for tool in given.get("tools") or ()],
        "truncation": given.get("truncation") or "disabled",
        "usage": usage,
    }


def _echoed(tool: Object) -> Object:
    """A function tool comes back with the keys that the object requires."""
    return {"parameters": None, "strict": True, **tool} if tool["type"] == "function" else tool


def _sse(response: Object) -> Iterator[Piece]:
    for tokens, event in events(response):
        yield tokens, sse(event, event=event["type"])
