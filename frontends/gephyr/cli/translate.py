"""``gephyr translate``: shows what becomes of a request, a reply or a stream in another dialect, and what is lost."""

import os
import sys
from pathlib import Path
from typing import Any

import attrs
import click
import msgspec

from gephyr.cli.check import EXIT_BAD_CONFIGURATION, report
from gephyr.runtime.configuration import load
from gephyr_core.config import Config, ConfigError
from gephyr_core.conversation.fields import FieldError
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination, ReplyContext
from gephyr_core.envelope import EnvelopeError, read_envelope
from gephyr_core.providers import PROVIDERS
from gephyr_core.providers.capabilities import capabilities_of
from gephyr_core.sse import SseFramer
from gephyr_core.translation.dialects import CLIENTS, TRANSLATORS
from gephyr_core.translation.requests import read_request

EXIT_UNTRANSLATABLE = 1
_KINDS = {"openai-chat": "openai", "openai-responses": "openai", "anthropic": "anthropic", "gemini": "gemini"}
_CONTEXT = ReplyContext(key="0", created=0, model="")
_LONGEST_EVENT = 16 * 1024 * 1024


@click.command()
@click.option("--from", "source", type=click.Choice(list(CLIENTS)), required=True, help="The dialect of the input.")
@click.option("--to", "target", type=click.Choice([*TRANSLATORS]), required=True, help="The dialect of the output.")
@click.option("--model", metavar="NAME", default="", help="The provider's model; else the one the request names.")
@click.option("--provider", type=click.Choice(list(PROVIDERS)), help="The kind of provider; else the dialect's own.")
@click.option("--reply", "form", flag_value="reply", help="The input is a provider's whole reply, for a client.")
@click.option("--stream", "form", flag_value="stream", help="The input is a provider's stream of events, for a client.")
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For [capabilities] and [translation].",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the translation and the report.")
def translate(
    source: str,
    target: str,
    model: str,
    provider: str | None,
    form: str | None,
    config_path: Path | None,
    *,
    as_json: bool,
) -> None:
    """Translate what stands on standard input, and tell on standard error what was lost.

    Exit status: 0 translated, 1 it cannot be translated, 2 the input or the configuration is wrong.
    """
    config = _config(config_path)
    body = sys.stdin.buffer.read()
    try:
        if form is None:
            kind = provider or _KINDS[target]
            shown, losses = _request(source, target, body, model, kind, config)
        elif source not in TRANSLATORS:
            raise click.BadParameter(f"providers do not speak {source}", param_hint="--from")
        else:
            shown, losses = _reply(source, target, body) if form == "reply" else _stream(source, target, body)
    except UntranslatableError as error:
        click.echo(f"cannot be translated: {error}", err=True)
        raise SystemExit(EXIT_UNTRANSLATABLE) from None
    except FieldError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(EXIT_BAD_CONFIGURATION) from None
    except ValueError as error:
        click.echo(f"error: the input is no {form} of {source}: {error}", err=True)
        raise SystemExit(EXIT_BAD_CONFIGURATION) from None
    _show(shown, losses, as_json=as_json)


def _config(config_path: Path | None) -> Config:
    if config_path is None:
        return Config()
    try:
        return load(config_path, os.environ).config
    except ConfigError as error:
        report(error)
        raise SystemExit(EXIT_BAD_CONFIGURATION) from None


def _request(
    source: str, target: str, body: bytes, model: str, kind: str, config: Config
) -> tuple[dict[str, Any], Report]:
    fields = _head_of(body)
    named = fields.get("model")
    asked = model or (named if isinstance(named, str) else "")
    if not asked:
        raise FieldError("model", "is required: name one with --model")
    settings, stream = config.translation, fields.get("stream") is True
    translation = read_request(source, body, model=asked, stream=stream, headers=(), strict=settings.strict)
    capabilities = capabilities_of(kind, target, asked, config.capabilities, None)
    destination = Destination(target, kind, asked, capabilities, hosted_tools=settings.hosted_tools)
    call = translation.call(destination, stream=translation.prompt.stream)
    assert call is not None
    headers = {name.decode(): value.decode() for name, value in call.headers}
    return {"path": call.path, "headers": headers, "request": msgspec.json.decode(call.body)}, call.report


def _head_of(body: bytes) -> dict[str, Any]:
    try:
        envelope = read_envelope(body)
        return {"model": envelope.value("model"), "stream": envelope.value("stream")}
    except EnvelopeError as error:
        raise FieldError("", str(error)) from error


def _reply(source: str, target: str, body: bytes) -> tuple[dict[str, Any], Report]:
    losses = Report()
    reply = TRANSLATORS[source].read_reply(body, losses)
    context = attrs.evolve(_CONTEXT, report=losses)
    return {"reply": msgspec.json.decode(CLIENTS[target].write_reply(reply, context))}, losses


def _stream(source: str, target: str, body: bytes) -> tuple[dict[str, Any], Report]:
    losses = Report()
    context = attrs.evolve(_CONTEXT, report=losses)
    reader, writer = TRANSLATORS[source].delta_reader(losses), CLIENTS[target].delta_writer(context)
    framer = SseFramer(_LONGEST_EVENT)
    events = [*framer.split(body), framer.rest()]
    deltas = [delta for event in events if event for delta in reader.read(event)]
    written = b"".join(writer.write(delta) for delta in [*deltas, *reader.finish()])
    return {"events": written.decode()}, losses


def _show(shown: dict[str, Any], losses: Report, *, as_json: bool) -> None:
    entries = [{"fate": entry.fate.value, "path": entry.path, "reason": entry.reason} for entry in losses.entries]
    if as_json:
        click.echo(_pretty({**shown, "report": entries}))
        return
    content = shown.get("request") or shown.get("reply")
    click.echo(shown["events"] if content is None else _pretty(content), nl=content is not None)
    if not entries:
        click.echo("nothing was lost", err=True)
        return
    width = max(len(entry["path"]) for entry in entries)
    for entry in entries:
        click.echo(f"{entry['fate']:<9} {entry['path']:<{width}}  {entry['reason']}", err=True)


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
