"""Logs and metrics: what an operator reads about a request, and what can never get into it."""

import io
import json
import logging
import platform

import attrs
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gephyr import __version__
from gephyr.runtime.observers import Metrics, Observers, RequestLog, configure_logging
from gephyr_core.records import AccountEvent, AttemptRecord, OriginEvent, ProxyEvent, RequestRecord, Usage

OK = AttemptRecord(1, "openai-1", "gpt-4o", "ok", 200, "", started_at=1.8e9, duration=0.1)
FACT = RequestRecord(
    request_id="req_1",
    operation="chat.completions",
    dialect="openai_chat",
    method="POST",
    model_asked="gpt-4o",
    model_served="gpt-4o-mini",
    account="openai-1",
    stream=True,
    status=200,
    outcome="ok",
    error=None,
    attempts=(OK,),
    bytes_in=1900,
    bytes_out=600,
    usage=Usage(input=412, cached=100, output=42),
    started_at=1_800_000_000.0,
    first_byte=0.02,
    duration=0.25,
)


@pytest.fixture(autouse=True)
def _restored_logging():
    root = logging.getLogger()
    handlers = list(root.handlers)
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers


def line_of(fact: RequestRecord) -> dict[str, object]:
    file = io.BytesIO()
    RequestLog(file, log_format="json").write(fact)
    assert file.getvalue().count(b"\n") == 1
    return json.loads(file.getvalue())


def samples(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            found[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
    return found


# -- the line of a request ------------------------------------------------------------------------------------


def test_a_request_is_one_json_line_with_what_happened():
    """The names here are what operators' queries rely on."""
    assert line_of(FACT) == {
        "event": "request",
        "level": "info",
        "timestamp": "2027-01-15T08:00:00.250000Z",
        "id": "req_1",
        "dialect": "openai_chat",
        "operation": "chat.completions",
        "method": "POST",
        "status": 200,
        "outcome": "ok",
        "model": "gpt-4o",
        "model_served": "gpt-4o-mini",
        "account": "openai-1",
        "stream": True,
        "attempts": 1,
        "bytes_in": 1900,
        "bytes_out": 600,
        "tokens_in": 412,
        "tokens_cached": 100,
        "tokens_out": 42,
        "ttfb_ms": 20.0,
        "duration_ms": 250.0,
    }


def test_every_try_is_told_when_there_was_more_than_one():
    """A fail-over that the client never saw is what the operator wants to see."""
    first = attrs.evolve(OK, account="openai-2", outcome="status", status=429, detail="slow down")
    second = attrs.evolve(OK, attempt=2)
    assert line_of(attrs.evolve(FACT, attempts=(first, second)))["tries"] == [
        {"account": "openai-2", "outcome": "status", "status": 429, "detail": "slow down"},
        {"account": "openai-1", "outcome": "ok", "status": 200},
    ]


def test_a_single_failed_try_is_told_and_the_line_is_a_warning():
    """Level filters find the requests that went wrong."""
    refused = attrs.evolve(OK, outcome="connect", status=None, detail="connection refused")
    failed = attrs.evolve(FACT, attempts=(refused,), outcome="failed", error="bad_gateway", status=502, usage=None)
    line = line_of(failed)
    assert line["level"] == "warning"
    assert line["error"] == "bad_gateway"
    assert line["tries"] == [{"account": "openai-1", "outcome": "connect", "detail": "connection refused"}]


def test_what_does_not_apply_is_left_out():
    """A refused request has no model, no account and no tokens."""
    refused = attrs.evolve(
        FACT, model_asked=None, model_served=None, account=None, attempts=(), usage=None, first_byte=None
    )
    assert not {"model", "model_served", "account", "tries", "tokens_in", "ttfb_ms"} & line_of(refused).keys()


@pytest.mark.parametrize("log_format", ["json", "console"])
@given(text=st.text(alphabet=st.characters(codec=None), max_size=300))
def test_no_value_of_a_client_breaks_the_line_or_grows_it(log_format, text):
    """A model's name cannot forge a log entry, send a terminal command or fill the disk."""
    file = io.BytesIO()
    detail = attrs.evolve(OK, outcome="reset", detail=text)
    fact = attrs.evolve(FACT, model_asked=text, method=text, request_id=text, attempts=(detail,))
    RequestLog(file, log_format=log_format).write(fact)
    line = file.getvalue().decode()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert len(line) < 12_000


def test_a_long_model_name_is_cut():
    """200 characters tell which model was meant."""
    model = line_of(attrs.evolve(FACT, model_asked="m" * 1_000_000))["model"]
    assert model == "m" * 200 + "..."


def test_the_level_decides_whether_requests_are_written():
    """``warning`` leaves only the failed ones."""
    file = io.BytesIO()
    log = RequestLog(file, level="warning", log_format="json")
    log.write(FACT)
    assert file.getvalue() == b""
    log.write(attrs.evolve(FACT, outcome="failed"))
    assert json.loads(file.getvalue())["outcome"] == "failed"


def test_an_unknown_level_is_refused_by_name():
    """A typing error in a setting is found at start."""
    with pytest.raises(ValueError, match="got 'loud'"):
        RequestLog(io.BytesIO(), level="loud")


# -- the process's own messages -------------------------------------------------------------------------------


def test_the_processs_messages_come_in_the_same_form():
    """One pipeline can read everything that Gephyr writes."""
    file = io.BytesIO()
    configure_logging("info", "json", file=file)
    structlog.get_logger().debug("not shown")
    structlog.get_logger().info("listening", port=8045)
    line = json.loads(file.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "listening", "level": "info", "port": 8045}


def test_a_message_is_in_its_file_at_once(tmp_path):
    """Whoever looks at the file sees what was said last, although the process goes on and says no more."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        configure_logging("info", "json", file=file)
        structlog.get_logger().info("listening")
        assert b"listening" in path.read_bytes()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_values_of_local_variables(log_format):
    """A local variable may hold a credential."""
    file = io.BytesIO()
    configure_logging("info", log_format, file=file)
    credential = "sk-" + "marked" * 3
    try:
        raise RuntimeError(str(len(credential)))
    except RuntimeError:
        structlog.get_logger().exception("broke")
    assert b"RuntimeError: 21" in file.getvalue()
    assert credential.encode() not in file.getvalue()


def test_library_messages_join_from_warnings_on():
    """asyncio reports lost exceptions through the standard library's logging."""
    file = io.BytesIO()
    configure_logging("info", "json", file=file)
    configure_logging("info", "json", file=file)  # once more changes nothing
    logging.getLogger("asyncio").info("not shown")
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: %s", "<Task>")
    line = json.loads(file.getvalue())
    assert (line["logger"], line["level"]) == ("asyncio", "error")
    assert line["event"] == "Task exception was never retrieved\\nfuture: <Task>"


# -- metrics --------------------------------------------------------------------------------------------------


def test_a_request_is_counted_under_bounded_labels():
    """The names and labels are what dashboards rely on."""
    observers = Observers()
    observers.add_gauge("gephyr_open_exchanges", "Exchanges that have not ended.", lambda: 3)
    stale = attrs.evolve(OK, outcome="reset", status=None, stale=True)
    limited = attrs.evolve(OK, attempt=2, account="openai-2", outcome="status", status=429)
    observers.observe(attrs.evolve(FACT, attempts=(stale, limited, OK), keepalives=2))
    observers.observe(FACT)
    content_type, page = observers.metrics()
    assert content_type.startswith("text/plain")
    found = samples(page)
    request = {"dialect": "openai_chat", "operation": "chat.completions", "status": "200", "outcome": "ok"}
    expected = [
        ("gephyr_requests_total", request, 2),
        ("gephyr_upstream_attempts_total", {"account": "openai-1", "outcome": "ok", "status": ""}, 2),
        ("gephyr_upstream_attempts_total", {"account": "openai-1", "outcome": "reset", "status": ""}, 1),
        ("gephyr_upstream_attempts_total", {"account": "openai-2", "outcome": "status", "status": "429"}, 1),
        ("gephyr_stale_connection_retries_total", {}, 1),
        ("gephyr_tokens_total", {"account": "openai-1", "kind": "input"}, 824),
        ("gephyr_tokens_total", {"account": "openai-1", "kind": "cached"}, 200),
        ("gephyr_tokens_total", {"account": "openai-1", "kind": "output"}, 84),
        ("gephyr_request_duration_seconds_count", {"dialect": "openai_chat"}, 2),
        ("gephyr_request_duration_seconds_sum", {"dialect": "openai_chat"}, 0.5),
        ("gephyr_first_byte_seconds_bucket", {"dialect": "openai_chat", "le": "0.025"}, 2),
        ("gephyr_keepalives_total", {}, 2),
        ("gephyr_bytes_total", {"direction": "in"}, 3800),
        ("gephyr_bytes_total", {"direction": "out"}, 1200),
        ("gephyr_open_exchanges", {}, 3),
    ]
    for name, labels, value in expected:
        assert found[name, tuple(sorted(labels.items()))] == value, name
    running = (("python", platform.python_version()), ("version", __version__))
    assert found["gephyr_build_info", running] == 1
    assert any(name == "process_resident_memory_bytes" for name, _ in found)


def test_holders_of_a_client_key_see_no_accounts_proxies_or_routes() -> None:
    """Which accounts there are, and what each costs, is the operator's business; the sums stay."""
    observers = Observers()
    limited = attrs.evolve(OK, attempt=2, account="openai-2", outcome="status", status=429)
    observers.observe(attrs.evolve(FACT, attempts=(OK, limited)))
    observers.observe(attrs.evolve(FACT, account="openai-2", attempts=(attrs.evolve(OK, account="openai-2"),)))
    observers.observe(AccountEvent("openai-1", "cooldown", 1.0, reason="rate limited"))
    observers.observe(ProxyEvent("eu-1", healthy=False, at=1.0))
    observers.observe(OriginEvent("https://h", "proxy:openai-1", reachable=False, at=1.0))
    own, shown = observers.metrics()[1], observers.metrics_for_clients()[1]
    for name in (b"openai-1", b"openai-2", b"eu-1"):
        assert name in own
        assert name not in shown
    whole, found = samples(own), samples(shown)
    assert found["gephyr_upstream_attempts_total", (("outcome", "ok"), ("status", ""))] == 2
    assert found["gephyr_upstream_attempts_total", (("outcome", "status"), ("status", "429"))] == 1
    assert found["gephyr_tokens_total", (("kind", "input"),)] == 824
    assert found["gephyr_proxy_events_total", (("event", "unhealthy"),)] == 1
    nameless = {
        key: value for key, value in whole.items() if not {"account", "proxy", "route"} & {n for n, _ in key[1]}
    }
    assert {key: found[key] for key in nameless if key[0].startswith("gephyr_")} == {
        key: value for key, value in nameless.items() if key[0].startswith("gephyr_")
    }


def test_no_model_name_becomes_a_label():
    """A client that invents names must not grow the process."""
    metrics = Metrics()
    for number in range(50):
        metrics.count(attrs.evolve(FACT, model_asked=f"invented-{number}", model_served=f"invented-{number}"))
    assert b"invented" not in metrics.page()[1]


def test_statuses_that_http_does_not_know_share_a_label():
    """A provider may answer with any three digits."""
    metrics = Metrics()
    for status in (600, 777, 999):
        metrics.count(attrs.evolve(FACT, status=status))
    (value,) = [
        value
        for (name, labels), value in samples(metrics.page()[1]).items()
        if name == "gephyr_requests_total" and ("status", "other") in labels
    ]
    assert value == 3


def test_observing_never_raises_and_reports_a_failure_once():
    """A full disk behind standard error must not take requests down, nor stop the counting."""
    file = io.BytesIO()
    observers = Observers(request_log=RequestLog(file, log_format="json"))
    file.close()
    with structlog.testing.capture_logs() as logs:
        observers.observe(FACT)
        observers.observe(FACT)
    assert [entry["event"] for entry in logs] == ["a request could not be observed"]
    assert b'outcome="ok",status="200"} 2.0' in observers.metrics()[1].replace(b", ", b",")


def test_what_happens_to_accounts_and_proxies_is_counted() -> None:
    """A cooldown without an end, and a text of a provider's, do no harm."""
    observers = Observers()
    observers.observe(AccountEvent("a", "cooldown", 1000.0, "m", "insufficient quota", float("inf"), stated=True))
    observers.observe(AccountEvent("a", "token_refresh_failed", 1000.0, reason="invalid_grant: revoked"))
    observers.observe(ProxyEvent("eu-1", healthy=False, at=1000.0, reason="refused"))
    page = observers.metrics()[1]
    assert b'gephyr_account_events_total{account="a",event="cooldown",reason="insufficient quota"} 1.0' in page
    assert b'event="token_refresh_failed",reason="invalid_grant"} 1.0' in page
    assert b'gephyr_proxy_events_total{event="unhealthy",proxy="eu-1"} 1.0' in page


def test_a_host_that_is_lost_and_found_is_logged_and_counted() -> None:
    observers = Observers()
    with structlog.testing.capture_logs() as logs:
        observers.observe(OriginEvent("https://a.test", "direct", False, 1000.0, "refused", until=1001.0))
        observers.observe(OriginEvent("https://a.test", "direct", True, 1002.0))
    host = {"origin": "https://a.test", "route": "direct"}
    assert logs == [
        host
        | {"event": "a provider's host is unreachable", "log_level": "warning", "reason": "refused"}
        | {"until": "1970-01-01T00:16:41+00:00"},
        host | {"event": "a provider's host is reachable", "log_level": "info"},
    ]
    page = observers.metrics()[1]
    assert b'gephyr_origin_events_total{event="unreachable",origin="https://a.test",route="direct"} 1.0' in page
    assert b'gephyr_origin_events_total{event="reachable",origin="https://a.test",route="direct"} 1.0' in page
