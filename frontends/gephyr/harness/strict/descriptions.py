"""What each provider's model endpoint says of a model (shapes: the official SDKs' types)."""

from collections.abc import Iterable
from typing import Any

from gephyr.harness.providers.wire import Reply, Request, whole
from gephyr.harness.strict.models import OPENAI, claude, family_of, gemini
from gephyr.harness.strict.refusal import RefusalError

_CREATED = 1_767_225_600
_CONTEXT = 1_000_000
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THINKING = ("enabled", "disabled", "adaptive", "between_tools")


def describe(request: Request) -> Reply:
    """Answer ``GET /v1/models/{id}``, as Anthropic or as OpenAI does. Raises :class:`RefusalError` (404)."""
    model = request.names["model"]
    if any(name == b"anthropic-version" for name, _ in request.headers):
        return whole(_anthropic(model))
    if family_of(OPENAI, model) is None:
        message = f"The model '{model}' does not exist"
        raise RefusalError(message, status=404, param="model", code="model_not_found")
    return whole({"id": model, "object": "model", "created": _CREATED, "owned_by": "openai"})


def describe_gemini(request: Request) -> Reply:
    """Answer ``GET /v1beta/models/{id}``. Raises :class:`RefusalError` (404)."""
    model = request.names["model"]
    found = gemini(model)
    return whole(
        {
            "name": f"models/{model}",
            "version": "001",
            "displayName": model,
            "inputTokenLimit": _CONTEXT,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
            "thinking": found.budget is not None,
        }
    )


def _anthropic(model: str) -> dict[str, Any]:
    found = claude(model)
    thinking = {"supported": bool(found.thinking), "types": _supported(_THINKING, found.thinking)}
    effort = {"supported": bool(found.efforts), **_supported(_EFFORTS, found.efforts)}
    always = ("batch", "citations", "code_execution", "image_input", "pdf_input", "structured_outputs")
    tools = {"supported": True, **_supported(("web_search", "code_execution"), ("web_search", "code_execution"))}
    return {
        "id": model,
        "type": "model",
        "display_name": model,
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": _CONTEXT,
        "max_tokens": found.max_tokens,
        "capabilities": {
            **_supported(always, always),
            "context_management": {"supported": True},
            "effort": effort,
            "server_tools": tools,
            "thinking": thinking,
        },
    }


def _supported(names: Iterable[str], those: Iterable[str]) -> dict[str, dict[str, bool]]:
    taken = list(those)
    return {name: {"supported": name in taken} for name in names}
