"""A data directory and a file in it, and ``gephyr accounts`` run on them."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
import structlog
from click.testing import CliRunner, Result

from gephyr.cli import main
from gephyr.runtime.account_book import AccountBook
from gephyr.runtime.configuration import Loaded, load
from tests.waiting import WAIT

FILE = """
[server]
data_dir = "data"
[[accounts]]
id = "first"
provider = "openai"
api_key = "sk-MARKED-1"
models = ["gpt-5", "gpt-5-mini", "o*", "gpt-4o"]
[[accounts]]
id = "off"
provider = "anthropic"
api_key = "sk-MARKED-2"
enabled = false
"""
SECRET = "MARKED"
"""Is part of every secret, and must not be part of any output."""


@attrs.define
class World:
    """Where the commands run."""

    folder: Path
    environ: dict[str, str] = attrs.field(factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "gephyr.toml"

    @property
    def loaded(self) -> Loaded:
        return load(self.file, {})

    @contextlib.contextmanager
    def book(self) -> Iterator[AccountBook]:
        """The book, as another process would open it."""
        with contextlib.closing(AccountBook.open(self.folder / "data", environ={})) as book:
            yield book

    def tables(self) -> dict[str, Mapping[str, Any]]:
        """What was added, by account."""
        with self.book() as book:
            return {added.account: added.table for added in book.added_accounts()}

    def run(self, command: str, *arguments: str, stdin: str = "", code: int | None = 0) -> Result:
        """Run ``gephyr accounts``; no output holds a secret. With None as *code* it may end as it will."""
        runner = CliRunner(env={"ABV_DATA_DIR": None, "GEPHYR_ENCRYPTION_KEY": None, **self.environ})
        try:
            line = ["accounts", command, "--config", str(self.file), *arguments]
            result = runner.invoke(main, line, input=stdin)
        finally:
            structlog.reset_defaults()
        assert SECRET not in result.output
        assert code is None or result.exit_code == code, result.output
        return result

    async def signs_in(self, account: str, query: str = "code=code-MARKED", *, code: int = 0) -> str:
        """Run ``login`` as a process of its own, and be the browser, which comes back with *query*; what was printed."""
        program = "from gephyr.cli import main; main()"
        arguments = ("accounts", "login", "--config", str(self.file), "--no-browser", account)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        assert process.stdout is not None
        printed = b""
        while b"https://" not in (line := await asyncio.wait_for(process.stdout.readline(), WAIT)):
            assert line, printed
            printed += line
        asked = {name: values[0] for name, values in parse_qs(urlsplit(line.decode().strip()).query).items()}
        back = urlsplit(asked["redirect_uri"])
        reader, writer = await asyncio.open_connection(back.hostname, back.port)
        writer.write(f"GET {back.path}?state={asked['state']}&{query} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        await asyncio.wait_for(reader.read(), WAIT)
        writer.close()
        rest, _ = await asyncio.wait_for(process.communicate(), WAIT)
        shown = (printed + line + rest).decode()
        assert SECRET not in shown
        assert process.returncode == code, shown
        return shown


def world_in(folder: Path, text: str = FILE) -> World:
    """Write *text* as the configuration."""
    world = World(folder)
    world.file.write_text(text, encoding="utf-8")
    world.file.chmod(0o600)
    return world
