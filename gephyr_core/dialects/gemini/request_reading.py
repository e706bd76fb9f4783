"""A client's request for content, read."""

from typing import Any

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.prompt import Effort, Native, OutputFormat, Prompt, Reasoning, Sampling
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.messages import NAME, Message, enum_word
from gephyr_core.dialects.gemini.parts_reading import ContentReader, read_system
from gephyr_core.dialects.gemini.tool_reading import json_schema, plain_schema, read_choice, read_tools

CONFIG = "generationConfig"
COUNTED = "generateContentRequest"
"""What a request for a count holds."""
_ESSENTIAL = ("cachedContent", "continuationToken")
"""Fields that stand for a part of the prompt which only Google has."""
_SAMPLING = {
    "max_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "seed": "seed",
    "stop": "stopSequences",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
    "candidates": "candidateCount",
    "reasoning": "thinkingConfig",
}
LEVELS = ("THINKING_LEVEL_UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "MINIMAL", "XHIGH")
_MODALITIES = ("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO", "VIDEO")
_JSON = "application/json"


def read_request(body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
    """Read a request, or one that is to be counted; see :class:`gephyr_core.dialects.translator.Translator`."""
    fields = Message(body, "", report)
    wrapped = fields.child(COUNTED)
    if wrapped is not None:
        fields.finish()
        fields = wrapped
    fields.ignore("model")
    native: dict[str, Native] = {}
    if fields.left.get("contents") is None:
        raise FieldError(fields.at("contents"), "is required")
    system = read_system(fields)
    reader = ContentReader(report, native)
    reader.read(fields)
    tools = tuple(read_tools(fields, native))
    choice = read_choice(fields, native)
    config = fields.child(CONFIG) or Message({}, fields.at(CONFIG), report)
    paths = {neutral: config.at(name) for neutral, name in _SAMPLING.items()}
    paths |= {"output": config.at("responseMimeType"), "service_tier": fields.at("serviceTier")}
    prompt = Prompt(
        NAME,
        model,
        system,
        tuple(reader.turns),
        tools,
        choice,
        sampling=_sampling(config),
        reasoning=_reasoning(config),
        output=_output(config, native),
        service_tier=fields.text("serviceTier") or "",
        stream=stream,
        native=native,
        paths=paths,
    )
    _modalities(config, native)
    _keep(config, native)
    _keep(fields, native)
    return prompt


def _sampling(config: Message) -> Sampling:
    return Sampling(
        max_tokens=config.integer("maxOutputTokens"),
        temperature=config.number("temperature"),
        top_p=config.number("topP"),
        top_k=config.integer("topK"),
        frequency_penalty=config.number("frequencyPenalty"),
        presence_penalty=config.number("presencePenalty"),
        seed=config.integer("seed"),
        stop=config.texts("stopSequences"),
        logprobs=config.flag("responseLogprobs") or None,
        top_logprobs=config.integer("logprobs"),
        candidates=config.integer("candidateCount"),
    )


def _reasoning(config: Message) -> Reasoning | None:
    thinking = config.child("thinkingConfig")
    if thinking is None:
        return None
    level, budget = thinking.word("thinkingLevel", LEVELS), thinking.integer("thinkingBudget")
    shown = thinking.flag("includeThoughts")
    thinking.finish()
    if level is None and budget is None and shown is None:
        return None
    return Reasoning(Effort(level.lower()) if level else None, budget, shown=shown)


def _output(config: Message, native: dict[str, Native]) -> OutputFormat | None:
    media_type = config.text("responseMimeType") or ""
    subset, plain = config.mapping("responseSchema"), config.mapping("responseJsonSchema")
    if media_type not in ("", "text/plain", _JSON):
        # Words of an enum, say: no other dialect gives a reply that is bare.
        native[config.at("responseMimeType")] = Native(media_type, essential=True)
        if subset is not None:
            native[config.at("responseSchema")] = Native(subset)
        if plain is not None:
            native[config.at("responseJsonSchema")] = Native(plain)
        return None
    if subset is not None and plain is not None:
        config.report.dropped(config.at("responseSchema"), "responseJsonSchema counts")
    if plain is not None:
        return OutputFormat(plain_schema(plain), path=config.at("responseJsonSchema"))
    if subset is not None:
        return OutputFormat(json_schema(subset), path=config.at("responseSchema"))
    return OutputFormat(path=config.at("responseMimeType")) if media_type == _JSON else None


def _modalities(config: Message, native: dict[str, Native]) -> None:
    """Take what asks for pictures or speech, which no other dialect's provider gives. Text is given anyway."""
    wanted = config.array("responseModalities")
    if any(enum_word(modality, _MODALITIES) not in ("TEXT", _MODALITIES[0]) for modality in wanted):
        native[config.at("responseModalities")] = Native(wanted, essential=True)


def _keep(fields: Message, native: dict[str, Native]) -> None:
    """Keep what is left for a provider of this dialect: others are told what they cannot have. ``null`` is absent."""
    for name, value in fields.left.items():
        if value is not None:
            native[fields.at(name)] = Native(value, essential=name in _ESSENTIAL)
    fields.left.clear()
