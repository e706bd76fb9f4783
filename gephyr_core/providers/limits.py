"""What a provider's headers say is left of an account's quota."""

import re

import attrs

from gephyr_core.http import Headers

_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-")
_GO_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")


@attrs.frozen
class Quota:
    """One measure of a quota."""

    measure: str
    """``requests``, ``tokens``, ``input_tokens`` or ``output_tokens``."""
    limit: int | None
    remaining: int
    resets_in: float | None
    """Seconds until the provider's bucket is full again."""


def read_quotas(headers: Headers, now: float) -> tuple[Quota, ...]:  # noqa: ARG001
    """Return what the headers of a reply say; empty where they say nothing."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(_PREFIXES):
            found[name.decode("latin-1")] = value.decode("latin-1")
    if not found:
        return ()
    quotas = []
    for measure in ("requests", "tokens"):
        remaining = found.get(f"x-ratelimit-remaining-{measure}", "")
        limit = found.get(f"x-ratelimit-limit-{measure}", "")
        if remaining.isdecimal():
            resets_in = go_duration(found.get(f"x-ratelimit-reset-{measure}", ""))
            quotas.append(Quota(measure, int(limit) if limit.isdecimal() else None, int(remaining), resets_in))
    return tuple(quotas)


def go_duration(text: str) -> float | None:
    """Read a duration as Go prints it: ``6m0s``, ``17.4s``, ``2ms``. Seconds, or None."""
    match = _GO_DURATION.fullmatch(text)
    if match is None or not text:
        return None
    hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + milliseconds / 1000
