"""What the operator says that a model takes."""

from typing import Annotated, Literal

import attrs

from gephyr_core.config.rules import Whole


@attrs.frozen(kw_only=True)
class CapabilityOverride:
    """One ``[capabilities."PATTERN"]``: the settings that are there replace what is known of models whose name fits.

    The names are those of ``gephyr_core.conversation.capabilities.Capabilities``.
    """

    sampling: bool | None = None
    stop: bool | None = None
    prefill: bool | None = None
    forced_tools: bool | None = None
    forced_tools_with_thinking: bool | None = None
    system_turns: bool | None = None
    structured_output: bool | None = None
    tool_search: bool | None = None
    thinking: tuple[Literal["enabled", "adaptive", "disabled", "between_tools"], ...] | None = None
    efforts: tuple[Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"], ...] | None = None
    reasons: bool | None = None
    least_thinking_budget: Annotated[int, Whole(0)] | None = None
    most_thinking_budget: Annotated[int, Whole(1)] | None = None
    """Tokens; with both, the model takes a thinking budget."""
    thinking_levels: tuple[Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"], ...] | None = None
    signatures_required: bool | None = None
    automatic_caching: bool | None = None
    max_output_tokens: Annotated[int, Whole(1)] | None = None
    modalities: tuple[Literal["image", "document", "audio", "video"], ...] | None = None
