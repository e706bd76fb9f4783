"""What a provider's error reply means: for the client, for the account, and for the next attempt.

The rules are those of the provider's documents; which replies go to the client unchanged is a promise to coding
agents, whose retry logic reads status and wording.
"""

import re
from typing import Literal

import attrs
import msgspec

from gephyr_core.dates import LONGEST_WAIT, retry_after
from gephyr_core.error_words import kind_of_words
from gephyr_core.errors import ErrorKind, kind_of_status
from gephyr_core.http import Headers

_NOT_THE_CREDENTIAL = re.compile(r"region|country|territor|location|moderat|flagged|content|policy", re.IGNORECASE)
_MONEY_CODES = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_usage_limit_exceeded",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
)
_TOLD_BY_WORDS = (400, 413, 422)
"""Statuses that tell a prompt that is too long, or against a policy, from another bad request by words alone."""
_MODEL_CODES = ("model_not_found", "DeploymentNotFound")
"""OpenAI's, and Azure's, whose message speaks of a deployment."""
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")


@attrs.frozen
class Verdict:
    """An error reply, understood."""

    kind: ErrorKind
    message: str
    """The provider's own message, bounded; empty when its body has none."""
    fail_over: bool
    """Another account may serve the request."""
    next_target: bool = False
    """The model is unknown here: the next target of the route may know it, another account will not."""
    retry_after: float | None = None
    """Seconds until the account may be asked again, as the provider stated it."""
    scope: Literal["", "model", "account"] = ""
    """What a limit is for, where the reply says so."""
    lasting: bool = False
    """Waiting a while does not mend it: no credit, a spend limit, a daily quota."""
    reason: str = ""
    """A word for a lasting limit."""


@attrs.frozen
class _Body:
    """The parts of an error body that decide, whatever its dialect."""

    message: str = ""
    codes: tuple[str, ...] = ()
    """``code``, ``type``, ``status``, reasons in the details: everything machine-readable."""
    retry_delay: float | None = None


def classify_reply(status: int, headers: Headers, body: bytes, now: float) -> Verdict:
    """Say what a reply with an error status (or a redirect) means. *body* is decoded, and may be anything."""
    error = _read(body)
    kind = _kind(status, error)
    hint = retry_after(headers, now)
    if hint is None:
        hint = error.retry_delay
    names_model = status == 404 and _names_model(error)
    return Verdict(
        kind=ErrorKind.MODEL_NOT_FOUND if names_model else kind,
        message=error.message,
        fail_over=_fails_over(status, kind),
        next_target=names_model,
        retry_after=hint,
        lasting=kind is ErrorKind.MONEY,
        reason=next((code for code in error.codes if code in _MONEY_CODES), "no credit")
        if kind is ErrorKind.MONEY
        else "",
    )


def _kind(status: int, error: _Body) -> ErrorKind:
    if status == 400 and _is_401_in_disguise(error):
        return ErrorKind.CREDENTIAL
    if status == 429 and any(code in _MONEY_CODES for code in error.codes):
        return ErrorKind.MONEY
    if status == 403 and not _NOT_THE_CREDENTIAL.search(" ".join((error.message, *error.codes))):
        return ErrorKind.CREDENTIAL
    if status < 400:
        return ErrorKind.BAD_GATEWAY  # a redirect is never followed: it would carry the credential elsewhere
    told = kind_of_words(error.message, error.codes) if status in _TOLD_BY_WORDS else None
    return told or kind_of_status(status)


def _is_401_in_disguise(error: _Body) -> bool:
    """Gemini says so by a reason, xAI by its words alone."""
    return "API_KEY_INVALID" in error.codes or error.message.startswith("Incorrect API key provided")


def _fails_over(status: int, kind: ErrorKind) -> bool:
    if kind in {ErrorKind.CREDENTIAL, ErrorKind.MONEY}:
        return True
    return status < 400 or status in {408, 429} or status >= 500


def _names_model(error: _Body) -> bool:
    names = any(code in error.codes for code in _MODEL_CODES)
    return names or re.search(r"\bmodels?\b", error.message, re.IGNORECASE) is not None


def _read(body: bytes) -> _Body:
    """Read an error body of any dialect; one that is none gives an empty result."""
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Body()
    if isinstance(value, list) and value:  # Gemini's array form
        value = value[0]
    error = value.get("error", value) if isinstance(value, dict) else None
    if isinstance(error, str):
        return _Body(message=error[:2000])
    if not isinstance(error, dict):
        return _Body()
    message = error.get("message")
    codes = [error.get("code"), error.get("type"), error.get("status")]
    delay = None
    inner = error.get("innererror")  # Azure's
    codes.append(inner.get("code") if isinstance(inner, dict) else None)
    details = error.get("details")
    for detail in details if isinstance(details, list) else [details]:
        if isinstance(detail, dict):
            codes += [detail.get("reason"), detail.get("error_code")]
            delay = delay if delay is not None else _duration(detail.get("retryDelay"))
    return _Body(
        message=message[:2000] if isinstance(message, str) else "",
        codes=tuple(code for code in codes if isinstance(code, str)),
        retry_delay=delay,
    )


def _duration(value: object) -> float | None:
    """Read ``google.rpc.RetryInfo.retryDelay``: ``34s``, ``10h17m2.5s``."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None or not any(match.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return min(hours * 3600 + minutes * 60 + seconds, LONGEST_WAIT)
