"""``gephyr demo``: the real server and the real core, with simulated providers in the same process."""

import math
import os
import random
from collections.abc import Callable

import click

from gephyr.cli.check import EXIT_BAD_CONFIGURATION, report
from gephyr.cli.serve import log_options
from gephyr.cli.serving import ignored_signals, run_server
from gephyr.harness.in_process import DEMO_KEY, InProcessUpstream, demo_config_mapping, demo_providers
from gephyr.harness.providers import SimulatedSettings
from gephyr.runtime.clock import GatewayClock
from gephyr.runtime.configuration import load_mapping
from gephyr.runtime.observers import LogFormat, Observers, RequestLog, background_output, configure_logging
from gephyr.runtime.service import Service
from gephyr.runtime.store import MemoryStore
from gephyr_core.config import ConfigError

_HINT = """\
This is a demonstration: the answers are simulated, and no provider is asked. The key is {key!r}. Try:
  curl -N {url}/v1/chat/completions -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
    -d '{{"model": "gpt-demo", "stream": true, "messages": [{{"role": "user", "content": "Hello!"}}]}}'
Offered tools are called with sample arguments (of a tool box of more than six, only those that the user names)."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; loopback only.")
@click.option("--port", type=click.IntRange(0, 65535), default=8045, show_default=True, help="0: a free one.")
@click.option("--latency", type=click.FloatRange(0), default=0.3, show_default=True, help="Seconds to the first token.")
@click.option(
    "--pace", type=click.FloatRange(0), default=60.0, show_default=True, help="Tokens per second; 0: no pause."
)
@log_options
def demo(*, host: str, port: int, latency: float, pace: float, log_level: str, log_format: LogFormat) -> None:
    """Serve every dialect from simulated providers: no account, no configuration, no network."""
    with background_output() as lines, ignored_signals():
        configure_logging(log_level, log_format, file=lines)
        log = RequestLog(lines, level=log_level, log_format=log_format)
        settings = SimulatedSettings(latency=latency, pace=pace or math.inf)
        code = _demo(host, port, settings, Observers(request_log=log, lines=lines))
    raise SystemExit(code)


def _demo(host: str, port: int, settings: SimulatedSettings, observers: Observers) -> int:
    """Serve until a signal comes; return the exit code."""
    mapping = demo_config_mapping() | {"server": {"host": host, "port": port}}
    try:
        loaded = load_mapping(mapping, {})
    except ConfigError as error:
        report(error)
        return EXIT_BAD_CONFIGURATION
    url = f"http://{host}:{port or 'PORT'}"
    click.echo(_HINT.format(key=DEMO_KEY, url=url), err=True)

    def make_service(on_stop: Callable[[], None]) -> Service:
        clock = GatewayClock()
        providers = demo_providers(settings, random.Random(os.urandom(16)))
        return Service(
            loaded.config,
            upstream=InProcessUpstream(providers, clock),
            store=MemoryStore(),
            observers=observers,
            clock=clock,
            on_stop=on_stop,
        )

    return run_server(loaded.config, make_service)
