"""What ``serve`` and ``demo`` share: listening, signals, and the way to a graceful end."""

import contextlib
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import click
import structlog

from gephyr.cli.check import EXIT_BAD_CONFIGURATION, report
from gephyr.runtime.service import Service, render_error
from gephyr.runtime.store_file import reason_of
from gephyr.server import Listener, ListenError, ServerLimits, raise_open_file_limit, tls_context
from gephyr_core.config import Config, ConfigError
from gephyr_core.guards import Cors

EXIT_CANNOT_LISTEN = 1
EXIT_ABORTED = 1
_FLUSH_SECONDS = 2.0
"""How long clients may take to read the last bytes of their responses after draining."""

_IGNORED = ("SIGHUP", "SIGUSR1", "SIGUSR2")
"""What ends a process by default, although nobody who sends it to a server means that: a terminal that goes away, log
rotation, a service manager's reload."""

_log = structlog.get_logger()
MakeService = Callable[[Callable[[], None]], Service]
"""Makes the service on the running loop; takes what is to be called when draining is over. Raises ``OSError`` if
``outbound.ca_file`` is bad, ``sqlite3.Error`` if the store cannot be read or written, and ``ConfigError`` if accounts
that commands added do not fit."""


def run_server(config: Config, make_service: MakeService) -> int:
    """Serve until a signal asks to stop; return the process's exit code.

    SIGINT or SIGTERM drains; a second one aborts.
    """
    options: Mapping[str, Any] = {"use_uvloop": find_spec("uvloop") is not None}
    return anyio.run(_serve, config, make_service, backend_options=dict(options))


@contextlib.contextmanager
def ignored_signals() -> Iterator[None]:
    """Until the end of the block, log SIGHUP, SIGUSR1 and SIGUSR2, and do nothing else for them."""
    if threading.current_thread() is not threading.main_thread():  # which alone may handle signals
        yield
        return
    present = [getattr(signal, name) for name in _IGNORED if hasattr(signal, name)]
    before = {number: signal.signal(number, _say_ignored) for number in present}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_ignored(number: int, _frame: FrameType | None) -> None:
    _log.info("a signal is ignored: the configuration is read at the start only", signal=signal.Signals(number).name)


async def _serve(config: Config, make_service: MakeService) -> int:
    drained = anyio.Event()
    try:
        service = make_service(drained.set)
    except OSError as error:
        click.echo(f"error: outbound.ca_file: {error.strerror or error}", err=True)
        return EXIT_BAD_CONFIGURATION
    except sqlite3.Error as error:
        click.echo(f"error: server.data_dir: {_reason(error, config)}", err=True)
        return EXIT_BAD_CONFIGURATION
    except ConfigError as error:
        report(error)
        return EXIT_BAD_CONFIGURATION
    listener = None
    try:
        listener = _listener(config, service)
        await listener.start()
        close_metrics = _listen_for_metrics(config, service)
    except (ListenError, OSError) as error:
        click.echo(f"error: {error}", err=True)
        if listener is not None:
            listener.stop_accepting()
            listener.abort()
            await listener.wait_closed()
        await service.aclose()
        return EXIT_CANNOT_LISTEN
    raise_open_file_limit()
    scheme = "https" if config.server.tls_cert else "http"
    host = f"[{config.server.host}]" if ":" in config.server.host else config.server.host
    click.echo(f"gephyr listening on {scheme}://{host}:{listener.port}")
    code = await _until_stopped(service, listener, drained)
    close_metrics()
    await service.aclose()
    return code


def _reason(error: sqlite3.Error, config: Config) -> str:
    return reason_of(error, Path(config.server.data_dir).expanduser())


def _listener(config: Config, service: Service) -> Listener:
    server = config.server
    listener = Listener(
        service.driver,
        host=server.host,
        port=server.port,
        limits=ServerLimits(
            max_header_size=server.max_header_size,
            header_timeout=server.header_timeout,
            idle_timeout=server.idle_timeout,
            max_connections=server.max_connections,
            max_connections_per_address=server.max_connections_per_address,
            trusted_proxies=config.security.trusted_proxies,
        ),
        tls=tls_context(server.tls_cert, server.tls_key) if server.tls_cert else None,
        render=render_error,
        cors=Cors(config.cors.origins),
    )
    service.observers.add_gauge(
        "gephyr_client_connections", "Open connections of clients.", lambda: float(listener.open_connections)
    )
    service.observers.add_counter(
        "gephyr_client_connections_refused_total",
        "Connections of clients beyond server.max_connections or server.max_connections_per_address.",
        lambda: float(listener.turned_away),
    )
    return listener


def _listen_for_metrics(config: Config, service: Service) -> Callable[[], None]:
    address = config.server.metrics_listen
    if not address:
        return lambda: None
    host, _, port = address.rpartition(":")
    try:
        return service.observers.listen_for_metrics(host.strip("[]"), int(port))
    except OSError as error:
        raise ListenError(f"server.metrics_listen: {address}: {error.strerror or error}") from error


async def _until_stopped(service: Service, listener: Listener, drained: anyio.Event) -> int:
    aborted = False

    async def watch_signals(scope: anyio.CancelScope) -> None:
        nonlocal aborted
        draining = False
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for number in signals:
                if draining:
                    aborted = True
                    _log.warning("a second signal: aborting", signal=number.name)
                    scope.cancel()
                    return
                draining = True
                _log.info("draining", signal=number.name, open_requests=service.driver.open_exchanges)
                listener.stop_accepting()
                listener.close_idle()
                service.drain()

    async with anyio.create_task_group() as group:
        group.start_soon(watch_signals, group.cancel_scope)
        await drained.wait()
        with anyio.move_on_after(_FLUSH_SECONDS):
            await listener.wait_closed()
        group.cancel_scope.cancel()
    listener.abort()
    return EXIT_ABORTED if aborted else 0
