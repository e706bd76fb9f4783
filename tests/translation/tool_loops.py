"""Each SDK driving the strict provider's conversation to its end, as a program with tools would."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from gephyr.harness.strict.script import TOOLS

SYSTEM = "Answer carefully."
QUESTION = "How are Paris and Oslo, and can you open the door?"
MAX_TURNS = 8
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PNG_TEXT = base64.b64encode(PNG).decode()
PNG_URL = f"data:image/png;base64,{PNG_TEXT}"


@attrs.frozen
class Output:
    """What a tool gives."""

    text: str
    image: bool = False
    error: bool = False


def run_tool(name: str, arguments: dict[str, Any]) -> Output:
    """Run one of the script's tools."""
    match name:
        case "get_weather":
            return Output(f"{len(arguments['city'])} degrees in {arguments['city']}")
        case "plan_route":
            return Output(json.dumps({"stops": len(arguments["places"]), "train": arguments["by_train"]}))
        case "take_photo":
            assert arguments == {}
            return Output("Here is the photo.", image=True)
    return Output("The door is stuck.", error=True)


async def chat_loop(client: Any, model: str, *, streamed: bool, reasons: bool) -> str:
    """Drive the openai SDK's Chat Completions. A tool's image follows the results in a user's message."""
    functions = [{"name": n, "description": d, "parameters": s} for n, (d, s) in TOOLS.items()]
    messages: list[Any] = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
    asked: dict[str, Any] = {"model": model, "tools": [{"type": "function", "function": f} for f in functions]}
    asked |= {"reasoning_effort": "medium"} if reasons else {}
    for _ in range(MAX_TURNS):
        answer = _chat_streamed if streamed else _chat_whole
        message = await answer(client, asked | {"messages": messages})
        if not message.get("tool_calls"):
            return str(message["content"])
        messages.append(message)
        images = []
        for call in message["tool_calls"]:
            output = run_tool(call["function"]["name"], json.loads(call["function"]["arguments"]))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": output.text})
            images += [{"type": "image_url", "image_url": {"url": PNG_URL}}] if output.image else []
        if images:
            messages.append({"role": "user", "content": images})
    raise AssertionError(f"no end after {MAX_TURNS} turns")


async def _chat_whole(client: Any, asked: dict[str, Any]) -> dict[str, Any]:
    reply = await client.chat.completions.create(**asked)
    message: dict[str, Any] = reply.choices[0].message.model_dump(exclude_none=True)
    assert (reply.choices[0].finish_reason == "tool_calls") == ("tool_calls" in message)
    return message


async def _chat_streamed(client: Any, asked: dict[str, Any]) -> dict[str, Any]:
    """Gather a stream as plain programs do: the known fields, and nothing else."""
    text, calls = "", {}
    async for chunk in await client.chat.completions.create(**asked, stream=True):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for delta in choice.delta.tool_calls or ():
                if delta.id:
                    function = {"name": delta.function.name, "arguments": ""}
                    calls[delta.index] = {"id": delta.id, "type": "function", "function": function}
                calls[delta.index]["function"]["arguments"] += delta.function.arguments or ""
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    return message | {"tool_calls": list(calls.values())} if calls else message


async def responses_loop(client: Any, model: str, *, streamed: bool, reasons: bool) -> str:
    """Drive the openai SDK's Responses without stored state, as Codex does."""
    tools = [
        {"type": "function", "name": n, "description": d, "parameters": s, "strict": False}
        for n, (d, s) in TOOLS.items()
    ]
    items: list[Any] = [{"role": "user", "content": QUESTION}]
    asked: dict[str, Any] = {"model": model, "instructions": SYSTEM, "tools": tools, "store": False}
    if reasons:
        asked |= {"reasoning": {"effort": "medium", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    for _ in range(MAX_TURNS):
        response = await _response(client, asked | {"input": items}, streamed=streamed)
        outputs = [_function_output(item) for item in response.output if item.type == "function_call"]
        if not outputs:
            return str(response.output_text)
        items += [item.model_dump(exclude_none=True, exclude={"status"}) for item in response.output]
        items += outputs
    raise AssertionError(f"no end after {MAX_TURNS} turns")


async def stored_responses_loop(client: Any, model: str, *, streamed: bool) -> str:
    """Drive the openai SDK's Responses, each turn continuing the stored one before."""
    tools = [
        {"type": "function", "name": n, "description": d, "parameters": s, "strict": False}
        for n, (d, s) in TOOLS.items()
    ]
    asked: dict[str, Any] = {"model": model, "instructions": SYSTEM, "tools": tools}
    asked |= {"input": QUESTION, "reasoning": {"effort": "medium"}}
    for _ in range(MAX_TURNS):
        response = await _response(client, asked, streamed=streamed)
        outputs = [_function_output(item) for item in response.output if item.type == "function_call"]
        if not outputs:
            return str(response.output_text)
        asked |= {"input": outputs, "previous_response_id": response.id}
    raise AssertionError(f"no end after {MAX_TURNS} turns")


async def _response(client: Any, asked: dict[str, Any], *, streamed: bool) -> Any:
    if not streamed:
        return await client.responses.create(**asked)
    async with client.responses.stream(**asked) as stream:
        return await stream.get_final_response()


def _function_output(call: Any) -> dict[str, Any]:
    output = run_tool(call.name, json.loads(call.arguments))
    told: Any = output.text
    if output.image:
        told = [{"type": "input_text", "text": output.text}, {"type": "input_image", "image_url": PNG_URL}]
    return {"type": "function_call_output", "call_id": call.call_id, "output": told}


async def anthropic_loop(client: Any, model: str, *, streamed: bool, reasons: bool) -> str:
    """Drive the anthropic SDK, giving its blocks back as they came."""
    tools = [{"name": n, "description": d, "input_schema": s} for n, (d, s) in TOOLS.items()]
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    asked: dict[str, Any] = {"model": model, "max_tokens": 4096, "system": SYSTEM, "tools": tools}
    if reasons:
        manual = {"type": "enabled", "budget_tokens": 2048}
        asked["thinking"] = manual if "4-5" in model else {"type": "adaptive"}
    for _ in range(MAX_TURNS):
        if streamed:
            async with client.messages.stream(**asked, messages=messages) as stream:
                message = await stream.get_final_message()
        else:
            message = await client.messages.create(**asked, messages=messages)
        results = [_tool_result(block) for block in message.content if block.type == "tool_use"]
        assert (message.stop_reason == "tool_use") == bool(results)
        if not results:
            return "".join(block.text for block in message.content if block.type == "text")
        messages += [{"role": "assistant", "content": message.content}, {"role": "user", "content": results}]
    raise AssertionError(f"no end after {MAX_TURNS} turns")


def _tool_result(call: Any) -> dict[str, Any]:
    output = run_tool(call.name, call.input)
    content: list[dict[str, Any]] = [{"type": "text", "text": output.text}]
    if output.image:
        source = {"type": "base64", "media_type": "image/png", "data": PNG_TEXT}
        content.append({"type": "image", "source": source})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": content}
    return result | {"is_error": True} if output.error else result


async def gemini_loop(client: Any, model: str, *, streamed: bool, reasons: bool) -> str:
    """Drive the google-genai SDK, giving its parts back as they came."""
    from google.genai import types

    declared = [{"name": n, "description": d, "parameters_json_schema": s} for n, (d, s) in TOOLS.items()]
    config: dict[str, Any] = {"system_instruction": SYSTEM, "tools": [{"function_declarations": declared}]}
    config |= {"thinking_config": {"include_thoughts": True}} if reasons else {}
    contents: list[Any] = [types.Content(role="user", parts=[types.Part(text=QUESTION)])]
    for _ in range(MAX_TURNS):
        if streamed:
            replies = client.models.generate_content_stream(model=model, contents=contents, config=config)
            parts = [part async for chunk in await replies for part in chunk.candidates[0].content.parts or ()]
        else:
            reply = await client.models.generate_content(model=model, contents=contents, config=config)
            parts = reply.candidates[0].content.parts
        answers: list[Any] = []
        for part in parts:
            if part.function_call:
                answers += _function_response(part.function_call, types, beside=model.startswith("gemini-2"))
        if not answers:
            return "".join(part.text for part in parts if part.text and not part.thought)
        contents += [types.Content(role="model", parts=parts), types.Content(role="user", parts=answers)]
    raise AssertionError(f"no end after {MAX_TURNS} turns")


def _function_response(call: Any, types: Any, *, beside: bool) -> list[Any]:
    """*beside*: an image stands beside the response (Gemini 2.5), else inside."""
    output = run_tool(call.name, call.args or {})
    answer = types.FunctionResponse(
        id=call.id, name=call.name, response={"error" if output.error else "output": output.text}
    )
    if output.image and not beside:
        blob = types.FunctionResponseBlob(mime_type="image/png", data=PNG)
        answer.parts = [types.FunctionResponsePart(inline_data=blob)]
    parts = [types.Part(function_response=answer)]
    if output.image and beside:
        parts.append(types.Part(inline_data=types.Blob(mime_type="image/png", data=PNG)))
    return parts


LOOPS: dict[str, Callable[..., Awaitable[str]]] = {
    "openai-chat": chat_loop,
    "openai-responses": responses_loop,
    "anthropic": anthropic_loop,
    "gemini": gemini_loop,
}
"""How a client of each dialect goes through the conversation; returns the model's last words."""
