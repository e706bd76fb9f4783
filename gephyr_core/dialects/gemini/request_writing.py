"""A prompt as a request for content, for a provider."""

from collections.abc import Iterator
from typing import Any

from gephyr_core.conversation.parts import CacheMarker, ToolResult
from gephyr_core.conversation.prompt import Prompt, Sampling
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.gemini.messages import NAME, camel_case
from gephyr_core.dialects.gemini.parts_writing import ContentWriter
from gephyr_core.dialects.gemini.request_reading import CONFIG, COUNTED
from gephyr_core.dialects.gemini.schema import output_schema
from gephyr_core.dialects.gemini.thinking import thinking_config
from gephyr_core.dialects.gemini.tool_writing import ToolNames, ToolWriter
from gephyr_core.dialects.translator import Destination, Written

_MOST_STOPS = 5
_HOTTEST = 2.0
_MOST_PENALTY = 1.99
"""Penalties must be less than 2."""
_NAMES = {"top_p": "topP", "frequency_penalty": "frequencyPenalty", "presence_penalty": "presencePenalty"}
_ELSEWHERE = {
    "verbosity": "Gemini has no such setting",
    "user": "Gemini takes no identity of the end user",
    "cache_key": "Gemini caches by itself",
}


def write_request(prompt: Prompt, destination: Destination, report: Report) -> Written:
    """Write a request; see :class:`gephyr_core.dialects.translator.Translator`."""
    names = ToolNames()
    names.reserve(prompt.tools)
    body: dict[str, Any] = {}
    if prompt.system:
        body["systemInstruction"] = {"parts": [{"text": text.text} for text in prompt.system]}
    body["contents"] = ContentWriter(prompt, destination, report, names).write()
    tools = ToolWriter(prompt, destination, report, names, body)
    tools.write()
    config = {
        **_sampling(prompt, destination, report),
        **_output(prompt, destination, report),
    }
    if thinking := thinking_config(prompt, destination, report):
        config["thinkingConfig"] = thinking
    if config:
        body[CONFIG] = config
    _settings(prompt, report, body)
    _native(prompt, destination, report, body)
    for path in _marked(prompt):
        report.dropped(path, "Gemini caches by itself, and takes no cache markers")
    return Written(body, tool_names=names.changed, freeform=tuple(tools.freeform))


def _sampling(prompt: Prompt, destination: Destination, report: Report) -> dict[str, Any]:
    sampling, own = prompt.sampling, prompt.dialect == NAME
    written: dict[str, Any] = {}
    most = destination.capabilities.max_output_tokens
    if (limit := sampling.max_tokens) is not None:
        written["maxOutputTokens"] = max(1, limit if most is None else min(limit, most))
        if written["maxOutputTokens"] != limit:
            report.changed(prompt.path("max_tokens"), f"{destination.model!r} writes {written['maxOutputTokens']}")
    if not destination.capabilities.sampling:
        for name in ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty"):
            if getattr(sampling, name) is not None:
                report.dropped(prompt.path(name), f"model {destination.model!r} does not take it")
    else:
        written |= _drawn(prompt, report)
    if sampling.seed is not None:
        seed = (sampling.seed + 2**31) % 2**32 - 2**31
        written["seed"] = seed
        if seed != sampling.seed:
            report.changed(prompt.path("seed"), "Gemini's seeds have 32 bits")
    stop = tuple(one for one in sampling.stop if one)
    if len(stop) > _MOST_STOPS:
        report.changed(prompt.path("stop"), f"Gemini takes {_MOST_STOPS} stop sequences: the first are sent")
    if stop and not destination.capabilities.stop:
        report.dropped(prompt.path("stop"), f"model {destination.model!r} takes no stop sequences")
    elif stop:
        written["stopSequences"] = list(stop[:_MOST_STOPS])
    return written | _of_replies(sampling, prompt, destination, report, own=own)


def _drawn(prompt: Prompt, report: Report) -> dict[str, Any]:
    """How tokens are drawn, within Gemini's ranges."""
    sampling = prompt.sampling
    ranges = {
        "temperature": (0.0, _HOTTEST),
        "top_p": (0.0, 1.0),
        "frequency_penalty": (-2.0, _MOST_PENALTY),
        "presence_penalty": (-2.0, _MOST_PENALTY),
    }
    written: dict[str, Any] = {}
    for name, (least, most) in ranges.items():
        value = getattr(sampling, name)
        if value is None:
            continue
        clamped = min(max(value, least), most)
        written[_NAMES.get(name, name)] = clamped
        if clamped != value:
            report.changed(prompt.path(name), f"Gemini takes {least} to {most}: {clamped} is sent")
    if sampling.top_k is not None:
        if sampling.top_k >= 1:
            written["topK"] = sampling.top_k
        else:
            report.dropped(prompt.path("top_k"), "Gemini draws from at least one token")
    return written


def _of_replies(
    sampling: Sampling, prompt: Prompt, destination: Destination, report: Report, *, own: bool
) -> dict[str, Any]:
    """What the replies are to hold, and how many there are to be."""
    written: dict[str, Any] = {}
    if own:
        if sampling.logprobs is not None:
            written["responseLogprobs"] = sampling.logprobs
        if sampling.top_logprobs is not None:
            written["logprobs"] = sampling.top_logprobs
        if sampling.candidates is not None:
            written["candidateCount"] = sampling.candidates
        return written
    if sampling.candidates is not None and sampling.candidates > 1:
        raise report.refused(
            prompt.path("candidates"), f"several replies at once are not available on {destination.provider!r}"
        )
    for name in ("logprobs", "top_logprobs", "logit_bias"):
        if getattr(sampling, name) is not None:
            report.dropped(prompt.path(name), "token ids and probabilities are not carried between dialects")
    return written


def _output(prompt: Prompt, destination: Destination, report: Report) -> dict[str, Any]:
    output = prompt.output
    if output is None:
        return {}
    written: dict[str, Any] = {"responseMimeType": "application/json"}
    if output.schema is None:
        return written
    if not destination.capabilities.structured_output:
        raise report.refused(output.path, f"model {destination.model!r} takes no schema for its reply")
    if prompt.dialect == NAME:
        written["responseJsonSchema"] = output.schema
        return written
    schema = output_schema(output.schema, report, output.path)
    if output.description and "description" not in schema and "anyOf" not in schema:
        schema["description"] = output.description
    return {**written, "responseSchema": schema}


def _settings(prompt: Prompt, report: Report, body: dict[str, Any]) -> None:
    for name, reason in _ELSEWHERE.items():
        if getattr(prompt, name):
            report.dropped(prompt.path(name), reason)
    if prompt.metadata:
        report.dropped(prompt.path("metadata"), "Gemini keeps no metadata with a request")
    if prompt.service_tier:
        if prompt.dialect == NAME:
            body["serviceTier"] = prompt.service_tier
        else:
            report.dropped(prompt.path("service_tier"), f"there is no tier {prompt.service_tier!r} to ask for")


def _native(prompt: Prompt, destination: Destination, report: Report, body: dict[str, Any]) -> None:
    """Put back what only the client's own dialect has; what stands in contents and tools was put back there."""
    for path, native in prompt.native.items():
        if prompt.dialect != NAME:
            if native.essential:
                raise report.refused(path, f"is not available on provider {destination.provider!r}")
            report.dropped(path, "has no counterpart in Gemini's API")
            continue
        *outer, name = [camel_case(step) for step in path.split(".")]
        if any("[" in step for step in outer):
            continue
        target = body
        for step in outer[1:] if outer[:1] == [COUNTED] else outer:
            target = target.setdefault(step, {})
        target[name] = native.value


def _marked(prompt: Prompt) -> Iterator[str]:
    """Where the client marked what is to be cached."""
    if prompt.cache is not None:
        yield prompt.path("cache")
    marked = [*prompt.system, *prompt.tools, *(part for turn in prompt.turns for part in turn.parts)]
    for one in marked:
        inner = one.content if isinstance(one, ToolResult) else ()
        for part in (one, *inner):
            cache: CacheMarker | None = getattr(part, "cache", None)
            if cache is not None:
                yield cache.path or part.path
