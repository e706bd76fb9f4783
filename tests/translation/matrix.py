"""What becomes of each feature on each way: hand-written and recorded requests, translated and counted."""

import functools
import json
from collections import Counter

from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.prompt import Prompt
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.translation.writing import write_prompt
from tests.recordings.traffic import selected_ids
from tests.translation.feature_cases_more import CASES
from tests.translation.features import FEATURES, Feature
from tests.translation.translating import DESTINATIONS, TRANSLATORS, translations

FATES = ("exact", "emulated", "lossy", "refused")
Counts = dict[str, Counter[str]]
"""Feature to how often it met each fate."""


def by_hand(source: str, target: str) -> dict[str, str]:
    """The fate of each feature in the request that was written for it."""
    return {name: _fate_of(name, source, target) for name in CASES[source]}


def _fate_of(name: str, source: str, target: str) -> str:
    feature = next(feature for feature in FEATURES if feature.name.strip("`") == name)
    report = Report()
    body = json.loads(json.dumps(CASES[source][name]))
    prompt = TRANSLATORS[source].read_request(body, report, model="m", stream=False)
    try:
        write_prompt(prompt, DESTINATIONS[target], report)
    except UntranslatableError:
        return "refused"
    fate = feature.fate(prompt, report)
    assert fate, f"{source}: the request for {name!r} has no such feature: {prompt}"
    return fate


@functools.cache
def recorded(source: str, target: str) -> Counts:
    """The fates of all features in the recorded requests of the selection, which everyone has."""
    counts: Counts = {feature.name: Counter() for feature in FEATURES}
    for translation in translations(source, target):
        prompt, refusal = translation.prompt, translation.refusal
        if prompt is None or translation.recording.id not in selected_ids():
            continue
        for feature in FEATURES:
            fate = _refused(feature, prompt, refusal) if refusal else feature.fate(prompt, translation.report)
            if fate:
                counts[feature.name][fate] += 1
    return counts


def _refused(feature: Feature, prompt: Prompt, refusal: FieldError | UntranslatableError) -> str:
    """A request is refused for one of its features; what would have become of the others nobody knows."""
    return "refused" if feature.concerns(refusal.path, prompt) else ""
