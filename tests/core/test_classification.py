"""What providers' error replies mean: the rules of decision 9, and every recorded error reply."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import broken_bodies, header_lists, json_values, recorded_errors, reply_body, reply_headers

from gephyr_core.dates import LONGEST_WAIT
from gephyr_core.dialects import DIALECTS
from gephyr_core.errors import ErrorKind
from gephyr_core.http import Header
from gephyr_core.providers import PROVIDERS, Verdict, classify_reply

NOW = 1_700_000_000.0
FAIL_OVER, NEXT_TARGET, UNCHANGED = "fail over", "next target", "unchanged"


def classify(status: int, body: object = None, headers: tuple[Header, ...] = ()) -> Verdict:
    """Classify a reply with a JSON body."""
    return classify_reply(status, headers, json.dumps(body).encode(), NOW)


def error(message: str = "", **more: Any) -> dict[str, Any]:
    """An error body as OpenAI, Anthropic and Gemini have it."""
    return {"error": {"message": message, **more}}


def what_follows(verdict: Verdict) -> str:
    """What the gateway does next."""
    return NEXT_TARGET if verdict.next_target else FAIL_OVER if verdict.fail_over else UNCHANGED


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 405, 415, 418])
def test_the_clients_own_mistakes_go_to_the_client(status: int) -> None:
    assert what_follows(classify(status, error("no"))) == UNCHANGED


@pytest.mark.parametrize("status", [401, 402, 403, 408, 429, 500, 502, 503, 504, 520, 529, 599])
def test_what_another_account_may_do_better_fails_over(status: int) -> None:
    assert what_follows(classify(status, error("no"))) == FAIL_OVER
    assert what_follows(classify_reply(status, [], b"<html>", NOW)) == FAIL_OVER


@pytest.mark.parametrize("status", [301, 302, 307, 308, 304])
def test_a_redirect_is_a_fault_of_the_way_there(status: int) -> None:
    """Following it would carry the operator's credential to a place nobody configured."""
    verdict = classify(status)
    assert (verdict.kind, verdict.fail_over) == (ErrorKind.BAD_GATEWAY, True)


@pytest.mark.parametrize(
    "body",
    [
        error("Country, region, or territory not supported", code="unsupported_country_region_territory"),
        error("Your request was flagged by moderation"),
        error("blocked by content policy"),
    ],
)
def test_a_403_about_content_or_region_is_no_credentials_fault(body: dict[str, Any]) -> None:
    verdict = classify(403, body)
    assert (verdict.kind, what_follows(verdict)) == (ErrorKind.PERMISSION, UNCHANGED)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (
            400,
            error("API key not valid.", code=400, status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}]),
        ),
        (400, [error("API key expired.", status="INVALID_ARGUMENT", details=[{"reason": "API_KEY_INVALID"}])]),
        (400, {"code": "invalid-argument", "error": "Incorrect API key provided. You can obtain an API key from xAI."}),
        (401, error("invalid x-api-key", type="authentication_error")),
        (403, error("Your API key does not have permission to use the specified resource", type="permission_error")),
    ],
)
def test_a_bad_credential_is_seen_in_each_providers_words(status: int, body: object) -> None:
    """Gemini and xAI say 400; the client must not hear of a key that is not its own."""
    verdict = classify(status, body)
    assert (verdict.kind, what_follows(verdict)) == (ErrorKind.CREDENTIAL, FAIL_OVER)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("Your input exceeds the context window of this model.", code="context_length_exceeded")),
        (400, error("This model's maximum context length is 8192 tokens. However, you requested 9000 tokens")),
        (400, error("prompt is too long: 210000 tokens > 200000 maximum", type="invalid_request_error")),
        (413, error("Prompt is too long", type="invalid_request_error")),
        (400, error("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease one")),
        (400, error("The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).")),
        (400, [error("The input token count exceeds the maximum number of tokens allowed.", code=400)]),
        (400, error("the request exceeds the available context size, try increasing it", code=400)),
        (400, error("too much", code=400, type="exceed_context_size_error")),
        (
            400,
            {
                "object": "error",
                "message": "Prompt contains 6 tokens, too large for model with 3 maximum context length",
                "code": "3051",
            },
        ),
        (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400}),
        (400, error("Please reduce the length of the messages or completion.", type="invalid_request_error")),
        (400, {"code": "x", "error": "This model's maximum prompt length is 13 but the request contains 53 tokens."}),
        (422, error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097. Given: 5000")),
    ],
)
def test_a_prompt_that_is_too_long_is_seen_in_each_providers_words(status: int, body: object) -> None:
    verdict = classify(status, body)
    assert (verdict.kind, what_follows(verdict)) == (ErrorKind.CONTEXT_TOO_LONG, UNCHANGED)


AZURE_FILTER = (
    "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please modify"
)


@pytest.mark.parametrize(
    "body",
    [
        error("Your request was rejected.", code="content_policy_violation", type="invalid_request_error"),
        error("Your request was rejected as a result of our safety system.", type="image_generation_user_error"),
        error(AZURE_FILTER, code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        error("filtered", innererror={"code": "ResponsibleAIPolicyViolation"}),
        error(AZURE_FILTER, param="prompt"),
        error("Output blocked by content filtering policy", type="invalid_request_error"),
        error(
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", code="invalid_prompt"
        ),
        error("The prompt contains sensitive words that violate Google's Responsible AI practices.", code=400),
        error("Content Exists Risk", type="invalid_request_error", code="invalid_request_error"),
    ],
)
def test_a_policy_is_seen_in_each_providers_words(body: dict[str, Any]) -> None:
    verdict = classify(400, body)
    assert (verdict.kind, what_follows(verdict)) == (ErrorKind.CONTENT_POLICY, UNCHANGED)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            error("max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens"),
            ErrorKind.BAD_REQUEST,
        ),
        (
            400,
            error("max_tokens is too large: 90000. This model supports at most 4096 completion tokens"),
            ErrorKind.BAD_REQUEST,
        ),
        (400, error("Invalid 'tools[0].function.name': string too long."), ErrorKind.BAD_REQUEST),
        (
            413,
            error("Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7000"),
            ErrorKind.TOO_LARGE,
        ),
        (413, error("Request exceeds the maximum size", type="request_too_large"), ErrorKind.TOO_LARGE),
        (429, error("prompt is too long for your rate limit"), ErrorKind.RATE_LIMIT),
        (500, error("prompt is too long"), ErrorKind.SERVER),
    ],
)
def test_other_limits_are_not_taken_for_a_prompt_that_is_too_long(
    status: int, body: dict[str, Any], kind: ErrorKind
) -> None:
    assert classify(status, body).kind is kind


@pytest.mark.parametrize(
    "body",
    [
        error("The model `x` does not exist or you do not have access to it.", code="model_not_found"),
        error("model: claude-x", type="not_found_error"),
        error("models/x is not found for API version v1beta", status="NOT_FOUND"),
        error("The API deployment for this resource does not exist.", code="DeploymentNotFound"),
        {"error": "model 'x' not found"},
    ],
)
def test_a_404_that_names_the_model_tries_the_next_target(body: dict[str, Any]) -> None:
    verdict = classify(404, body)
    assert (verdict.kind, what_follows(verdict)) == (ErrorKind.MODEL_NOT_FOUND, NEXT_TARGET)
    assert not verdict.fail_over


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        (((b"retry-after", b"7"),), error(), 7.0),
        (((b"retry-after", b"1"), (b"retry-after-ms", b"0")), error(), 1.0),
        ((), error(details=[{"@type": "RetryInfo", "retryDelay": "34s"}]), 34.0),
        ((), error(details=[{"retryDelay": "10h17m2.5s"}]), 37022.5),
        (((b"retry-after", b"7"),), error(details=[{"retryDelay": "34s"}]), 7.0),
        ((), error(details=[{"retryDelay": "9" * 400 + "h"}]), LONGEST_WAIT),
        ((), error(details=[{"retryDelay": "soon"}, {"retryDelay": 5}, {"retryDelay": ""}]), None),
        ((), error(details="try later"), None),
        ((), error(), None),
    ],
)
def test_the_wait_is_what_the_provider_stated(headers: tuple[Header, ...], body: object, wait: float | None) -> None:
    assert classify(429, body, headers).retry_after == wait


def test_the_message_is_the_providers_and_bounded() -> None:
    assert classify(400, error("messages: too short")).message == "messages: too short"
    assert len(classify(500, error("x" * 10_000)).message) == 2000
    assert classify_reply(500, [], b"\xff\xfe", NOW).message == ""


@given(st.integers(300, 599), header_lists, st.one_of(broken_bodies, json_values.map(lambda v: json.dumps(v).encode())))
def test_any_reply_is_understood_somehow(status: int, headers: list[Header], body: bytes) -> None:
    verdict = classify_reply(status, headers, body, NOW)
    assert verdict.retry_after is None or 0 <= verdict.retry_after <= LONGEST_WAIT
    assert not (verdict.fail_over and verdict.next_target)


@given(
    st.integers(400, 599),
    st.dictionaries(
        st.sampled_from(["message", "code", "type", "status", "details", "metadata", "innererror"]), json_values
    ),
)
def test_any_error_object_is_understood_somehow(status: int, fields: dict[str, Any]) -> None:
    assert isinstance(classify(status, {"error": fields}).message, str)


# -- recorded replies -------------------------------------------------------------------------------------------------

RECORDED: dict[tuple[str, int], tuple[ErrorKind, ...]] = {
    ("anthropic", 400): (ErrorKind.BAD_REQUEST,),
    ("anthropic", 401): (ErrorKind.CREDENTIAL,),
    ("anthropic", 404): (ErrorKind.MODEL_NOT_FOUND,),
    ("azure", 401): (ErrorKind.CREDENTIAL,),
    ("azure", 404): (ErrorKind.NOT_FOUND, ErrorKind.MODEL_NOT_FOUND),
    ("azure", 429): (ErrorKind.RATE_LIMIT,),
    ("deepseek", 400): (ErrorKind.CONTEXT_TOO_LONG,),
    ("deepseek", 401): (ErrorKind.CREDENTIAL,),
    ("gemini", 400): (ErrorKind.CREDENTIAL,),
    ("gemini", 403): (ErrorKind.CREDENTIAL,),
    ("gemini", 404): (ErrorKind.MODEL_NOT_FOUND,),
    ("gemini", 429): (ErrorKind.RATE_LIMIT,),
    ("groq", 400): (ErrorKind.BAD_REQUEST,),
    ("groq", 404): (ErrorKind.MODEL_NOT_FOUND,),
    ("openai", 400): (ErrorKind.BAD_REQUEST, ErrorKind.CONTEXT_TOO_LONG),
    ("openai", 401): (ErrorKind.CREDENTIAL,),
    ("openai", 404): (ErrorKind.MODEL_NOT_FOUND,),
    ("openrouter", 400): (ErrorKind.CONTEXT_TOO_LONG,),
    ("openrouter", 401): (ErrorKind.CREDENTIAL,),
    ("openrouter", 429): (ErrorKind.RATE_LIMIT,),
    ("together", 401): (ErrorKind.CREDENTIAL,),
    ("vertex", 400): (ErrorKind.BAD_REQUEST,),
    ("vertex", 404): (ErrorKind.MODEL_NOT_FOUND,),
    ("xai", 400): (ErrorKind.CREDENTIAL,),
}
"""What each provider's recorded errors mean, by status. Its order is the one a reader looks things up in."""


@pytest.mark.recordings
def test_every_recorded_error_means_what_its_provider_meant() -> None:
    """Every reply of the providers in the table, against the row of its provider and status."""
    seen: dict[tuple[str, int], dict[ErrorKind, None]] = {}
    for record in recorded_errors():
        verdict = classify_reply(record["status"], reply_headers(record), reply_body(record), NOW)
        assert verdict.message or record.get("response") is None, record["id"]
        key = (record["provider"], record["status"])
        if record["provider"] in PROVIDERS:
            assert verdict.kind in RECORDED[key], (record["id"], verdict)
            seen.setdefault(key, {})[verdict.kind] = None
    assert {key: sorted(kinds, key=RECORDED[key].index) for key, kinds in seen.items()} == {
        key: list(kinds) for key, kinds in RECORDED.items()
    }


# -- the table of providers -------------------------------------------------------------------------------------------


def test_every_provider_speaks_dialects_there_are() -> None:
    for name, provider in PROVIDERS.items():
        assert provider.name == name
        assert provider.dialects
        assert all(dialect in DIALECTS for dialect in provider.dialects)
        assert provider.base_url is None or provider.base_url.startswith("https://")
        assert provider.auth.header == provider.auth.header.lower()


def test_limits_are_per_model_where_the_providers_documents_say_so() -> None:
    per_model = ["openai", "anthropic", "gemini", "vertex", "azure", "groq", "mistral", "xai", "together"]
    assert [name for name, provider in PROVIDERS.items() if provider.limits_per_model] == per_model
