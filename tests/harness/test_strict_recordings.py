"""The checks against reality: what the providers' own hosts answered, the strict provider does not refuse, and what
they refused, it refuses in the same words."""

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from gephyr.harness.strict import StrictProvider
from gephyr.harness.strict.anthropic_checks import check_messages
from gephyr.harness.strict.gemini_checks import check_generate
from gephyr.harness.strict.openai_chat_checks import check_chat
from gephyr.harness.strict.openai_responses_checks import check_responses
from gephyr.harness.strict.refusal import RefusalError
from gephyr.harness.strict.signatures import Sealed
from tests.harness.strict_asking import ask
from tests.recordings import traffic

pytestmark = pytest.mark.recordings

FILES = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "anthropic-messages": "anthropic",
    "gemini-generate": "gemini",
}
"""Recorded dialects, each with its own provider."""

EXCEPTIONS = {
    # Hand-made: the result answers another call than the one before it, which the documents refuse and today's API does.
    "DataDog/dd-trace-py/tests/contrib/anthropic/cassettes/"
    "anthropic_completion_tools_call_with_tool_result_stream_helper.yaml#0": "unexpected `tool_use_id`",
}
"""Recorded requests that were answered and are refused here, with what the refusal says."""

UNCHECKED = (
    "API key not valid",  # Credentials are not looked at,
    "Error while downloading",  # addresses not fetched,
    "exceeds the context window",  # lengths not counted,
    "has of one the following formats",  # images not decoded,
    "The file type you uploaded",  # nor files.
    "'gpt-5.2-proo' does not exist",  # A family stands for all names that begin with it.
)
"""Recorded refusals of what the strict provider does not look at."""


@attrs.frozen
class Trusting:
    """Takes every signature for one of the provider's own: the recorded ones were made by others."""

    kind: str
    model: str

    def opened(self, signature: str) -> Sealed | None:
        # An organisation of its own, so that nothing is compared with the text, which is not known.
        return (
            Sealed(self.kind, "recorded" if self.kind == "anthropic" else "own", self.model, "") if signature else None
        )


def recorded(name: str, status: int) -> Iterator[dict[str, Any]]:
    """The requests of a dialect that its own provider answered with *status*."""
    for record in traffic.records(name):
        if record["provider"] == FILES[name] and record["status"] == status and record["request"]:
            yield record


def refusal_of(name: str, record: dict[str, Any]) -> str:
    """What the strict provider says to a request; empty if it takes it."""
    request = record["request"]
    try:
        match name:
            case "openai-chat":
                check_chat(request)
            case "openai-responses":
                check_responses(request, "own", Trusting("openai", request.get("model", "")))
            case "anthropic-messages":
                check_messages(request, anthropic_headers(record), "own", Trusting("anthropic", request["model"]))
            case _:
                model = record["url_path"].rpartition("/")[2].partition(":")[0]
                check_generate(request, model, "own", Trusting("gemini", model))
    except RefusalError as refused:
        return refused.message
    return ""


def anthropic_headers(record: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The recorded headers; some recordings lost theirs, so that both may have been there."""
    assumed = {"anthropic-version": "2023-06-01", "anthropic-beta": "unknown"}
    found = assumed | {name.lower(): value for name, value in record["request_headers"].items()}
    return [(name.encode(), value.encode()) for name, value in found.items()]


@pytest.mark.parametrize("name", FILES)
def test_what_was_answered_is_not_refused(name: str) -> None:
    """But for the exceptions, each of which is met."""
    refused = {}
    count = 0
    for record in recorded(name, 200):
        count += 1
        if message := refusal_of(name, record):
            refused[record["id"]] = message
    expected = {key: words for key, words in EXCEPTIONS.items() if key in refused}
    assert {key: message for key, message in refused.items() if expected.get(key, "\0") not in message} == {}
    assert count > traffic.counted(whole=300, selected=100)


def test_every_exception_is_one() -> None:
    found = {record["id"] for name in FILES for record in recorded(name, 200) if refusal_of(name, record)}
    assert found == EXCEPTIONS.keys()


PATHS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic-messages": "/v1/messages",
}
FOREIGN = ("ignature", "encrypted content", "not found.", "No tool", "Mutually", *EXCEPTIONS.values())
"""Words of refusals that only say that a recording goes on with what another provider made or stores."""


@pytest.mark.parametrize("name", FILES)
def test_whatever_was_answered_can_be_played_to(name: str) -> None:
    """Including histories with parts and tools that the script knows nothing of."""
    for record in recorded(name, 200):
        target = PATHS.get(name) or f"/v1beta/models/{record['url_path'].rpartition('/')[2]}"
        headers = anthropic_headers(record) if name == "anthropic-messages" else ()
        got = ask(StrictProvider(), target, record["request"], headers)
        assert got.status == 200 or any(words in got.json["error"]["message"] for words in FOREIGN), record["id"]


@pytest.mark.parametrize("name", FILES)
def test_what_was_refused_is_refused_in_the_same_words(name: str) -> None:
    for record in recorded(name, 400):
        said = record["response"]["error"]["message"]
        if not any(words in said for words in UNCHECKED):
            # The example in one of OpenAI's messages is another each time.
            assert refusal_of(name, record).partition("(e.g.")[0] == said.partition("(e.g.")[0], record["id"]
