"""Model lists from the configuration, each as its dialect has it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.catalog import list_models, show_model

MODELS = {f"m-{number:02}": "openai" for number in range(30)} | {"meta/llama:70b": "gephyr"}
NAMES = list(MODELS)


def listed(dialect: str, **query: str) -> dict[str, Any]:
    """A list of MODELS as a client gets it."""
    answer: dict[str, Any] = msgspec.json.decode(list_models(dialect, MODELS, {key: [query[key]] for key in query}))
    return answer


def test_openai_lists_everything_with_its_owner() -> None:
    answer = listed("openai-chat")
    assert answer["object"] == "list"
    assert [(model["id"], model["owned_by"]) for model in answer["data"]] == list(MODELS.items())
    assert all(model["object"] == "model" and model["created"] > 0 for model in answer["data"])


def test_anthropic_lists_have_every_required_field() -> None:
    """Strict validation in the SDK fails without ``lifecycle``."""
    answer = listed("anthropic", limit="1000")
    assert answer["data"][0] == {
        "type": "model",
        "id": "m-00",
        "display_name": "m-00",
        "created_at": "2025-01-01T00:00:00Z",
        "lifecycle": "active",
    }
    assert [model["id"] for model in answer["data"]] == NAMES
    assert (answer["has_more"], answer["first_id"], answer["last_id"]) == (False, NAMES[0], NAMES[-1])


def test_gemini_names_its_models_by_their_path() -> None:
    answer = listed("gemini", pageSize="1000")
    assert [model["name"] for model in answer["models"]] == [f"models/{name}" for name in NAMES]
    assert "nextPageToken" not in answer
    assert "streamGenerateContent" in answer["models"][0]["supportedGenerationMethods"]


@pytest.mark.parametrize("size", [1, 7, 20, 31, 1000])
def test_anthropic_pages_forth_reach_every_model_once(size: int) -> None:
    seen: list[str] = []
    page = listed("anthropic", limit=str(size))
    while True:
        seen += [model["id"] for model in page["data"]]
        if not page["has_more"]:
            break
        page = listed("anthropic", limit=str(size), after_id=page["last_id"])
    assert seen == NAMES


@pytest.mark.parametrize("size", [1, 7, 20])
def test_anthropic_pages_back_reach_every_model_before(size: int) -> None:
    """A page back is the one that stands directly before the id."""
    seen: list[str] = []
    page = listed("anthropic", limit=str(size), before_id=NAMES[-1])
    while True:
        seen = [model["id"] for model in page["data"]] + seen
        if not page["has_more"]:
            break
        page = listed("anthropic", limit=str(size), before_id=page["first_id"])
    assert seen == NAMES[:-1]


@pytest.mark.parametrize("size", [1, 7, 31, 1000])
def test_gemini_pages_reach_every_model_once(size: int) -> None:
    page = listed("gemini", pageSize=str(size))
    seen = [model["name"] for model in page["models"]]
    while "nextPageToken" in page:
        page = listed("gemini", pageSize=str(size), pageToken=page["nextPageToken"])
        seen += [model["name"] for model in page["models"]]
    assert seen == [f"models/{name}" for name in NAMES]


def test_pages_have_the_sizes_the_apis_have_where_none_is_asked() -> None:
    assert len(listed("anthropic")["data"]) == 20
    many = dict.fromkeys(map(str, range(60)), "openai")
    assert len(msgspec.json.decode(list_models("gemini", many, {}))["models"]) == 50


@given(
    st.sampled_from(["openai-chat", "anthropic", "gemini"]),
    st.dictionaries(
        st.sampled_from(["limit", "after_id", "before_id", "pageSize", "pageToken"]),
        st.lists(st.text(max_size=12) | st.sampled_from([*NAMES[:3], "-1", "0", "9" * 5000, "²", "٣"]), min_size=1),
    ),
)
def test_any_query_gives_a_list(dialect: str, query: dict[str, list[str]]) -> None:
    """What cannot be understood is left out, as the providers do it."""
    answer = msgspec.json.decode(list_models(dialect, MODELS, query))
    assert len(answer["models" if dialect == "gemini" else "data"]) <= len(MODELS)


def test_an_empty_list_is_a_list() -> None:
    empty = msgspec.json.decode(list_models("anthropic", {}, {}))
    assert empty == {"data": [], "has_more": False, "first_id": None, "last_id": None}


@pytest.mark.parametrize("dialect", ["openai-chat", "anthropic", "gemini"])
def test_one_model_looks_as_it_does_in_the_list(dialect: str) -> None:
    shown = msgspec.json.decode(show_model(dialect, "m-00", "openai"))
    answer = listed(dialect)
    assert shown == answer["models" if dialect == "gemini" else "data"][0]
