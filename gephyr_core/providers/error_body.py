"""A provider's error body, read into the parts that decide, whatever its dialect."""

from typing import Any

import attrs
import msgspec

from gephyr_core.dates import bounded_wait, go_duration
from gephyr_core.surrogates import readable

_LONGEST_MESSAGE = 2000


@attrs.frozen
class Violation:
    """One of the quotas that Google says were exceeded (``google.rpc.QuotaFailure``)."""

    quota: str
    """Its id (``GenerateRequestsPerDayPerProjectPerModel-FreeTier``) and its metric, in one text."""
    of_a_model: bool
    """Its dimensions name a model."""
    is_zero: bool
    """It never allowed anything."""


@attrs.frozen
class ErrorBody:
    """What an error body says."""

    message: str = ""
    """Bounded."""
    codes: tuple[str, ...] = ()
    """``code``, ``type``, ``status``, reasons in the details: everything machine-readable."""
    retry_delay: float | None = None
    """Seconds of ``google.rpc.RetryInfo``, bounded."""
    violations: tuple[Violation, ...] = ()
    passed_on: bool = False
    """OpenRouter hands on what another provider said, whose name it tells."""
    reset: bytes = b""
    """When OpenRouter's own limit resets, as its header has it; it stands in the body too."""


def read_error_body(body: bytes) -> ErrorBody:
    """Read an error body of any dialect; one that is none gives an empty result."""
    try:
        value: object = msgspec.json.decode(readable(body) or body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ErrorBody()
    if isinstance(value, list) and value:  # Gemini's array form
        value = value[0]
    return read_error(value.get("error", value) if isinstance(value, dict) else None)


def read_error(error: object) -> ErrorBody:
    """Read the error that a body or an event of a stream tells of: an object, or a text alone."""
    if isinstance(error, str):
        return ErrorBody(message=error[:_LONGEST_MESSAGE])
    return _read(error) if isinstance(error, dict) else ErrorBody()


def _read(error: dict[str, Any]) -> ErrorBody:
    codes = [error.get("code"), error.get("type"), error.get("status")]
    codes.append(_object(error.get("innererror")).get("code"))  # Azure's
    delay = None
    violations: list[Violation] = []
    details = error.get("details")
    for detail in map(_object, details if isinstance(details, list) else [details]):
        codes += [detail.get("reason"), detail.get("error_code")]
        delay = delay if delay is not None else _duration(detail.get("retryDelay"))
        exceeded = detail.get("violations")
        violations += map(_violation, exceeded if isinstance(exceeded, list) else [])
    metadata = _object(error.get("metadata"))
    return ErrorBody(
        message=_text(error.get("message"))[:_LONGEST_MESSAGE],
        codes=tuple(code for code in codes if isinstance(code, str)),
        retry_delay=delay,
        violations=tuple(violations),
        passed_on=bool(_text(metadata.get("provider_name"))),
        reset=_text(_object(metadata.get("headers")).get("X-RateLimit-Reset")).encode(errors="replace"),
    )


def _violation(value: object) -> Violation:
    violation = _object(value)
    return Violation(
        quota=f"{_text(violation.get('quotaId'))} {_text(violation.get('quotaMetric'))}",
        of_a_model="model" in _object(violation.get("quotaDimensions")),
        is_zero=violation.get("quotaValue") == "0",
    )


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _duration(value: object) -> float | None:
    """Read ``google.rpc.RetryInfo.retryDelay``: ``34s``, and in the wild ``10h17m2.5s``."""
    seconds = go_duration(value) if isinstance(value, str) else None
    return None if seconds is None else bounded_wait(seconds)
