"""What a translation writes, the provider takes: every recorded request, written for each other dialect, passes the
checks of the strict provider."""

import json
from collections import Counter

import pytest

from gephyr.harness.strict import StrictProvider
from tests.harness.strict_asking import ask
from tests.recordings import traffic
from tests.translation.recorded import PAIRS
from tests.translation.translating import DESTINATIONS, translations

pytestmark = pytest.mark.recordings

TARGETS = {
    "openai-chat": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{model}:generateContent",
}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_translated_request_is_refused(source: str, target: str) -> None:
    """Requests that the translation itself refuses are not sent; what a provider refuses is told with its number."""
    path = TARGETS[target].format(model=DESTINATIONS[target].model)
    refused: Counter[str] = Counter()
    provider = StrictProvider()
    sent = [translation for translation in translations(source, target) if translation.written is not None]
    for translation in sent:
        got = ask(provider, path, translation.body, translation.written.headers)
        if got.status != 200:
            error = got.json["error"]["message"] if got.body.startswith(b"{") else got.body.decode()
            refused[f"{error} ({translation.recording.id})"] += 1
    assert json.dumps(refused, indent=1) == "{}"
    assert len(sent) > traffic.counted(whole=200, selected=100)
