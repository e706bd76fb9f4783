"""Method and path to operation, for every path of the four APIs and for paths that nobody wrote down."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.routing.endpoints import Endpoint, ModelIn, NoEndpoint, find_endpoint

CHAT, RESPONSES, ANTHROPIC, GEMINI = "openai-chat", "openai-responses", "anthropic", "gemini"
DIALECTS = (CHAT, "openai-completions", RESPONSES, ANTHROPIC, GEMINI)


def found(method: str, path: str) -> Endpoint:
    """The endpoint that must be there."""
    endpoint = find_endpoint(method, path)
    assert isinstance(endpoint, Endpoint), (method, path)
    return endpoint


@pytest.mark.parametrize(
    ("method", "path", "operation", "dialect"),
    [
        ("POST", "/v1/chat/completions", "chat.completions", CHAT),
        ("POST", "/v1/completions", "completions", "openai-completions"),
        ("POST", "/v1/embeddings", "embeddings", CHAT),
        ("POST", "/v1/moderations", "moderations", CHAT),
        ("POST", "/v1/responses", "responses", RESPONSES),
        ("GET", "/v1/responses", "responses.socket", RESPONSES),
        ("GET", "/v1/responses/resp_1", "responses.get", RESPONSES),
        ("DELETE", "/v1/responses/resp_1", "responses.delete", RESPONSES),
        ("POST", "/v1/responses/resp_1/cancel", "responses.cancel", RESPONSES),
        ("GET", "/v1/responses/resp_1/input_items", "responses.input_items", RESPONSES),
        ("POST", "/v1/responses/compact", "responses.compact", RESPONSES),
        ("POST", "/v1/responses/input_tokens", "responses.input_tokens", RESPONSES),
        ("POST", "/v1/conversations", "conversations", RESPONSES),
        ("GET", "/v1/conversations/conv_1", "conversations.get", RESPONSES),
        ("POST", "/v1/conversations/conv_1", "conversations.update", RESPONSES),
        ("DELETE", "/v1/conversations/conv_1", "conversations.delete", RESPONSES),
        ("GET", "/v1/conversations/conv_1/items", "conversations.items", RESPONSES),
        ("POST", "/v1/conversations/conv_1/items", "conversations.items.create", RESPONSES),
        ("GET", "/v1/conversations/conv_1/items/msg_1", "conversations.items.get", RESPONSES),
        ("DELETE", "/v1/conversations/conv_1/items/msg_1", "conversations.items.delete", RESPONSES),
        ("POST", "/v1/messages", "messages", ANTHROPIC),
        ("POST", "/v1/messages/count_tokens", "messages.count_tokens", ANTHROPIC),
        ("POST", "/v1beta/models/g:generateContent", "generateContent", GEMINI),
        ("POST", "/v1beta/models/g:streamGenerateContent", "streamGenerateContent", GEMINI),
        ("POST", "/v1beta/models/g:countTokens", "countTokens", GEMINI),
        ("POST", "/v1beta/models/g:embedContent", "embedContent", GEMINI),
        ("POST", "/v1beta/models/g:batchEmbedContents", "batchEmbedContents", GEMINI),
        ("GET", "/v1/models", "models", CHAT),
        ("GET", "/v1/models/gpt-5", "models.get", CHAT),
        ("GET", "/v1beta/models", "models", GEMINI),
        ("GET", "/v1beta/models/g", "models.get", GEMINI),
        ("GET", "/health", "health", CHAT),
        ("HEAD", "/health", "health", CHAT),
        ("HEAD", "/", "probe", ANTHROPIC),
        ("GET", "/metrics", "metrics", CHAT),
    ],
)
def test_every_operation_is_found(method: str, path: str, operation: str, dialect: str) -> None:
    endpoint = found(method, path)
    assert (endpoint.operation.name, endpoint.operation.dialect) == (operation, dialect)
    wrong = find_endpoint("PATCH", path)
    assert isinstance(wrong, NoEndpoint)
    assert method in wrong.allow
    assert found(method, "/" + path) == found(method, path)


@pytest.mark.parametrize("path", ["/v1/messages/", "//v1/messages", "///v1/messages//"])
def test_a_slash_too_many_does_no_harm(path: str) -> None:
    """Base URLs are written with and without a slash at their end."""
    assert found("POST", path).operation.name == "messages"


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-3:generateContent", "gemini-3"),
        ("/v1beta/models/meta/llama:70b:generateContent", "meta/llama:70b"),
        ("/v1beta/models/meta%2Fllama%3A70b:generateContent", "meta/llama:70b"),
        ("/v1/models/g:generateContent", "g"),
        ("/v1alpha/models/g:generateContent", "g"),
        ("/v1beta/models/a:generateContent:generateContent", "a:generateContent"),
        ("/v1beta/models/m%C3%BCnchen:generateContent", "münchen"),
    ],
)
def test_a_model_in_a_path_may_have_slashes_and_colons(path: str, model: str) -> None:
    endpoint = found("POST", path)
    assert endpoint.model == model
    assert endpoint.operation.model_in is ModelIn.PATH
    assert endpoint.path.endswith("/models/{model}:generateContent")


def test_a_tuned_model_stays_a_tuned_model() -> None:
    assert found("POST", "/v1beta/tunedModels/t:generateContent").path == "/v1beta/tunedModels/{model}:generateContent"


@pytest.mark.parametrize("path", ["/v1/models/openai/gpt-5:free", "/v1/models/openai%2Fgpt-5%3Afree"])
def test_a_model_asked_about_may_have_slashes_and_colons(path: str) -> None:
    assert found("GET", path).model == "openai/gpt-5:free"


@pytest.mark.parametrize(
    "path",
    [
        "/v1beta/models/../files/f:generateContent",
        "/v1beta/models/..%2F..%2Fv1beta%2Ffiles%2Ff:generateContent",
        "/v1beta/models/a/%2e%2e/b:generateContent",
        "/v1beta/models/a/./b:generateContent",
        "/v1beta/models/a%00b:generateContent",
        "/v1beta/models/a%0d%0ab:generateContent",
        "/v1/models/..",
        "/v1/responses/..",
        "/v1/responses/..%2Fmodels",
        "/v1/responses/a%2F..%2Fb",
        "/v1/responses/r%C3%A9",
        "/v1/conversations/c/items/i%C3%A9",
        "/v1/conversations/c/items/..",
        "/v1/responses/r%0d%0a",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_climbs_or_hides_something_is_unknown(method: str, path: str) -> None:
    """It would be asked of the provider with the operator's credential."""
    endpoint = find_endpoint(method, path)
    assert isinstance(endpoint, NoEndpoint)
    assert endpoint.allow == ()


def test_only_streams_by_their_path_are_streams_by_their_path() -> None:
    assert found("POST", "/v1beta/models/g:streamGenerateContent").stream
    assert not found("POST", "/v1beta/models/g:generateContent").stream
    assert not found("POST", "/v1/messages").stream


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/responses/r"),
        ("POST", "/v1/responses/r/cancel"),
        ("POST", "/v1/conversations"),
        ("POST", "/v1/conversations/c"),
        ("DELETE", "/v1/conversations/c"),
        ("POST", "/v1/conversations/c/items"),
        ("DELETE", "/v1/conversations/c/items/i"),
    ],
)
def test_what_changes_something_at_the_provider_is_not_repeatable(method: str, path: str) -> None:
    """Decision 10: such calls fail over only if nothing was sent or the provider answered."""
    assert not found(method, path).operation.repeatable


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1beta/models/g:generateContent"]
)
def test_generation_may_be_asked_again(path: str) -> None:
    assert found("POST", path).operation.repeatable


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/messages/count_tokens"),
        ("POST", "/v1/responses/input_tokens"),
        ("POST", "/v1beta/models/g:countTokens"),
        ("GET", "/v1/responses/r"),
    ],
)
def test_side_routes_are_marked(method: str, path: str) -> None:
    """Their failures say nothing about the account's health."""
    assert found(method, path).operation.side


def test_objects_at_a_provider_are_pinned_by_the_id_in_their_path() -> None:
    endpoint = found("GET", "/v1/conversations/conv_1/items/msg_1")
    assert (endpoint.object_id, endpoint.operation.pinned) == ("conv_1", True)


def test_moderations_are_asked_of_accounts_of_openai_itself() -> None:
    """Hosts that only speak Chat Completions have no moderations."""
    assert found("POST", "/v1/moderations").operation.account_dialect == RESPONSES
    assert found("POST", "/v1/messages").operation.account_dialect == ANTHROPIC


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1beta/nothing", GEMINI),
        ("/upload/v1beta/files", GEMINI),
        ("/v1/messages/batches", ANTHROPIC),
        ("/v1/responses/r/nothing", RESPONSES),
        ("/v1/cachedContents", GEMINI),
        ("/v1/models/veo:predictLongRunning", GEMINI),
        ("/v1/files", None),
        ("", None),
        ("nothing", None),
    ],
)
def test_an_unknown_path_tells_whose_it_is_if_one_vendor_alone_has_it(path: str, dialect: str | None) -> None:
    assert find_endpoint("POST", path) == NoEndpoint(dialect)


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_googles_api_is_served_in_each_of_its_versions(version: str) -> None:
    """google-genai 3 asks ``/v1/`` by default, older ones ``/v1beta/``; previews are asked of ``/v1alpha/``. What goes
    to a provider keeps the version."""
    for verb in ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents"):
        endpoint = found("POST", f"/{version}/models/gemini:{verb}")
        assert (endpoint.operation.name, endpoint.operation.dialect) == (verb, GEMINI)
        assert endpoint.path == f"/{version}/models/{{model}}:{verb}"
        assert find_endpoint("GET", f"/{version}/models/gemini:{verb}") == NoEndpoint(GEMINI, ("POST",))
    listed, one = found("GET", f"/{version}/models"), found("GET", f"/{version}/models/gemini")
    assert (listed.operation.name, one.operation.name, one.model) == ("models", "models.get", "gemini")
    assert [operation.shared for operation in (listed.operation, one.operation)] == [version == "v1"] * 2


_parts = st.sampled_from(
    [
        *("/", "//", "v1", "v1beta", "models", "tunedModels", "responses", "conversations", "items", "cancel"),
        *(":", ":generateContent", ":countTokens", "..", ".", "%2F", "%2e", "%", "%zz", "%ff", "%00", "\n", "é"),
        *("messages", "x_1", "{model}"),
    ]
)
starts = st.sampled_from(["", "/v1/", "/v1beta/models/"])
methods = st.sampled_from(["GET", "POST", "DELETE", "HEAD", "", "é"])
paths = st.text(max_size=40) | st.lists(_parts, max_size=9).map("".join) | st.lists(_parts, max_size=9).map("/".join)
_PLAIN = frozenset(string.ascii_letters + string.digits + "/_.:=-{}")


@given(
    st.sampled_from(["GET", "POST", "DELETE", "HEAD", "", "é"]), paths, st.sampled_from(["", "/v1/", "/v1beta/models/"])
)
def test_any_path_gives_an_endpoint_or_none(method: str, path: str, start: str) -> None:
    """And what goes to a provider is plain text without steps up, whatever the client wrote."""
    endpoint = find_endpoint(method, start + path)
    if isinstance(endpoint, NoEndpoint):
        assert endpoint.dialect is None or endpoint.dialect in DIALECTS
        return
    assert endpoint.operation.dialect in DIALECTS
    if endpoint.model is not None:
        assert endpoint.model.isprintable()
        segments = endpoint.model.split("/")
        assert "." not in segments
        assert ".." not in segments
    if not endpoint.operation.local:
        assert _PLAIN.issuperset(endpoint.path)
        assert "/../" not in endpoint.path + "/"


def test_a_verb_that_is_not_served_is_an_unknown_path() -> None:
    """And no model's name, for which another method would be right."""
    endpoint = find_endpoint("POST", "/v1beta/models/veo:predictLongRunning")
    assert isinstance(endpoint, NoEndpoint)
    assert (endpoint.dialect, endpoint.allow) == (GEMINI, ())
    assert found("GET", "/v1beta/models/llama:70b").model == "llama:70b"
