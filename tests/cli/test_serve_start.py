"""What keeps ``gephyr serve`` from starting is told in one line."""

from pathlib import Path

from click.testing import CliRunner

from gephyr.cli import main


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
