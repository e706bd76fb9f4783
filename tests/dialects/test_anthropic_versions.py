"""Versions of Anthropic's API: a body that is written states one that it keeps, and a client's request keeps its own.

What a version takes is judged by the simulated provider, which has it from Anthropic's documents by itself.
"""

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr.harness.strict.anthropic_versions import check_version
from gephyr.harness.strict.refusal import RefusalError
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.parts import Document, Inline, Text
from gephyr_core.conversation.prompt import Sampling
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.translator import Destination, Written
from gephyr_core.http import header
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.translation.dialects import TRANSLATORS
from gephyr_core.translation.requests import RequestTranslation, read_request
from tests.dialects.anthropic_cases import assistant, fates, foreign, user, write

OLDER, NEWER = "2023-06-01", "2026-10-21"
SAMPLES, SAMPLES_NO_MORE = "claude-sonnet-4-5", "claude-opus-5"
MODELS = (
    *("claude-3-5-haiku-latest", SAMPLES, "claude-opus-4-6", "claude-opus-4-7", SAMPLES_NO_MORE, "claude-fable-5-1"),
    *("glm-5", "us.anthropic.claude-opus-4-1-v1:0"),
)
CITED = {"type": "text", "text": "It rained.", "citations": [{"type": "char_location", "cited_text": "rained"}]}
PAPER = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "It rained."}}
SEARCHED = {"type": "search_result", "source": "s", "title": "t", "content": [CITED]}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [CITED]}
HELLO = {"role": "user", "content": "Hello"}
GONE: dict[str, tuple[dict[str, Any], str]] = {
    "temperature": ({"temperature": 0.5}, "temperature"),
    "temperature's default": ({"temperature": 1.0}, "temperature"),
    "temperature null": ({"temperature": None}, "temperature"),
    "top_p": ({"top_p": 1}, "top_p"),
    "top_k": ({"top_k": 40}, "top_k"),
    "document": (
        {"messages": [HELLO, {"role": "assistant", "content": [CITED, PAPER]}, HELLO]},
        "messages[1].content[1]",
    ),
    "text": ({"messages": [{"role": "user", "content": [CITED]}]}, "messages[0].content[0].citations"),
    "text alone": ({"messages": [{"role": "user", "content": CITED}]}, "messages[0].content[0].citations"),
    "search result": (
        {"messages": [{"role": "user", "content": [PAPER, SEARCHED]}]},
        "messages[0].content[1].content[0].citations",
    ),
    "tool result": (
        {"messages": [HELLO, {"role": "assistant", "content": [CALL]}, {"role": "user", "content": [RESULT]}]},
        "messages[2].content[0].content[0].citations",
    ),
}
"""What the newer version does not have, and where."""


def destination(model: str) -> Destination:
    capabilities = capabilities_of("anthropic", "anthropic", model, {}, None)
    return Destination("anthropic", "anthropic", model, capabilities)


def asked(version: str | None = None, **fields: Any) -> RequestTranslation:
    """A client's request of the Messages API, read."""
    body = {"model": "m", "max_tokens": 99, "messages": [HELLO], **fields}
    headers = [] if version is None else [(b"anthropic-version", version.encode())]
    return read_request("anthropic", msgspec.json.encode(body), model="m", stream=False, headers=headers)


def stated(written: Written) -> str:
    """The version that a body states; it is one that takes the body."""
    check_version(written.body, written.headers)
    version = header(written.headers, b"anthropic-version")
    assert version is not None
    return version.decode()


@pytest.mark.parametrize(
    ("model", "version"), [(SAMPLES, OLDER), ("glm-5", OLDER), ("claude-opus-4-7", NEWER), (SAMPLES_NO_MORE, NEWER)]
)
def test_a_model_is_asked_in_the_newest_version_in_which_nothing_is_lost(model: str, version: str) -> None:
    """Those that take sampling parameters in the older one, which Bedrock too has for them, later ones in the newer."""
    assert stated(write(foreign(), destination(model))) == version


def test_sampling_is_carried_to_a_model_that_takes_it_and_reported_where_none_does() -> None:
    wanted = foreign(sampling=Sampling(temperature=0.2, top_k=5))
    report = Report()
    written = write(wanted, destination(SAMPLES), report)
    assert (stated(written), written.body["temperature"], written.body["top_k"]) == (OLDER, 0.2, 5)
    assert "temperature" not in dict(map(reversed, fates(report)))
    written = write(wanted, destination(SAMPLES_NO_MORE), report)
    assert (stated(written), written.body.keys() & {"temperature", "top_k"}) == (NEWER, set())
    assert [path for fate, path in fates(report) if fate == "dropped"] == ["temperature", "top_k"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("version", [OLDER, NEWER])
def test_a_clients_request_that_is_written_anew_keeps_its_version(model: str, version: str) -> None:
    """As it does where it is passed on: it may use what only that version means."""
    call = asked(version).call(destination(model), stream=False)
    assert call is not None
    assert stated(call.written) == version
    assert header(call.headers, b"anthropic-version") == version.encode()


@pytest.mark.parametrize("case", GONE)
@pytest.mark.parametrize("version", [OLDER, "2023-01-01", "1", "", None])
@pytest.mark.parametrize("model", [SAMPLES, SAMPLES_NO_MORE])
def test_what_only_the_older_version_has_goes_on_in_it(case: str, version: str | None, model: str) -> None:
    """A version that is none is not judged here: it is the provider's that the request would have been passed to."""
    call = asked(version, **GONE[case][0]).call(destination(model), stream=False)
    assert call is not None
    if case in {"document", "text", "text alone", "tool result"}:
        assert stated(call.written) == OLDER
    stated(call.written)


def test_a_document_of_the_assistants_stays_in_its_place() -> None:
    call = asked(OLDER, **GONE["document"][0]).call(destination(SAMPLES_NO_MORE), stream=False)
    assert call is not None
    assert [block["type"] for block in call.written.body["messages"][1]["content"]] == ["text", "document"]


@pytest.mark.parametrize("case", GONE)
@pytest.mark.parametrize("version", [NEWER, "2027-03-01"])
def test_what_a_clients_version_does_not_have_is_refused_by_name(case: str, version: str) -> None:
    """As the provider would refuse it: the answer does not depend on which account serves the request."""
    fields, path = GONE[case]
    with pytest.raises(FieldError) as caught:
        asked(version, **fields)
    assert caught.value.path == path
    assert OLDER in str(caught.value), "which version takes it"


@pytest.mark.parametrize(
    "fields",
    [
        {"stop_sequences": ["x"], "thinking": {"type": "adaptive"}},
        {"messages": [{"role": "user", "content": [{**CITED, "citations": []}, {**CITED, "citations": None}]}]},
        {"messages": [{"role": "user", "content": [{**PAPER, "citations": {"enabled": True}}]}]},
        {"messages": [HELLO, {"role": "assistant", "content": [CITED]}, HELLO]},
    ],
)
def test_what_the_newer_version_has_is_taken_from_its_clients(fields: dict[str, Any]) -> None:
    call = asked(NEWER, **fields).call(destination(SAMPLES_NO_MORE), stream=False)
    assert call is not None
    assert stated(call.written) == NEWER


def test_a_client_of_a_cloud_states_its_version_in_the_body() -> None:
    """Vertex AI's and Bedrock's: the field stays where the request is for a provider of the same API."""
    for version in ("vertex-2023-10-16", "bedrock-2023-05-31"):
        call = asked(anthropic_version=version, temperature=0.5).call(destination(SAMPLES), stream=False)
        assert call is not None
        assert (call.written.body["anthropic_version"], call.written.body["temperature"]) == (version, 0.5)
    with pytest.raises(FieldError):
        asked(anthropic_version=NEWER, temperature=0.5)


def test_counts_follow_a_version_too() -> None:
    prompt = foreign(sampling=Sampling(temperature=0.2))
    for model, version in ((SAMPLES, OLDER), (SAMPLES_NO_MORE, NEWER)):
        counted = TRANSLATORS["anthropic"].write_count(prompt, destination(model), Report())
        assert counted is not None
        assert stated(counted) == version


def test_beta_features_are_named_where_a_request_is_written_anew_for_its_own_api_alone() -> None:
    """Fields that only it has are put back, and the provider takes them only with the header."""
    translation = asked(NEWER, context_management={"edits": []})
    translation.headers = [*translation.headers, (b"anthropic-beta", b"context-management-2025-06-27")]
    own, other = destination(SAMPLES), Destination("openai-chat", "openai", "gpt-5")
    calls = [translation.call(one, stream=False) for one in (own, other)]
    assert [header(call.headers, b"anthropic-beta") for call in calls if call] == [
        b"context-management-2025-06-27",
        None,
    ]


papers = st.just(Document(Inline("text/plain", "aGk="), path="d"))
numbers = st.none() | st.floats(0, 2) | st.integers(0, 2)
sampled = st.builds(Sampling, temperature=numbers, top_p=numbers, top_k=st.none() | st.integers(1, 9))
said = st.lists(st.just(Text("hi")) | papers, min_size=1, max_size=3)


@given(sampled, st.lists(said, min_size=1, max_size=4), st.sampled_from(MODELS))
def test_whatever_a_client_of_another_api_says_the_version_takes_the_body(
    sampling: Sampling, messages: list[list[Any]], model: str
) -> None:
    turns = [speaks(*parts) for speaks, parts in zip(itertools.cycle((user, assistant)), messages, strict=False)]
    assert stated(write(foreign(*turns, sampling=sampling), destination(model))) in {OLDER, NEWER}


blocks = st.sampled_from([CITED, PAPER, SEARCHED, {"type": "text", "text": "hi"}])
contents = st.text(max_size=3) | st.lists(blocks, max_size=3)
fields = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.none() | st.floats(0, 1),
        "top_p": st.none() | st.floats(0, 1),
        "top_k": st.none() | st.integers(1, 9),
        "messages": st.lists(contents, min_size=1, max_size=4).map(
            lambda said: [
                *({"role": ("user", "assistant")[index % 2], "content": one} for index, one in enumerate(said)),
                HELLO,
            ]
        ),
    },
)


@given(fields, st.sampled_from([OLDER, NEWER]), st.sampled_from(MODELS))
def test_a_client_is_refused_exactly_what_its_version_refuses(request: Any, version: str, model: str) -> None:
    """And what is written anew for a provider of the same API is taken by it."""
    sent = [(b"anthropic-version", version.encode())]
    try:
        check_version(request, sent)
    except RefusalError:
        with pytest.raises(FieldError):
            asked(version, **request)
        return
    call = asked(version, **request).call(destination(model), stream=False)
    assert call is not None
    stated(call.written)
