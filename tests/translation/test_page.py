"""The page on translation says what the translators do."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.translation.feature_cases_more import CASES
from tests.translation.features import FEATURES

_GENERATOR = Path(__file__).parents[2] / "docs" / "generate_translation.py"


def generator() -> ModuleType:
    """The page's generator; run in this process, it finds the recorded requests translated already."""
    spec = importlib.util.spec_from_file_location("generate_translation", _GENERATOR)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.recordings
def test_the_page_is_up_to_date() -> None:
    """The tables count the recordings in the repository, so that anyone can make them again."""
    assert generator().is_current(), "run python docs/generate_translation.py"


def test_every_request_written_by_hand_is_for_a_feature() -> None:
    """Each name in the cases is one of the features'."""
    names = {feature.name.strip("`") for feature in FEATURES}
    assert {name for cases in CASES.values() for name in cases} <= names
