"""What Anthropic refuses in ``messages``: turns, blocks, the pairs of calls and results, and signed thinking."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.models import Claude
from gephyr.harness.strict.refusal import RefusalError, objects
from gephyr.harness.strict.signatures import Sealed, Verifier, digest_of

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_THINKING = ("thinking", "redacted_thinking")
_FIELDS = {
    "text": ("text", "citations"),
    "image": ("source",),
    "document": ("source", "title", "context", "citations"),
    "tool_use": ("id", "name", "input", "caller", "toolset_name"),
    "tool_result": ("tool_use_id", "content", "is_error"),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
}
"""The fields of the blocks that are looked at, ``type`` and ``cache_control`` apart."""
_HOLDERS = {"tool_result": ("user",), "image": ("user",), "document": ("user", "assistant")}
"""In whose messages such blocks may be. A document of the assistant's is refused by the newer version alone."""
_OTHER_BLOCKS = (
    *("search_result", "server_tool_use", "web_search_tool_result", "web_fetch_tool_result", "container_upload"),
    *("code_execution_tool_result", "bash_code_execution_tool_result", "text_editor_code_execution_tool_result"),
    *("tool_search_tool_result", "tool_reference", "mcp_tool_use", "mcp_tool_result", "compaction", "fallback"),
    *("browser_state", "tool_addition", "tool_removal", "advisor_tool_result"),
)
_MUST_THINK = (
    "When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost "
    "set of `tool_use` and `tool_result` blocks). We recommend you include thinking blocks from previous turns. To "
    "avoid this requirement, disable `thinking`. Please consult our documentation at "
    "https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
)
_BOUND = (
    "The block is bound to a different conversation. Remove the block or set "
    '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block". This setting requires the '
    "`thinking-binding-controls-2026-08-01` value in the `anthropic-beta` header."
)


def check_history(given: Object, model: Claude, organization: str, verifier: Verifier) -> None:
    """Raise :class:`RefusalError` for what is wrong in ``messages``."""
    messages = given["messages"]
    if not isinstance(messages, list):
        raise RefusalError("messages: Input should be a valid list")
    if not messages:
        raise RefusalError("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(message, index, model, last=index == len(messages) - 1)
    if messages[0]["role"] != "user":
        raise RefusalError('messages: first message must use the "user" role')
    _check_pairs(messages)
    _check_last(messages[-1], model)
    _check_thinking(given, organization, verifier, model)


def _check_message(message: Any, index: int, model: Claude, *, last: bool) -> None:
    if not isinstance(message, dict):
        raise RefusalError(f"messages.{index}: Input does not match the expected shape.")
    role = message.get("role")
    if role == "system" and not model.system_turns:
        raise RefusalError(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" '
            "as an input message role."
        )
    if role not in {"user", "assistant", "system"}:
        raise RefusalError(f"messages.{index}.role: Input should be 'user' or 'assistant'")
    for name in message:
        if name not in {"role", "content"}:
            raise RefusalError(f"messages.{index}.{name}: Extra inputs are not permitted")
    content = message.get("content")
    if not isinstance(content, str | list):
        raise RefusalError(f"messages.{index}.content: Field required")
    if not content and not (role == "assistant" and last):
        raise RefusalError(
            f"messages.{index}: all messages must have non-empty content except for the optional final assistant "
            "message"
        )
    if isinstance(content, list):
        for place, block in enumerate(content):
            _check_block(block, role, f"messages.{index}.content.{place}")


def _check_block(block: Any, role: str, path: str) -> None:
    if not isinstance(block, dict) or "type" not in block:
        raise RefusalError(f"{path}: Input should be a valid dictionary or object to extract fields from")
    kind = block["type"]
    if kind in _OTHER_BLOCKS:
        return
    if kind not in _FIELDS:
        tags = ", ".join(f"'{tag}'" for tag in (*_FIELDS, *_OTHER_BLOCKS))
        raise RefusalError(
            f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        )
    for name in block:
        if name not in (*_FIELDS[kind], "type", "cache_control"):
            raise RefusalError(f"{path}.{kind}.{name}: Extra inputs are not permitted")
    if kind in _THINKING and block.get("cache_control"):
        raise RefusalError(f"{path}.{kind}.cache_control: Extra inputs are not permitted")
    if kind in {"tool_use", *_THINKING} and role != "assistant":
        raise RefusalError(f"{path}: `{kind}` blocks can only be in `assistant` messages")
    if role not in _HOLDERS.get(kind, (role,)):
        raise RefusalError(f"{path}: `{kind}` blocks can only be in `user` messages")
    _check_fields(block, kind, path)


def _check_fields(block: Object, kind: str, path: str) -> None:
    if kind == "text":
        _check_text(block, path)
    elif kind in {"image", "document"}:
        _check_source(block.get("source"), kind, path)
    elif kind == "tool_use":
        _check_call(block, path)
    elif kind == "tool_result":
        _check_result(block, path)
    elif kind == "thinking":
        for field in ("thinking", "signature"):
            if not isinstance(block.get(field), str):
                raise RefusalError(f"{path}.thinking.{field}: Field required")


def _check_text(block: Object, path: str) -> None:
    if not isinstance(block.get("text"), str):
        raise RefusalError(f"{path}.text.text: Field required")
    if not block["text"]:
        raise RefusalError("messages: text content blocks must be non-empty")
    if not block["text"].strip():
        raise RefusalError("messages: text content blocks must contain non-whitespace text")


def _check_call(block: Object, path: str) -> None:
    if _ID.fullmatch(str(block.get("id"))) is None:
        raise RefusalError(f"{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("input"), dict):
        raise RefusalError(f"{path}.tool_use.input: Input should be a valid dictionary")
    if not isinstance(block.get("name"), str) or not 1 <= len(block["name"]) <= 200:
        raise RefusalError(f"{path}.tool_use.name: String should have at most 200 characters")


def _check_result(block: Object, path: str) -> None:
    if _ID.fullmatch(str(block.get("tool_use_id"))) is None:
        raise RefusalError(f"{path}.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'")
    content = block.get("content")
    if content is not None and not isinstance(content, str | list):
        raise RefusalError(f"{path}.tool_result.content: Input should be a valid string or list")
    for place, inner in enumerate(content if isinstance(content, list) else ()):
        at = f"{path}.tool_result.content.{place}"
        if inner.get("type") not in {"text", "image", "document", "search_result", "tool_reference", "browser_state"}:
            raise RefusalError(
                f"{at}: Input tag '{inner.get('type')}' found using 'type' does not match any of the expected tags"
            )
        _check_block(inner, "user", at)
        if block.get("is_error") and inner["type"] != "text":
            raise RefusalError(f'{path}.tool_result: all content must be type "text" if "is_error" is true')


def _check_source(source: Any, kind: str, path: str) -> None:
    if not isinstance(source, dict):
        raise RefusalError(f"{path}.{kind}.source: Field required")
    form = source.get("type")
    at = f"{path}.{kind}.source.{form}"
    if form not in {"base64", "url", "file", *(("text", "content") if kind == "document" else ())}:
        raise RefusalError(
            f"{path}.{kind}.source: Input tag '{form}' found using 'type' does not match any of the expected tags"
        )
    if form != "base64":
        return
    accepted = _IMAGES if kind == "image" else ("application/pdf",)
    if source.get("media_type") not in accepted:
        names = [f"'{name}'" for name in accepted]
        wanted = f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else names[0]
        raise RefusalError(f"{at}.media_type: Input should be {wanted}")
    try:
        valid = bool(base64.b64decode(str(source.get("data")), validate=True))
    except (binascii.Error, ValueError):
        valid = False
    if not valid:
        raise RefusalError(f"{at}.data: Invalid base64 data")


def _check_pairs(messages: Sequence[Object]) -> None:
    seen: list[str] = []
    waiting: list[str] = []
    for index, message in enumerate(messages):
        blocks = objects(message["content"])
        results = [block["tool_use_id"] for block in blocks if block.get("type") == "tool_result"]
        if message["role"] != "system":
            _check_answers(blocks, results, waiting, index)
            waiting = [block["id"] for block in blocks if block.get("type") == "tool_use"]
        for call_id in (block["id"] for block in blocks if block.get("type") == "tool_use"):
            if call_id in seen:
                raise RefusalError("messages: `tool_use` ids must be unique")
            seen.append(call_id)
    if waiting:
        raise _unanswered(waiting, len(messages) - 1)


def _check_answers(blocks: Sequence[Object], results: Sequence[str], waiting: Sequence[str], index: int) -> None:
    for place, block in enumerate(blocks):
        if block.get("type") == "tool_result" and block["tool_use_id"] not in waiting:
            raise RefusalError(
                f"messages.{index}.content.{place}: unexpected `tool_use_id` found in `tool_result` blocks: "
                f"{block['tool_use_id']}. Each `tool_result` block must have a corresponding `tool_use` block in the "
                "previous message."
            )
    for call_id in results:
        if results.count(call_id) > 1:
            raise RefusalError(
                f"messages.{index}.content: each tool_use must have a single result. Found multiple `tool_result` "
                f"blocks with id: {call_id}"
            )
    leading = [block for block in blocks[: len(results)] if block.get("type") == "tool_result"]
    missing = [call_id for call_id in waiting if call_id not in results]
    if missing or len(leading) < len(results):  # A result after other content does not count.
        raise _unanswered(missing or list(waiting), index - 1)


def _unanswered(call_ids: Sequence[str], index: int) -> RefusalError:
    return RefusalError(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(call_ids)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
        "message."
    )


def _check_last(message: Object, model: Claude) -> None:
    if message["role"] != "assistant":
        return
    if not model.prefill:
        raise RefusalError(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    content = message["content"]
    texts = [block["text"] for block in objects(content) if block.get("type") == "text"]
    last = content if isinstance(content, str) else texts[-1] if texts else ""
    if last != last.rstrip():
        raise RefusalError("messages: final assistant content cannot end with trailing whitespace")


def _check_thinking(given: Object, organization: str, verifier: Verifier, model: Claude) -> None:
    messages = given["messages"]
    for index, message in enumerate(messages):
        for place, block in enumerate(objects(message["content"])):
            if block.get("type") in _THINKING:
                _check_signature(given, index, place, organization, verifier, model)
        if message["role"] == "assistant" and _ends_in_thinking(objects(message["content"])):
            raise RefusalError(f"messages.{index}: The final block in an assistant message cannot be `thinking`.")
    if (given.get("thinking") or {}).get("type") == "enabled":
        _check_starts_with_thinking(messages)


def _ends_in_thinking(blocks: Sequence[Object]) -> bool:
    return bool(blocks) and blocks[-1].get("type") == "thinking"


def _check_signature(
    given: Object, index: int, place: int, organization: str, verifier: Verifier, model: Claude
) -> None:
    block = given["messages"][index]["content"][place]
    path = f"messages.{index}.content.{place}"
    kind = block["type"]
    field = "signature" if kind == "thinking" else "data"
    sealed = verifier.opened(block.get(field) or "")
    if sealed is None or sealed.kind != "anthropic":
        raise RefusalError(f"{path}: Invalid `{field}` in `{kind}` block")
    if sealed.organization != organization or sealed.model != given["model"]:
        return  # Such a block is dropped without a word.
    if kind == "thinking" and block["thinking"] not in {"", sealed.text}:
        raise RefusalError(
            f"{path}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "
            "These blocks must remain as they were in the original response."
        )
    if model.bound and not keeps_prefix(sealed, given, index) and not _drops_blocks(given):
        raise RefusalError(f"{path}: Invalid `signature` in `thinking` block. {_BOUND}")


def keeps_prefix(sealed: Sealed, given: Object, index: int) -> bool:
    """Whether what came before the message at *index* is what it was when the block in it was made."""
    return sealed.prefix == prefix_of(given, index)


def _drops_blocks(given: Object) -> bool:
    binding = (given.get("thinking") or {}).get("block_binding") or {}
    return bool(binding.get("prefix_mismatch_behavior") == "drop_block")


def prefix_of(given: Object, index: int) -> str:
    """Return the digest of what comes before the message at *index*: system, tools and the earlier messages."""
    earlier = [[message["role"], _blocks(message["content"])] for message in given["messages"][:index]]
    return digest_of([_blocks(given.get("system") or []), given.get("tools") or [], earlier])


def _blocks(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _check_starts_with_thinking(messages: Sequence[Object]) -> None:
    """Manual thinking: the assistant turns since the user's last own words have to begin with thinking."""
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        blocks = objects(message["content"])
        kinds = [block.get("type") for block in blocks]
        if message["role"] == "user" and "tool_result" not in kinds:
            return
        if message["role"] == "assistant" and "tool_use" in kinds:
            if kinds[0] not in _THINKING:
                raise RefusalError(
                    f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                    f"`{kinds[0]}`. {_MUST_THINK}"
                )
            return
