"""What happens beside requests, to accounts, proxies and in our own code, as log lines and counts."""

from datetime import UTC, datetime

import structlog
from prometheus_client import CollectorRegistry, Counter

from gephyr_core.records import AccountEvent, InternalError, OriginEvent, ProxyEvent

_log = structlog.get_logger()
_WARNINGS = ("disabled", "token_refresh_failed")
_MESSAGES = {
    "cooldown": "an account is left alone for a while",
    "recovered": "an account is well again",
    "disabled": "an account is out of service",
    "enabled": "an account is in service",
    "added": "an account was added",
    "removed": "an account was removed",
    "token_refreshed": "an account has a new access token",
    "token_refresh_failed": "an account has no new access token",
}
_MOST_REASON = 200
_LAST_DATE = 253402300799.0
"""The end of the year 9999: no date is written for what lasts longer."""


class OperationsLog:
    """Logs and counts facts that concern no request."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """*registry*: where the counts are shown."""
        self._accounts = Counter(
            "gephyr_account_events_total",
            "What happened to accounts beside requests: cooldowns, recoveries, sign-ins.",
            ["account", "event", "reason"],
            registry=registry,
        )
        self._proxies = Counter(
            "gephyr_proxy_events_total", "Proxies that failed or came back.", ["proxy", "event"], registry=registry
        )

        self._origins = Counter(
            "gephyr_origin_events_total",
            "Hosts of providers that could not be reached by an outbound route, or could again.",
            ["origin", "route", "event"],
            registry=registry,
        )

        self._faults = Counter(
            "gephyr_internal_errors_total",
            "Exceptions in Gephyr's own code that nobody foresaw. Each is a bug to be reported.",
            ["error", "file"],
            registry=registry,
        )

    def write(self, fact: AccountEvent | ProxyEvent | OriginEvent | InternalError) -> None:
        """Take one fact."""
        if isinstance(fact, InternalError):
            self._fault(fact)
            return
        if isinstance(fact, OriginEvent):
            self._origin(fact)
            return
        if isinstance(fact, ProxyEvent):
            event = "healthy" if fact.healthy else "unhealthy"
            self._proxies.labels(fact.proxy, event).inc()
            log = _log.info if fact.healthy else _log.warning
            log(f"a proxy is {event}", proxy=fact.proxy, **_reason(fact.reason))
            return
        self._accounts.labels(fact.account, fact.what, fact.reason.partition(":")[0][:40]).inc()
        log = _log.warning if fact.what in _WARNINGS else _log.info
        told: dict[str, object] = {"account": fact.account}
        if fact.model:
            told["model"] = fact.model[:_MOST_REASON]
        if fact.what == "cooldown":
            told["stated"] = fact.stated
        log(_MESSAGES.get(fact.what, fact.what), **told, **_until(fact.until), **_reason(fact.reason))

    def _fault(self, fact: InternalError) -> None:
        self._faults.labels(fact.error, fact.file).inc()
        told: dict[str, object] = {"id": fact.request_id} if fact.request_id else {}
        told |= {"error": fact.error, "place": f"{fact.file}:{fact.line}", "during": fact.during}
        _log.error("the gateway itself failed", **told, trace=list(fact.trace))

    def _origin(self, fact: OriginEvent) -> None:
        event = "reachable" if fact.reachable else "unreachable"
        self._origins.labels(fact.origin, fact.route, event).inc()
        log = _log.info if fact.reachable else _log.warning
        log(
            f"a provider's host is {event}",
            origin=fact.origin,
            route=fact.route,
            **_until(fact.until),
            **_reason(fact.reason),
        )


def _until(until: float | None) -> dict[str, str]:
    if until is None or until >= _LAST_DATE:
        return {}
    return {"until": datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds")}


def _reason(reason: str) -> dict[str, str]:
    return {"reason": reason[:_MOST_REASON]} if reason else {}
