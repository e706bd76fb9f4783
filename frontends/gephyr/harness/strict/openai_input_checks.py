"""What OpenAI refuses in a Response's ``input``: the items, their pairs, and the reasoning that comes back."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gephyr.harness.providers.wire import Object
from gephyr.harness.strict.openai_values import image_url, is_base64, known, name, one_of, required, short, typed
from gephyr.harness.strict.refusal import RefusalError
from gephyr.harness.strict.signatures import Verifier

_MAX_CALL_ID = 64


@attrs.frozen
class _Item:
    required: tuple[str, ...]
    optional: tuple[str, ...]
    id_prefix: str = ""


_CALLER = ("caller", "status", "id")
ITEMS: Mapping[str, _Item] = {
    "message": _Item(("role", "content"), ("id", "status", "phase"), "msg"),
    "function_call": _Item(("call_id", "name", "arguments"), ("namespace", "async", *_CALLER), "fc"),
    "function_call_output": _Item(("call_id", "output"), ("name", "namespace", *_CALLER), "fc"),
    "custom_tool_call": _Item(("call_id", "name", "input"), ("namespace", "async", *_CALLER), "ctc"),
    "custom_tool_call_output": _Item(("call_id", "output"), _CALLER, "ctc"),
    "reasoning": _Item(("summary",), ("id", "content", "encrypted_content", "status"), "rs"),
    "item_reference": _Item(("id",), ()),
    "compaction": _Item(("encrypted_content",), ("id", "created_by")),
    "compaction_trigger": _Item((), ("id",)),
    "additional_tools": _Item(("role", "tools"), ("id",)),
    "configuration_update": _Item((), ("id", "reasoning", "text")),
    "tool_search_call": _Item(("arguments",), ("call_id", "execution", "id", "status", "created_by")),
    "tool_search_output": _Item(("tools",), ("call_id", "execution", "id", "status", "created_by")),
    "program": _Item(("call_id", "code", "fingerprint", "id"), ()),
    "program_output": _Item(("call_id", "id", "result", "status"), ()),
}
"""The items whose fields are looked at."""

OTHER_ITEMS = (
    *("file_search_call", "computer_call", "computer_call_output", "web_search_call", "image_generation_call"),
    *("code_interpreter_call", "local_shell_call", "local_shell_call_output", "shell_call", "shell_call_output"),
    *("apply_patch_call", "apply_patch_call_output", "mcp_list_tools", "mcp_approval_request"),
    *("mcp_approval_response", "mcp_call"),
)
"""The items that hosted tools leave behind."""

_OUTPUT_OF = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
_ROLES = ("assistant", "system", "developer", "user")
_SAID = ("output_text", "refusal")
_GIVEN = ("input_text", "input_image", "input_file")
_PART_FIELDS: Mapping[str, tuple[str, ...]] = {
    "output_text": ("type", "text", "annotations", "logprobs"),
    "refusal": ("type", "refusal"),
    "input_text": ("type", "text", "prompt_cache_breakpoint"),
    "input_image": ("type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"),
    "input_file": ("type", "file_data", "file_id", "file_url", "filename", "detail", "prompt_cache_breakpoint"),
}


def check_input(given: Object, organization: str, verifier: Verifier) -> None:
    """Raise :class:`RefusalError` for what is wrong in ``input``."""
    items = given.get("input")
    if items is None:
        return
    typed(items, (str, list), "input")
    if isinstance(items, str):
        return
    for index, item in enumerate(items):
        path = f"input[{index}]"
        typed(item, dict, path)
        _check_item(item, path)
    if not (given.get("previous_response_id") or given.get("conversation")):
        check_pairs(items)
    _check_reasoning(items, organization, verifier)


def kind_of(item: Object) -> str:
    """Return an item's type; a message may leave it out."""
    return str(item.get("type") or ("message" if "role" in item else ""))


def _check_item(item: Object, path: str) -> None:
    kind = kind_of(item)
    one_of(kind, (*ITEMS, *OTHER_ITEMS), f"{path}.type" if item.get("type") else path)
    shape = ITEMS.get(kind)
    if shape is None:
        return
    known(item, ("type", *shape.required, *shape.optional), path)
    for field in shape.required:
        required(item, field, path)
    item_id = item.get("id")
    if item_id is not None and shape.id_prefix:
        typed(item_id, str, f"{path}.id")
        if not item_id.startswith(shape.id_prefix):
            message = f"Invalid '{path}.id': '{item_id}'. Expected an ID that begins with '{shape.id_prefix}'."
            raise RefusalError(message, param=f"{path}.id", code="invalid_value")
        short(item_id, 64, f"{path}.id")
    if kind == "message":
        one_of(item["role"], _ROLES, f"{path}.role")
        from_model = item["role"] == "assistant"
        _check_content(item["content"], _SAID if from_model else _GIVEN, f"{path}.content")
    elif kind in {"function_call", "custom_tool_call"}:
        name(item["name"], f"{path}.name", 128)
        typed(item["arguments" if kind == "function_call" else "input"], str, f"{path}.arguments")
    elif kind.endswith("call_output"):
        _check_content(item["output"], _GIVEN, f"{path}.output")
    if "call_id" in shape.required:
        typed(item["call_id"], str, f"{path}.call_id")
        short(item["call_id"], _MAX_CALL_ID, f"{path}.call_id")


def _check_content(content: Any, kinds: Sequence[str], path: str) -> None:
    typed(content, (str, list), path)
    if isinstance(content, str):
        return
    for index, part in enumerate(content):
        at = f"{path}[{index}]"
        typed(part, dict, at)
        kind = required(part, "type", at)
        one_of(kind, kinds, f"{at}.type")
        known(part, _PART_FIELDS[kind], at)
        if kind in {"input_text", "output_text"}:
            typed(required(part, "text", at), str, f"{at}.text")
        elif kind == "input_image" and part.get("image_url") is not None:
            image_url(part["image_url"], f"{at}.image_url")
        elif kind == "input_file" and part.get("file_data") is not None:
            _check_file(part["file_data"], f"{at}.file_data")


def _check_file(data: Any, param: str) -> None:
    typed(data, str, param)
    head, comma, encoded = data.partition(",")
    media_type = head.removeprefix("data:").removesuffix(";base64")
    expected = "Expected a base64-encoded data URL with a valid file MIME type (e.g. 'data:text/plain;base64,aGVsbG8=')"
    if not comma or not is_base64(encoded):
        message = f"Invalid file data: '{param}'. {expected}, but got a value without the 'data:' prefix."
        raise RefusalError(message, param=param, code="invalid_value")
    if media_type.startswith(("audio/", "video/")):
        message = f"Invalid file data: '{param}'. {expected}, but got unsupported MIME type '{media_type}'."
        raise RefusalError(message, param=param, code="invalid_value")


def check_pairs(items: Sequence[Object]) -> None:
    """Refuse calls without an output, and outputs without a call."""
    for call_kind, output_kind in _OUTPUT_OF.items():
        called = [item["call_id"] for item in items if kind_of(item) == call_kind]
        searched = [item.get("call_id") for item in items if kind_of(item) == "tool_search_call"]
        answered = [item["call_id"] for item in items if kind_of(item) == output_kind]
        words = call_kind.replace("_", " ")
        for call_id in answered:
            if call_id not in called and call_id not in searched:
                message = f"No tool call found for {words} output with call_id {call_id}."
                raise RefusalError(message, param="input")
        for call_id in called:
            if call_id not in answered:
                raise RefusalError(f"No tool output found for {words} {call_id}.", param="input")


def _check_reasoning(items: Sequence[Object], organization: str, verifier: Verifier) -> None:
    for index, item in enumerate(items):
        if kind_of(item) != "reasoning":
            continue
        if not isinstance(item["summary"], list):
            typed(item["summary"], list, f"input[{index}].summary")
        if item.get("encrypted_content") is not None:
            _check_encrypted(item, organization, verifier)
        following = items[index + 1] if index + 1 < len(items) else {}
        from_user = kind_of(following) == "message" and following.get("role") != "assistant"
        if not following or from_user or kind_of(following).endswith("_output"):
            message = f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
            raise RefusalError(message, param="input")


def _check_encrypted(item: Object, organization: str, verifier: Verifier) -> None:
    sealed = verifier.opened(str(item["encrypted_content"]))
    reason = ""
    if sealed is None or sealed.kind != "openai":
        reason = "Encrypted content could not be decrypted or parsed."
    elif sealed.organization != organization:
        reason = "Encrypted content organization_id did not match the target organization."
    if reason:
        which = f"for item {item['id']}" if item.get("id") else f"{item['encrypted_content'][:4]}..."
        message = f"The encrypted content {which} could not be verified. Reason: {reason}"
        raise RefusalError(message, code="invalid_encrypted_content")
