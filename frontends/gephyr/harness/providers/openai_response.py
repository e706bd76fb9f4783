"""The Response object of OpenAI Responses: how a request is read, and what the reply to it looks like."""

from typing import Any

import msgspec

from gephyr.harness.providers.openai_common import choice_of, limit_of
from gephyr.harness.providers.speech import (
    Answer,
    OfferedTool,
    Question,
    Stop,
    signature_of,
    tokens_of_json,
)
from gephyr.harness.providers.wire import Ids, Object, Request, convert, text_of

_RESULTS = {"function_call_output", "custom_tool_call_output"}


class Reasoning(msgspec.Struct, omit_defaults=True):
    """``reasoning``."""

    effort: str | None = None
    summary: str | None = None
    mode: str | None = None
    context: str | None = None


class TextFormat(msgspec.Struct):
    """``text.format``."""

    type: str = "text"
    schema: dict[str, Any] | None = None


class TextConfig(msgspec.Struct):
    """``text``."""

    format: TextFormat | None = None


class ResponseRequest(msgspec.Struct):
    """The fields of a request that matter here or come back in the reply; others are ignored."""

    model: str
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    text: dict[str, Any] | None = None
    include: list[str] | None = None
    max_output_tokens: int | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    store: bool | None = None
    background: bool | None = None
    stream: bool | None = None
    metadata: dict[str, str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    truncation: str | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None

    @property
    def conversation_id(self) -> str | None:
        """The id in ``conversation``, which may be given bare or in an object."""
        given = self.conversation
        return given if given is None or isinstance(given, str) else str(given.get("id"))


def question_of(asked: ResponseRequest, items: list[dict[str, Any]]) -> Question:
    """Reduce a request to what the simulated model looks at."""
    users = [item for item in items if item["type"] == "message" and item.get("role") == "user"]
    results: list[str] = []
    for item in reversed(items):
        if item["type"] not in _RESULTS:
            break
        results.insert(0, text_of(item.get("output")))
    choice, tools = choice_of(asked.tool_choice, [tool for tool in map(_tool, asked.tools or ()) if tool])
    form = convert(asked.text or {}, TextConfig).format or TextFormat()
    reasoning = asked.reasoning or Reasoning()
    return Question(
        model=asked.model,
        text=text_of(users[-1]["content"]) if users else "",
        input_tokens=input_tokens_of(asked, items),
        result="\n".join(results) if results else None,
        tools=tools,
        choice=choice,
        parallel=asked.parallel_tool_calls is not False,
        json=form.type in {"json_object", "json_schema"},
        schema=form.schema,
        thinks=reasoning.effort not in {None, "none"} or reasoning.summary is not None,
        max_tokens=limit_of("max_output_tokens", asked.max_output_tokens),
    )


def input_tokens_of(asked: ResponseRequest, items: list[dict[str, Any]]) -> int:
    """Estimate the input tokens of a request."""
    return tokens_of_json(items or None, asked.instructions, asked.tools, asked.text)


def _tool(tool: Object) -> OfferedTool | None:
    """Read a tool that the client runs; hosted tools are never called."""
    if not isinstance(tool.get("name"), str):
        return None
    if tool.get("type") == "function":
        return OfferedTool(tool["name"], convert(tool.get("parameters") or {}, dict[str, Any]))
    return OfferedTool(tool["name"], None) if tool.get("type") == "custom" else None


def output_items(asked: ResponseRequest, said: Answer, ids: Ids) -> list[dict[str, Any]]:
    """Return the output: reasoning, then calls or a message."""
    items: list[dict[str, Any]] = []
    if said.thought:
        items.append(_reasoning_item(asked, said, ids))
    status = "incomplete" if said.stop is Stop.LENGTH else "completed"
    if said.text:
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        message = {"id": ids.new("msg_"), "type": "message", "role": "assistant"}
        items.append({**message, "status": status, "content": [part]})
    for call in said.calls:
        base = {"call_id": ids.new("call_"), "name": call.name, "status": "completed"}
        if call.freeform:
            custom = {"id": ids.new("ctc_"), "type": "custom_tool_call", "input": call.arguments}
            items.append({**custom, **base})
        else:
            function = {"id": ids.new("fc_"), "type": "function_call", "arguments": call.arguments}
            items.append({**function, **base})
    return items


def _reasoning_item(asked: ResponseRequest, said: Answer, ids: Ids) -> dict[str, Any]:
    item: dict[str, Any] = {"id": ids.new("rs_"), "type": "reasoning", "summary": []}
    if asked.reasoning is not None and asked.reasoning.summary is not None:
        item["summary"] = [{"type": "summary_text", "text": said.thought}]
    if "reasoning.encrypted_content" in (asked.include or ()):
        item["encrypted_content"] = signature_of(said.thought)
    return item


def response_object(
    asked: ResponseRequest, said: Answer, output: list[dict[str, Any]], request: Request
) -> dict[str, Any]:
    """Return the complete Response."""
    cut = said.stop is Stop.LENGTH
    conversation = asked.conversation_id
    return {
        "id": request.ids.new("resp_"),
        "object": "response",
        "created_at": int(request.now),
        "status": "incomplete" if cut else "completed",
        "background": asked.background is True,
        "conversation": None if conversation is None else {"id": conversation},
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": asked.instructions,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata or {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": asked.parallel_tool_calls is not False,
        "previous_response_id": asked.previous_response_id,
        "prompt_cache_key": asked.prompt_cache_key,
        "reasoning": asked.reasoning or {"effort": None, "summary": None},
        "safety_identifier": asked.safety_identifier,
        "service_tier": "default",
        "store": asked.store is not False,
        "temperature": asked.temperature,
        "text": asked.text or {"format": {"type": "text"}},
        "tool_choice": asked.tool_choice or "auto",
        "tools": [_echoed(tool) for tool in asked.tools or ()],
        "top_p": asked.top_p,
        "truncation": asked.truncation or "disabled",
        "usage": usage_object(said.input_tokens, said.output_tokens, said.reasoning_tokens),
        "user": asked.user,
    }


def _echoed(tool: Object) -> Object:
    """A function tool comes back with the keys that the object requires."""
    return {"parameters": None, "strict": True, **tool} if tool.get("type") == "function" else tool


def usage_object(input_tokens: int, output_tokens: int, reasoning_tokens: int) -> Object:
    """Return a usage with all fields that the object requires."""
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "total_tokens": input_tokens + output_tokens,
    }
