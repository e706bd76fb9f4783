"""What a model takes and what it refuses: known by its name, told by its provider, or said by the operator."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import attrs
import msgspec

from gephyr_core.config import CapabilityOverride
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.prompt import Effort
from gephyr_core.dialects.decoding import count, decode, mapping
from gephyr_core.providers.capability_table import CLAUDE, GEMINI, GENERIC, OPENAI, UNKNOWN
from gephyr_core.routing.models import ModelPattern

_PREFIX = re.compile(r"(?:.*/)?(?:[a-z]{2,6}\.)?(?:anthropic\.|models/)?")
_ANY = msgspec.json.Decoder()
_TABLES = ((CLAUDE, "claude", "anthropic"), (GEMINI, "gem", "gemini"), (OPENAI, "", "openai"))


def capabilities_of(
    kind: str,
    dialect: str,
    model: str,
    overrides: Mapping[str, CapabilityOverride],
    learned: Capabilities | None,
) -> Capabilities:
    """Return what *model* takes at a provider of *kind* that is asked in *dialect*.

    What the operator says of it (*overrides*: patterns to values) wins over what its provider told (*learned*), which
    wins over what is known of its name.
    """
    found = learned or _known(model)
    if kind != "anthropic":
        found = attrs.evolve(found, automatic_caching=False)
    if dialect != "anthropic":
        found = attrs.evolve(found, system_turns=True)
    for pattern in sorted(overrides, key=lambda text: ModelPattern(text).specificity):
        if ModelPattern(pattern).matches(model):
            found = _overridden(found, overrides[pattern])
    return found


def _overridden(found: Capabilities, override: CapabilityOverride) -> Capabilities:
    said = {name: value for name, value in attrs.asdict(override, recurse=False).items() if value is not None}
    least, most = said.pop("least_thinking_budget", None), said.pop("most_thinking_budget", None)
    if "efforts" in said:
        said["efforts"] = tuple(Effort(effort) for effort in said["efforts"])
    if most is not None:
        said["thinking_budget"] = (least or 0, most)
    return attrs.evolve(found, **said)


def is_known(model: str) -> bool:
    """Whether the name is one that the table speaks of, and not only of a family like it."""
    return _family(_bare(model)) not in (None, *GENERIC)


def maker_of(model: str) -> str | None:
    """The provider that makes models of this name; None where the name does not tell."""
    family = _family(_bare(model))
    return None if family is None else next(maker for table, _, maker in _TABLES if family in table)


def learn(dialect: str, model: str, body: bytes) -> Capabilities | None:
    """Read what a provider's model endpoint tells; None when it tells nothing of use.

    Anthropic: ``GET /v1/models/{id}``, ``capabilities`` and ``max_tokens``. Gemini: ``models.get``, ``thinking`` and
    ``outputTokenLimit``.
    """
    told = mapping(decode(_ANY, body))
    if told is None:
        return None
    if dialect == "gemini":
        limit = count(told, "outputTokenLimit")
        found = attrs.evolve(_known(model), max_output_tokens=limit)
        return attrs.evolve(found, thinking_levels=(), thinking_budget=None) if told.get("thinking") is False else found
    said = mapping(told.get("capabilities"))
    if dialect != "anthropic" or said is None:
        return None
    return _learned_claude(model, told, said)


def _learned_claude(model: str, told: dict[str, Any], said: dict[str, Any]) -> Capabilities:
    types = mapping((mapping(said.get("thinking")) or {}).get("types")) or {}
    efforts = mapping(said.get("effort")) or {}
    known = _known(model)
    thinking = tuple(name for name in ("enabled", "disabled", "adaptive", "between_tools") if _supported(types, name))
    return attrs.evolve(
        known,
        thinking=thinking or known.thinking,
        thinking_budget=(1_024, 63_999) if "enabled" in thinking else None,
        efforts=tuple(effort for effort in Effort if _supported(efforts, effort.value)),
        structured_output=_supported(said, "structured_outputs") or known.structured_output,
        max_output_tokens=count(told, "max_tokens") or known.max_output_tokens,
    )


def _supported(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    return value is True or (mapping(value) or {}).get("supported") is True


def _bare(model: str) -> str:
    """The name without what vendors and clouds put in front of it."""
    name = model.lower()
    match = _PREFIX.match(name)
    return name[match.end() :] if match else name


@lru_cache(maxsize=1024)
def _family(bare: str) -> str | None:
    for table, beginning, _ in _TABLES:
        if bare.startswith(beginning):
            families = [name for name in table if bare == name or bare.startswith((f"{name}-", f"{name}.", f"{name}@"))]
            if families:
                return max(families, key=len)
    return None


def _known(model: str) -> Capabilities:
    family = _family(_bare(model))
    if family is None:
        return UNKNOWN
    return next(table[family] for table, _, _ in _TABLES if family in table)
