"""What keeps ``gephyr serve`` from starting is told in one line."""

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
