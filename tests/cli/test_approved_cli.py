"""What the commands print and return, in tables that were read and approved."""

import json
import re
from collections.abc import Iterator
from inspect import cleandoc
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gephyr.cli import main
from tests.approved import check_table

HEAD = '[auth]\napi_keys = ["sk-client"]\n'
ACCOUNT = '[[accounts]]\nid = "a"\nprovider = "openai"\napi_key = "sk-1"\n'
FILES = {
    "nothing": "",
    "a key and an account": HEAD + ACCOUNT,
    "two keys": '[auth]\napi_keys = ["sk-1", "sk-2"]\n' + ACCOUNT,
    "no auth": '[auth]\nmode = "off"\n' + ACCOUNT,
    "health for all": '[auth]\nmode = "all_except_health"\napi_keys = ["k-1"]\n' + ACCOUNT,
    "beyond loopback": '[auth]\napi_keys = ["k-1"]\nallow_lan_access = true\n[server]\nhost = "0.0.0.0"\nport = 9000\n'
    + ACCOUNT,
    "metrics and TLS": HEAD
    + '[server]\nmetrics_listen = "127.0.0.1:9100"\ntls_cert = "c.pem"\ntls_key = "k.pem"\n'
    + ACCOUNT,
    "no data folder": HEAD + '[server]\ndata_dir = ""\n' + ACCOUNT,
    "limits": HEAD
    + ACCOUNT
    + "max_concurrency = 2\nrequests_per_minute = 30\ntokens_per_minute = 9000\npriority = 3\nweight = 2\n",
    "an organisation": HEAD
    + ACCOUNT
    + 'organization = "acme"\nmodels = ["gpt-*", "o3"]\nbase_url = "https://h.test/x/v1"\n',
    "out of service": HEAD + ACCOUNT + "enabled = false\n",
    "oauth": HEAD
    + '[[accounts]]\nid = "o"\nprovider = "openai"\n[accounts.oauth]\ntoken_url = "https://t.test"\nclient_id = "c"\n',
    "a proxy": HEAD + ACCOUNT + 'proxy = "http://u:p@proxy.test:3128"\n',
    "an app-wide proxy": HEAD + ACCOUNT + '[outbound]\nupstream_proxy = "socks5://p.test"\n',
    "a pool": HEAD
    + ACCOUNT
    + '[proxy_pool]\nenabled = true\nstrategy = "priority"\n[[proxy_pool.proxies]]\nid = "p"\nurl = "http://p.test"\npriority = 2\n',
    "a pool that is off": HEAD + ACCOUNT + '[[proxy_pool.proxies]]\nid = "p"\nurl = "http://p.test"\n',
    "models": HEAD
    + ACCOUNT
    + '[models]\nexact = "openai/x"\n"wild*" = ["openai/y", "none"]\ndefault = "z"\nlist = ["shown"]\n',
    "a provider of one's own": HEAD
    + '[providers.mine]\nkind = "openai-compatible"\nbase_url = "http://h.test:1"\n[[accounts]]\nid = "m"\nprovider = "mine"\n',
    "compliance": HEAD + ACCOUNT + "[compliance]\nenabled = true\nmax_account_concurrency = 3\n",
    "sessions first": HEAD + ACCOUNT + '[scheduling]\nmode = "cache_first"\npreferred_account = "a"\n',
    "vertex": HEAD
    + '[[accounts]]\nid = "v"\nprovider = "vertex"\nproject = "p"\n[accounts.oauth]\ntoken_url = "https://t.test"\nclient_id = "c"\n',
    "mistakes": '[server]\nport = "x"\nodd = 1\n[[accounts]]\nid = "a"\n[auth]\nmode = "odd"\n',
    "no TOML": "[server\n",
    "a secret that is not there": HEAD + ACCOUNT.replace("sk-1", "env:NO_SUCH_KEY"),
}


def run(folder: Path, *arguments: str, given: str = "", **environ: str | None) -> list[str]:
    """The exit code and all that is printed."""
    environ = {"ABV_DATA_DIR": str(folder), "COLUMNS": "120", "NO_COLOR": "1", **environ}
    result = CliRunner(env=environ).invoke(main, list(arguments), input=given)
    out = [f"out: {line}" for line in result.stdout.splitlines()]
    errors = [f"err: {line}" for line in result.stderr.splitlines()]
    return [line.replace(str(folder), "FOLDER") for line in (f"exit {result.exit_code}", *out, *errors)]


def test_each_configuration_is_shown_or_refused_as_was_approved(tmp_path: Path) -> None:
    lines = []
    file = tmp_path / "gephyr.toml"
    for name, text in FILES.items():
        file.write_text(text)
        file.chmod(0o600)
        lines += [f"## {name}", *run(tmp_path, "check", "--config", str(file))]
    file.chmod(0o644)
    file.write_text(FILES["a key and an account"])
    lines += ["## readable by others", *run(tmp_path, "check", "--config", str(file))]
    lines += ["## found in the data folder", *run(tmp_path, "check")]
    lines += ["## no such file", *run(tmp_path, "check", "--config", str(tmp_path / "none.toml"))]
    assert "sk-1" not in "\n".join(lines)
    check_table("cli-check", lines)


def commands(group: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    yield names
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *names, name)


def test_each_command_tells_what_it_takes_as_was_approved() -> None:
    lines: list[str] = []
    for names in commands(main):
        command: click.Command = main
        for name in names:
            command = command.commands[name]  # type: ignore[attr-defined]
        lines.append(f"## gephyr {' '.join(names)}: {cleandoc(command.help or '')}")
        for parameter in command.params:
            told = f"{parameter.name} {list(parameter.opts)} {parameter.type.name}, required {parameter.required}"
            shown = parameter.default if isinstance(parameter.default, str | int | float | bool) else None
            lines.append(f"{told}, usually {shown!r}: {getattr(parameter, 'help', None) or ''}")
    check_table("cli-commands", lines)


ASKED = {"model": "gpt-5", "max_tokens": 9, "top_k": 3, "messages": [{"role": "user", "content": "hi"}]}
REPLY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
STREAM = (
    'event: message_start\ndata: {"type":"message_start","message":' + json.dumps(REPLY | {"content": []}) + "}\n\n"
    'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'
    'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n'
    'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
    'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}\n\n'
    'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)
TRANSLATIONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("--from", "anthropic", "--to", "openai-chat"), json.dumps(ASKED)),
    (("--from", "anthropic", "--to", "openai-chat", "--strict"), json.dumps(ASKED)),
    (("--from", "anthropic", "--to", "openai-chat", "--json"), json.dumps(ASKED)),
    (("--from", "anthropic", "--to", "gemini", "--model", "gemini-3-pro"), json.dumps(ASKED)),
    (("--from", "anthropic", "--to", "openai-chat", "--provider", "deepseek"), json.dumps(ASKED)),
    (("--from", "anthropic", "--to", "openai-chat", "--provider", "odd"), json.dumps(ASKED)),
    (("--from", "odd", "--to", "openai-chat"), json.dumps(ASKED)),
    (("--from", "anthropic", "--to", "anthropic"), json.dumps(ASKED)),
    (("--from", "anthropic", "--to", "openai-chat"), "no JSON"),
    (("--from", "anthropic", "--to", "openai-chat"), "[]"),
    (("--from", "anthropic", "--to", "openai-chat"), json.dumps({"model": "m"})),
    (("--from", "openai-chat", "--to", "anthropic"), json.dumps({**ASKED, "n": 2})),
    (("--from", "anthropic", "--to", "openai-chat", "--reply"), json.dumps(REPLY)),
    (("--from", "anthropic", "--to", "openai-chat", "--reply"), "{}"),
    (("--from", "anthropic", "--to", "gemini", "--reply"), json.dumps(REPLY)),
    (("--from", "anthropic", "--to", "openai-chat", "--stream"), STREAM),
    (("--from", "anthropic", "--to", "openai-responses", "--stream"), STREAM),
    (("--from", "anthropic", "--to", "openai-chat", "--stream"), "odd"),
    (("--from", "anthropic", "--to", "openai-chat", "--stream", "--reply"), STREAM),
    ((), json.dumps(ASKED)),
)


def test_each_translation_is_printed_as_was_approved(tmp_path: Path) -> None:
    lines = []
    for arguments, given in TRANSLATIONS:
        lines += [f"## {' '.join(arguments)} < {given[:60]!r}", *run(tmp_path, "translate", *arguments, given=given)]
    check_table("cli-translate", lines)


_NOW = re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d|(?<=\"since\": )[\d.]+")


@pytest.mark.parametrize("output", ["list", "list --json"])
def test_accounts_are_listed_added_and_taken_away_as_was_approved(tmp_path: Path, output: str) -> None:
    """One life of two accounts, without a network."""
    file = tmp_path / "gephyr.toml"
    file.write_text(HEAD + ACCOUNT + 'models = ["gpt-*", "o3", "o4", "o5"]\n')
    file.chmod(0o600)
    steps = (
        output,
        "add --id b --provider anthropic --api-key env:SECRET --model claude-* --priority 2",
        "add --id b --provider anthropic --api-key env:SECRET",
        "add --id a --provider openai --api-key env:SECRET",
        "add --id c --provider odd --api-key env:SECRET",
        "add --id c --provider openai --api-key env:NONE",
        "add --id c --provider openai --api-key env:SECRET --weight 0",
        "add --id d --provider openai-compatible --no-api-key",
        "add --id d --provider openai-compatible --no-api-key --base-url http://h.test:1",
        "add --id e --provider openai --token-url https://t.test --client-id c --client-secret env:SECRET",
        "add --id f --provider openai --token-url https://t.test",
        output,
        "disable b",
        "disable none",
        output,
        "enable b",
        "enable a",
        "disable a",
        output,
        "remove b",
        "remove a",
        "remove none",
        output,
        "odd",
    )
    lines = []
    for step in steps:
        told = run(tmp_path, "accounts", *step.split(), "--config", str(file), SECRET="sk-secret-1")
        lines += [f"## {step}", *told]
    assert "sk-secret-1" not in "\n".join(lines)
    check_table(f"cli-accounts-{output.replace(' --', '-')}", [_NOW.sub("NOW", line) for line in lines])
