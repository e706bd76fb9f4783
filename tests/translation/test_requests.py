"""Every recorded request, translated for a provider of each other dialect."""

import re
from collections import Counter

import pytest

from tests.recordings import traffic
from tests.translation.comparing import losses
from tests.translation.recorded import DIALECTS, PAIRS, recordings
from tests.translation.refusals import LEGITIMATE
from tests.translation.said import said
from tests.translation.sdk_params import problem
from tests.translation.translating import OLDER_CLAUDE, Translation, translate, translations

pytestmark = pytest.mark.recordings
over_pairs = pytest.mark.parametrize(("source", "target"), PAIRS)


def done(source: str, target: str) -> list[Translation]:
    """The translations that were not refused."""
    return [translation for translation in translations(source, target) if translation.written is not None]


@over_pairs
def test_the_sdk_knows_everything_that_a_provider_is_sent(source: str, target: str) -> None:
    """Checked against the types of its parameters, with nothing they do not list."""
    wrong = Counter(problem(target, translation.body) for translation in done(source, target))
    assert set(wrong) <= {""}


@pytest.mark.parametrize("source", [dialect for dialect in DIALECTS if dialect != "anthropic"])
def test_an_older_model_is_sent_what_it_takes(source: str) -> None:
    """The sampling parameters, which the SDK's types have forgotten, and the older forms of thinking."""
    for recording in recordings(source):
        translation = translate(recording, OLDER_CLAUDE)
        if translation.written is not None:
            body = translation.body
            for name in ("temperature", "top_p", "top_k"):
                body.pop(name, None)
            assert problem("anthropic", body) == "", recording.id


@over_pairs
def test_what_was_said_is_said(source: str, target: str) -> None:
    """Texts, calls, results and media: kept in their order, or the report says what became of them."""
    lost = {
        translation.recording.id: found
        for translation in done(source, target)
        if (
            found := losses(
                said(source, translation.recording.body()), said(target, translation.body), translation.report
            )
        )
    }
    assert lost == {}


@over_pairs
def test_a_refusal_names_a_field_and_a_good_reason(source: str, target: str) -> None:
    """A new reason has to be looked at, and written down."""
    for translation in translations(source, target):
        refusal = translation.refusal
        if refusal is not None:
            reason = str(refusal).removeprefix(f"{refusal.path}: ")
            assert any(re.search(pattern, reason) for pattern in LEGITIMATE), f"{translation.recording.id}: {refusal}"
            assert refusal.path


@over_pairs
def test_few_requests_are_refused(source: str, target: str) -> None:
    """Most of what clients send can be carried anywhere: the recordings are rich in hosted tools,
    and the selection richer."""
    every = translations(source, target)
    assert 100 * len(done(source, target)) >= traffic.counted(whole=75, selected=65) * len(every)
