"""What errors mean, and how each dialect tells them, in tables that were read and approved."""

import itertools
from collections.abc import Iterator

import msgspec

from gephyr_core.dialects import DIALECTS
from gephyr_core.errors import ErrorKind, Problem
from gephyr_core.providers.classification import classify_error, classify_reply
from tests.approved import check_table

NOW = 1_800_000_000.0

STATUSES = (
    300,
    400,
    401,
    402,
    403,
    404,
    405,
    408,
    409,
    413,
    415,
    422,
    424,
    425,
    429,
    451,
    498,
    499,
    500,
    501,
    502,
    503,
    504,
    520,
    529,
)


def openai(code: str | None = None, kind: str | None = None, message: str = "told", **more: object) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "code": code, "type": kind, **more}})


def anthropic(kind: str, message: str = "told") -> bytes:
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": message}})


def google(status: str, *details: dict[str, object], message: str = "told") -> bytes:
    return msgspec.json.encode({"error": {"code": 0, "status": status, "message": message, "details": list(details)}})


def violation(**fields: object) -> dict[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [fields]}


BODIES: dict[str, bytes] = {
    "nothing": b"",
    "a page": b"<html></html>",
    "a list": b"[]",
    "a text": b'{"error":"told"}',
    "a message": b'{"message":"told"}',
    **{
        f"openai {code}": openai(code)
        for code in (
            *(
                "insufficient_quota",
                "rate_limit_exceeded",
                "model_not_found",
                "context_length_exceeded",
                "invalid_api_key",
            ),
            *(
                "content_filter",
                "content_policy_violation",
                "server_error",
                "billing_hard_limit_reached",
                "unsupported_country_region_territory",
            ),
        )
    },
    "openai of money": openai(None, "insufficient_quota"),
    "openai, too many tokens": openai("rate_limit_exceeded", "tokens", "Limit 10. Please try again in 1.5s."),
    "openai, about the model": openai(None, "invalid_request_error", "The model `x` does not exist", param="model"),
    "openai, too long": openai(None, None, "This model's maximum context length is 8 tokens"),
    **{
        f"anthropic {kind}": anthropic(kind)
        for kind in (
            *(
                "invalid_request_error",
                "authentication_error",
                "permission_error",
                "not_found_error",
                "request_too_large",
            ),
            *("rate_limit_error", "api_error", "overloaded_error", "billing_error", "timeout_error"),
        )
    },
    "anthropic, no credit": anthropic("invalid_request_error", "Your credit balance is too low to access the API"),
    "anthropic, too long": anthropic("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
    "anthropic, no such model": anthropic("not_found_error", "model: claude-x"),
    **{
        f"google {status}": google(status)
        for status in (
            *("INVALID_ARGUMENT", "FAILED_PRECONDITION", "PERMISSION_DENIED", "UNAUTHENTICATED", "NOT_FOUND"),
            *("RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED"),
        )
    },
    "google, a daily quota": google(
        "RESOURCE_EXHAUSTED", violation(quotaId="GenerateRequestsPerDayPerProjectPerModel-FreeTier")
    ),
    "google, a minute's quota": google(
        "RESOURCE_EXHAUSTED", violation(quotaId="GenerateRequestsPerMinutePerProjectPerModel")
    ),
    "google, a project's quota": google("RESOURCE_EXHAUSTED", violation(quotaId="GenerateRequestsPerMinutePerProject")),
    "google, no quota": google("RESOURCE_EXHAUSTED", violation(quotaId="X", quotaValue="0"), message="limit: 0"),
    "google, with a delay": google(
        "RESOURCE_EXHAUSTED", {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}
    ),
    "google, a bad key": google("INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}, message="API key not valid"),
    "google, in a list": b"[" + google("UNAVAILABLE") + b"]",
}
HINTS: dict[str, list[tuple[bytes, bytes]]] = {
    "": [],
    "retry after 7": [(b"retry-after", b"7")],
    "an hour": [(b"retry-after", b"3600")],
    "used up": [
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", b"9s"),
        (b"x-ratelimit-limit-requests", b"5"),
    ],
}


def verdicts() -> Iterator[str]:
    for name, body in BODIES.items():
        fates: dict[str, list[str]] = {}
        for status, (hint, headers) in itertools.product(STATUSES, HINTS.items()):
            if hint and status not in (400, 402, 403, 429, 500, 503, 529):
                continue
            one = classify_reply(status, headers, body, NOW)
            told = (
                f"{one.kind.value} {one.message[:60]!r} fails over {one.fail_over}, next target {one.next_target}, after "
                f"{one.retry_after}, for {one.scope or 'whom it is'}, lasting {one.lasting} {one.reason}"
            )
            fates.setdefault(told.rstrip(), []).append(f"{status} {hint}".rstrip())
        yield f"## {name}"
        yield from (f"{told}: {', '.join(where)}" for told, where in fates.items())


def test_each_error_of_a_provider_means_what_was_approved() -> None:
    check_table("errors-of-providers", verdicts())


TOLD: dict[str, object] = {
    **{f"code {code!r}": {"message": "told", "code": code} for code in (400, 399, 401, 429, 503, 599, 600)},
    **{f"code {code!r}": {"message": "told", "code": code} for code in ("429", "503", "42", "4290", "server_error")},
    "code True": {"message": "told", "code": True},
    "a type": {"message": "told", "type": "overloaded_error"},
    "only a message": {"message": "told"},
    "a text": "told",
    "nothing": None,
}


def test_each_error_within_a_reply_means_what_was_approved() -> None:
    lines = []
    for (name, told), kind in itertools.product(TOLD.items(), ErrorKind):
        for status in (None, 402, 500):
            code, one = classify_error(told, kind, status, (), NOW)
            lines.append(f"{name}, {kind.value}, {status}: {code} {one.kind.value} fails over {one.fail_over}")
    check_table("errors-within-replies", lines)


def test_each_error_is_told_in_each_dialect_as_was_approved() -> None:
    lines = []
    for (name, dialect), kind in itertools.product(DIALECTS.items(), ErrorKind):
        for problem in (Problem(kind, "told"), Problem(kind, "told", param="field", code="coded", retry_after=61.5)):
            one = dialect.render_error(problem, "req_1")
            lines.append(f"{name} {kind.value}: {one.status} {list(one.headers)} {one.body.decode()}")
    check_table("errors-of-dialects", lines)
