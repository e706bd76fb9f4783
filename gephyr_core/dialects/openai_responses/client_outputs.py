"""What the client's own tools gave, as items of their types."""

from typing import Any

import msgspec

from gephyr_core.dialects.decoding import decode

_ANY: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


def write_output(kind: str, call_id: str, content: list[dict[str, Any]], *, failed: bool) -> dict[str, Any]:
    """Write the output of a typed call. *content*: as input parts."""
    told = "\n".join(part["text"] for part in content if part["type"] == "input_text")
    match kind:
        case "local_shell":
            return {"type": "local_shell_call_output", "id": call_id, "output": told}
        case "shell":
            listed = decode(_ANY, told)
            outcome = {"type": "exit", "exit_code": 1 if failed else 0}
            plain = [{"stdout": told, "stderr": "", "outcome": outcome}]
            output = listed if isinstance(listed, list) and listed else plain
            return {"type": "shell_call_output", "call_id": call_id, "output": output}
        case "apply_patch":
            status = "failed" if failed else "completed"
            return {"type": "apply_patch_call_output", "call_id": call_id, "status": status, "output": told}
        case "tool_search":
            listed = decode(_ANY, told)
            found = listed if isinstance(listed, list) else []
            return {"type": "tool_search_output", "call_id": call_id, "execution": "client", "tools": found}
    images = [part for part in content if part["type"] == "input_image"]
    shown = {key: images[0][key] for key in ("image_url", "file_id") if key in images[0]} if images else {}
    return {"type": "computer_call_output", "call_id": call_id, "output": {"type": "computer_screenshot", **shown}}
