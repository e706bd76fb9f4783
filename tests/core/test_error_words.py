"""What providers' machine-readable codes and words tell of a bad request."""

import pytest

from gephyr_core.error_words import kind_of_words
from gephyr_core.errors import ErrorKind

CODES = {
    "context_length_exceeded": ErrorKind.CONTEXT_TOO_LONG,
    "exceed_context_size_error": ErrorKind.CONTEXT_TOO_LONG,
    "content_filter": ErrorKind.CONTENT_POLICY,
    "ResponsibleAIPolicyViolation": ErrorKind.CONTENT_POLICY,
    "content_policy_violation": ErrorKind.CONTENT_POLICY,
    "image_content_policy_violation": ErrorKind.CONTENT_POLICY,
    "bio_policy": ErrorKind.CONTENT_POLICY,
    "cyber_policy": ErrorKind.CONTENT_POLICY,
    "misalignment_policy_violation": ErrorKind.CONTENT_POLICY,
    "moderation_blocked": ErrorKind.CONTENT_POLICY,
}


@pytest.mark.parametrize(("code", "kind"), CODES.items())
def test_a_code_says_more_than_the_words(code: str, kind: ErrorKind) -> None:
    """An agent compacts its conversation after the one, and gives up after the other."""
    assert kind_of_words("no", ["other", code]) is kind
    assert kind_of_words("no", ["other"]) is None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("This model's maximum context length is 8192 tokens", ErrorKind.CONTEXT_TOO_LONG),
        ("prompt is too long: 210000 tokens > 200000 maximum", ErrorKind.CONTEXT_TOO_LONG),
        ("triggering Azure OpenAI's content management policy", ErrorKind.CONTENT_POLICY),
        ("Output blocked by content filtering policy", ErrorKind.CONTENT_POLICY),
        ("rejected as a result of our safety system", ErrorKind.CONTENT_POLICY),
        ("Content Exists Risk", ErrorKind.CONTENT_POLICY),
        ("messages: at least one message is required", None),
    ],
)
def test_words_say_it_where_no_code_does(message: str, kind: ErrorKind | None) -> None:
    assert kind_of_words(message) is kind
