"""The documentation says what the code does."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gephyr.cli import main
from gephyr_core.routing.endpoints import Endpoint, find_endpoint

ROOT = Path(__file__).parent.parent


def test_the_page_of_states_is_up_to_date() -> None:
    """The page is generated from the table that the code runs on."""
    done = subprocess.run([sys.executable, ROOT / "docs" / "generate_states.py", "--check"], check=False)
    assert done.returncode == 0


def test_the_page_of_limits_is_up_to_date() -> None:
    """An operator reads there what is bounded, and by how much; the code is what holds it."""
    subprocess.run([sys.executable, ROOT / "docs" / "generate_limits.py", "--check"], check=True)


def test_every_path_in_the_users_page_exists() -> None:
    """A path that the documentation names has a method that serves it."""
    text = (ROOT / "docs" / "index.md").read_text().partition("## Paths")[2].partition("##")[0]
    paths = {path.replace("{id}", "resp_1") for path in re.findall(r"`(?:[A-Z]+ )?(/v1[^`?]*)`", text)}
    assert len(paths) > 12
    for path in paths:
        path = path.replace("{model}", "m")  # noqa: PLW2901
        assert any(isinstance(find_endpoint(method, path), Endpoint) for method in ("GET", "POST", "DELETE")), path


def test_every_link_of_the_readme_leads_somewhere() -> None:
    """Files that the README names are there."""
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text()):
        assert target.startswith("http") or (ROOT / target).exists(), target


def _configurations(text: str) -> list[str]:
    """The indented blocks that are parts of a ``gephyr.toml``."""
    blocks = re.findall(r"(?:^(?:    .*)?\n)+", text, re.MULTILINE)
    return [block for block in blocks if re.match(r"\s*\[{1,2}(auth|accounts|models)\]", block)]


@pytest.mark.parametrize("which", ["first", "second", "both", "whole example"])
def test_the_examples_pass_the_check(tmp_path: Path, which: str) -> None:
    """Whoever copies one, or puts both of the README's into a file, has a gateway that starts."""
    first, second = _configurations((ROOT / "README.md").read_text())
    whole = (ROOT / "examples" / "gephyr.toml").read_text()
    text = {"first": first, "second": second, "both": first + second, "whole example": whole}[which]
    file = tmp_path / "gephyr.toml"
    file.write_text("\n".join(line.removeprefix("    ") for line in text.splitlines()))
    keys = dict.fromkeys(re.findall(r'"env:(\w+)"', text), "a-secret")
    environment = {**dict.fromkeys(os.environ), **keys, "HOME": str(tmp_path)}
    done = CliRunner(env=environment).invoke(main, ["check", "--config", str(file)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "(no account)" not in done.stdout or which == "second"
