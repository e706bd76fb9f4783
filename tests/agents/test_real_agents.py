"""Claude Code, Codex and Gemini CLI themselves, as they are installed, at providers of every kind.

``tox -e agents`` installs the three; elsewhere these tests skip. Nothing is set but where the gateway is, with which key,
and that nobody has to be asked before a tool is run.
"""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.agents.test_translated_sessions import Target
from tests.translation.strict_gateway import KEY, strict_gateway
from tests.waiting import WAIT

pytestmark = pytest.mark.anyio
PATIENCE = 20 * WAIT
"""Seconds, of a limit that no test comes to."""
TARGETS = (
    Target("anthropic", "claude-opus-5-5", "anthropic"),
    Target("anthropic", "claude-sonnet-4-5", "anthropic"),
    Target("openai", "gpt-5.6", "openai-responses"),
    Target("openai", "gpt-5.6", "openai-chat"),
    Target("openai", "gpt-4.1", "openai-chat"),
    Target("gemini", "gemini-3-flash-preview", "gemini"),
    Target("gemini", "gemini-2.5-flash", "gemini"),
)
OWN = {
    "claude": (Target("anthropic", "", "anthropic"),),
    "codex": (),  # The strict provider calls no tools of namespaces.
    "codex-that-searches": (Target("openai", "", "openai-responses"),),
    "gemini": (Target("gemini", "gemini-3-flash-preview", "gemini"),),
}
"""The agent's own provider, which is asked for the model that the agent asks for, where the strict one knows it."""


@attrs.frozen
class Program:
    """One agent, run once."""

    dialect: str
    name: str
    arguments: tuple[str, ...]
    configure: Callable[[Path, str], dict[str, str]]
    """Writes what the agent reads in its home folder, for a gateway at a URL; returns its environment."""


def _claude(_: Path, url: str) -> dict[str, str]:
    return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_AUTH_TOKEN": KEY, "IS_SANDBOX": "1"}


def _codex(home: Path, url: str) -> dict[str, str]:
    provider = {"name": "gephyr", "base_url": f"{url}/v1", "env_key": "GEPHYR_KEY", "wire_api": "responses"}
    lines = ['model_provider = "gephyr"', "[model_providers.gephyr]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in provider.items()]
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("\n".join(lines), encoding="utf-8")
    return {"GEPHYR_KEY": KEY}


def _gemini(home: Path, url: str) -> dict[str, str]:
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    (home / ".gemini").mkdir()
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return {"GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": KEY, "GEMINI_CLI_TRUST_WORKSPACE": "true"}


CODEX = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "--json")
PROGRAMS = {
    "claude": Program(
        "anthropic",
        "claude",
        (
            *("-p", "Use the Bash tool to list the files here.", "--dangerously-skip-permissions"),
            *("--output-format", "stream-json", "--verbose"),
        ),
        _claude,
    ),
    "codex": Program(
        "openai-responses",
        "codex",
        (*CODEX, "Use the tool functions__exec (exec) to list the files here."),
        _codex,
    ),
    "codex-that-searches": Program(
        "openai-responses",
        "codex",
        (*CODEX, "-m", "gpt-5.4", "Use the exec_command tool to list the files here."),
        _codex,
    ),
    "gemini": Program(
        "gemini",
        "gemini",
        (
            *("--yolo", "-p", "Use the run_shell_command tool to list the files here."),
            *("--output-format", "stream-json"),
        ),
        _gemini,
    ),
}
"""With a model of GPT-5.4's kind, Codex offers its tools beside a web search, and else in namespaces."""
PAIRS = [
    pytest.param(name, target, id=f"{name}-at-{target.dialect}-{target.model or 'its-own-model'}")
    for name, program in PROGRAMS.items()
    for target in (*OWN[name], *(one for one in TARGETS if one.dialect != program.dialect))
]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def programs() -> str:
    """The folder of the agents' programs."""
    folder = os.environ.get("GEPHYR_AGENTS")
    if not folder:
        pytest.skip("tox -e agents installs the agents, and says where they are")
    return folder


async def run(program: Program, programs: str, folder: Path, url: str) -> str:
    """Run an agent in an empty home, and return what it printed. It has to end well."""
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "dumb",
        **program.configure(home, url),
    }
    process = await asyncio.create_subprocess_exec(
        *(program.name, *program.arguments),
        env=environment,
        cwd=work,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode() + out.decode()
    return out.decode()


@pytest.mark.parametrize(("name", "target"), PAIRS)
async def test_an_agent_calls_a_tool_and_goes_on_with_what_it_gave(
    name: str, target: Target, programs: str, tmp_path: Path
) -> None:
    """Whatever it sends by default is taken by every provider, each of which checks it as the real one does."""
    account = {"id": "the-account", "provider": target.provider, "api_key": "k", "dialect": target.dialect}
    models = {"*": f"{target.provider}/{target.model}"} if target.model else {}
    async with strict_gateway(target.provider, accounts=[account], models=models) as gateway:
        printed = await run(PROGRAMS[name], programs, tmp_path, gateway.url)
        assert gateway.provider.refusals == []
        assert len(gateway.provider.requests) > 1, "the tool's result was sent"
    told = "".join(_texts(printed))
    assert "results in order: 1" in told


def _texts(printed: str) -> list[str]:
    """The strings in the lines of JSON that an agent prints: some tell the answer whole, some in pieces."""
    found: list[str] = []
    waiting: list[object] = [json.loads(line) for line in reversed(printed.splitlines()) if line.startswith("{")]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict):
            waiting += [
                value[key] for key in reversed(list(value)) if key in ("message", "content", "text", "item", "result")
            ]
        elif isinstance(value, list):
            waiting += reversed(value)
    return found
