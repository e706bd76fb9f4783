"""Nothing is lost without a word: each field of each recorded request is in the translation or in its report."""

import re
from collections import Counter

import pytest

from tests.translation.accounting import unaccounted
from tests.translation.recorded import PAIRS
from tests.translation.translating import translations

pytestmark = pytest.mark.recordings


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_field_is_carried_or_told_of(source: str, target: str) -> None:
    """By its value in what the provider is sent, or by a path in the report."""
    lost: Counter[str] = Counter()
    for translation in translations(source, target):
        if translation.written is not None:
            paths = unaccounted(translation.recording.body(), translation.body, translation.report)
            lost.update(re.sub(r"\[\d+\]", "[]", path) for path in paths)
    assert {
        path: count for path, count in lost.items() if path not in SAID_OTHERWISE and not path.endswith(".$ref")
    } == {}


SAID_OTHERWISE = {
    "model",  # the destination's stands in its place
    "stream",  # Gemini says it in the path
    "tool_choice",  # Mistral's "any" is "required"
    "tool_choice.disable_parallel_tool_use",  # parallel_tool_calls says the opposite
    "reasoning.enabled",  # what a model that reasons does anyway
    "reasoning.summary",  # asks for thoughts to be shown
    "reasoning.generate_summary",
    "thinking.display",
    "response_format.json_schema.name",  # a label, which Anthropic and Gemini have no use for
    "text.format.name",
    "response_format.json_schema.strict",  # what Anthropic and Gemini do anyway
    "text.format.strict",
    "stream_options.include_usage",  # the others always tell
    "messages[].content[].is_error",  # Gemini's response is an error then
    "generationConfig.responseMimeType",  # response_format says it
    "generationConfig.response_mime_type",
    "generationConfig.responseModalities[]",  # text is what the others write anyway
    "generationConfig.thinkingConfig.includeThoughts",  # asks for thoughts to be shown
    "generationConfig.thinkingConfig.include_thoughts",
    "toolConfig.functionCallingConfig.mode",  # ANY with names, VALIDATED: tool_choice says it
    "contents[].parts[].fileData.mime_type",  # the address tells it
    "contents[].parts[].function_response.parts[].file_data.mime_type",
    "contents[].parts[].inlineData.mimeType",  # the format of a sound, or the name of a file
    "contents[].parts[].inline_data.mime_type",
    "tools[].parameters.title",  # a label
    "tools[].name",  # of hosted tools: their type says it
}
"""Fields whose meaning is carried by another value, so that looking for theirs finds nothing."""
