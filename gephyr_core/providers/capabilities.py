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
from gephyr_core.providers.capability_table import CLAUDE, GEMINI, GENERIC, OPEN_WEIGHTS, OPENAI, UNKNOWN, USUAL_EFFORTS
from gephyr_core.routing.models import ModelPattern

_PREFIX = re.compile(r"(?:.*/)?(?:[a-z]{2,6}(?:-[a-z]+)?\.)?(?:anthropic\.|ft:)?")
"""What routers, clouds with their regions, and fine-tuning put before a name."""
_DOT = re.compile(r"(?<=\d)\.(?=\d)")
_VERSION_FIRST = re.compile(r"claude-([4-9](?:-\d)?)-([a-z]+)")
"""OpenRouter's spelling, ``claude-4.7-opus``; until 3.7 it was Anthropic's own."""
_MINOR_VERSION = re.compile(r"-[1-9]\d?(?![\da-z])")
_ANY = msgspec.json.Decoder()
_TABLES: tuple[tuple[Mapping[str, Capabilities], str, str | None], ...] = (
    (OPEN_WEIGHTS, "gpt-oss", None),
    (CLAUDE, "claude", "anthropic"),
    (GEMINI, "gem", "gemini"),
    (OPENAI, "", "openai"),
)
"""The tables, how the names in each begin, and who makes those models."""
_THINKING = ("enabled", "disabled", "adaptive", "between_tools")
_LEAST_BUDGET = 1_024
"""Anthropic's, tokens."""


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
        if dialect != "gemini" and not found.efforts and _reasons(found):
            # Who offers another maker's model in OpenAI's dialects reads OpenAI's efforts for it.
            found = attrs.evolve(found, efforts=USUAL_EFFORTS)
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
    ``outputTokenLimit``. What is not told stays as the name lets expect it.
    """
    told = mapping(decode(_ANY, body))
    if told is None:
        return None
    if dialect == "gemini":
        return _learned_gemini(model, told)
    said = mapping(told.get("capabilities"))
    if dialect != "anthropic" or said is None:
        return None
    return _learned_claude(model, told, said)


def _learned_gemini(model: str, told: dict[str, Any]) -> Capabilities | None:
    limit = count(told, "outputTokenLimit")
    if not limit:
        return None
    found = attrs.evolve(_known(model), max_output_tokens=limit)
    if told.get("thinking") is True:
        return found
    # False is left out: none of the recorded models that do not think has the field.
    return attrs.evolve(found, thinking_levels=(), thinking_budget=None, signatures_required=False)


def _learned_claude(model: str, told: dict[str, Any], said: dict[str, Any]) -> Capabilities:
    known = _known(model)
    limit = count(told, "max_tokens") or known.max_output_tokens
    expected = known.thinking if is_known(model) else ()
    thinking, budget = _learned_thinking(mapping(said.get("thinking")) or {}, expected), None
    if "enabled" in thinking:
        budget = (_LEAST_BUDGET, limit - 1) if limit else known.thinking_budget
    efforts = mapping(said.get("effort"))
    media = {"image": "image_input", "document": "pdf_input"}
    return attrs.evolve(
        known,
        thinking=thinking,
        thinking_budget=budget,
        efforts=known.efforts if efforts is None else tuple(one for one in Effort if _supported(efforts, one.value)),
        structured_output=_told(said, "structured_outputs", known.structured_output),
        max_output_tokens=limit,
        modalities=tuple(kind for kind, field in media.items() if _told(said, field, kind in known.modalities)),
    )


def _learned_thinking(said: dict[str, Any], expected: tuple[str, ...]) -> tuple[str, ...]:
    """The types that are taken. Older replies tell of ``enabled`` and ``adaptive`` only."""
    if said.get("supported") is False:
        return ()
    types = mapping(said.get("types")) or {}
    return tuple(name for name in _THINKING if _told(types, name, name in expected))


def _told(fields: dict[str, Any], name: str, known: bool) -> bool:
    """Whether *name* is supported, as far as it is told; else what was known before."""
    return _supported(fields, name) if name in fields else known


def _supported(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    return value is True or (mapping(value) or {}).get("supported") is True


def _reasons(found: Capabilities) -> bool:
    return bool(found.thinking or found.thinking_levels or found.thinking_budget)


def _bare(model: str) -> str:
    """The name without what vendors and clouds put in front of it, and Claude's in Anthropic's own spelling."""
    name = model.lower()
    match = _PREFIX.match(name)
    bare = name[match.end() :] if match else name
    if not bare.startswith("claude"):
        return bare
    return _VERSION_FIRST.sub(r"claude-\2-\1", _DOT.sub("-", bare))


@lru_cache(maxsize=1024)
def _family(bare: str) -> str | None:
    for table, beginning, _ in _TABLES:
        if bare.startswith(beginning):
            families = [name for name in table if _is_of(bare, name)]
            if families:
                return max(families, key=len)
    return None


def _is_of(bare: str, family: str) -> bool:
    """Whether the name is the family's, with a date or the like behind it, and not another version's
    (``claude-opus-4-9`` is no ``claude-opus-4``)."""
    if bare == family:
        return True
    if not bare.startswith((f"{family}-", f"{family}@", f"{family}:")):
        return False
    return not (family[-1].isdigit() and _MINOR_VERSION.match(bare, len(family)))


def _known(model: str) -> Capabilities:
    family = _family(_bare(model))
    if family is None:
        return UNKNOWN
    return next(table[family] for table, _, _ in _TABLES if family in table)
