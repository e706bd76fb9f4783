"""What keeps ``gephyr serve`` from starting is told in one line."""

import socket
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from gephyr.cli import main
from gephyr.server import Listener


def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    """And no traceback: it is the operator's to mend."""
    bad = tmp_path / "bad.pem"
    bad.write_text("no certificate")
    config = tmp_path / "gephyr.toml"
    config.write_text(
        f'[server]\nport = 0\ndata_dir = "{tmp_path}/data"\n[outbound]\nca_file = "{bad}"\n'
        '[auth]\napi_keys = ["key-of-a-client"]\n[[accounts]]\nid = "a"\nprovider = "openai"\napi_key = "x"\n'
    )
    result = CliRunner().invoke(main, ["serve", "--config", str(config)])
    assert result.exit_code == 2
    assert "error: outbound.ca_file: " in result.output


@pytest.mark.parametrize("code", [0, 3])
def test_where_it_listens_is_told_before_it_serves_and_how_it_stopped_is_the_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    ports: list[int] = []
    before = set(threading.enumerate())

    async def stopped(_service: object, listener: Listener, _drained: object) -> int:
        ports.append(listener.port)
        listener.stop_accepting()
        await listener.wait_closed()
        return code

    monkeypatch.setattr("gephyr.cli.serving._until_stopped", stopped)
    config = tmp_path / "gephyr.toml"
    config.write_text(
        f'[server]\nport = 0\ndata_dir = "{tmp_path}/data"\n[auth]\napi_keys = ["key-of-a-client"]\n'
        '[[accounts]]\nid = "a"\nprovider = "openai"\napi_key = "x"\n'
    )
    result = CliRunner().invoke(main, ["serve", "--config", str(config)])
    assert f"gephyr listening on http://127.0.0.1:{ports[0]}\n" in result.output
    assert result.exit_code == code
    assert set(threading.enumerate()) - before == set(), "the store was closed"


def test_what_is_odd_about_the_configuration_is_told_at_start(tmp_path: Path) -> None:
    """Here that others can read it, with the secrets in it."""
    config = tmp_path / "gephyr.toml"
    config.write_text('[server]\nport = 0\ndata_dir = "/dev/null/data"\n[auth]\napi_keys = ["key-of-a-client"]\n')
    told = []
    for mode in (0o644, 0o600):
        config.chmod(mode)
        result = CliRunner().invoke(main, ["serve", "--config", str(config), "--log-format", "json"])
        told.append([line for line in result.stderr.splitlines() if '"level":"warning"' in line])
        assert "error: server.data_dir: " in result.stderr
    readable, private = told
    assert len(readable) == 1
    assert str(config) in readable[0]
    assert private == []


@pytest.mark.parametrize("what", ["port", "metrics_listen"])
def test_where_it_cannot_listen_nothing_is_left_running(tmp_path: Path, what: str) -> None:
    """The store is closed, so that the next start finds it whole; and no thread keeps the process."""
    before = set(threading.enumerate())
    config = tmp_path / "gephyr.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        setting = f"port = {number}" if what == "port" else f'port = 0\nmetrics_listen = "127.0.0.1:{number}"'
        config.write_text(
            f'[server]\n{setting}\ndata_dir = "{tmp_path}/data"\n[auth]\napi_keys = ["key-of-a-client"]\n'
            '[[accounts]]\nid = "a"\nprovider = "openai"\napi_key = "x"\n'
        )
        result = CliRunner().invoke(main, ["serve", "--config", str(config)])
    assert result.exit_code == 1
    assert "error: " in result.output
    assert str(number) in result.output
    assert set(threading.enumerate()) - before == set()
    assert not list((tmp_path / "data").glob("*-wal")), "a store that was closed has no log left"
