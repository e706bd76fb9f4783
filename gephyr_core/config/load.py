"""Loading: from what the runtime read to a valid :class:`Config`, or to every mistake at once."""

from collections.abc import Callable, Iterable, Mapping

import attrs

from gephyr_core.config.contradictions import ProviderFacts, contradictions
from gephyr_core.config.environment import Setting, overlay, read_environment
from gephyr_core.config.problems import ConfigError, ConfigProblem, Path, path_text
from gephyr_core.config.schema import Config
from gephyr_core.config.structure import Mistake, structure
from gephyr_core.config.unavailable import unavailable

_WHAT_SERVES: tuple[Path, ...] = ((), ("accounts",), ("models",), ("providers",))
_LAN_HOST = "0.0.0.0"  # noqa: S104


def load_config(
    mapping: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    providers: Mapping[str, ProviderFacts],
    overrides: Mapping[Setting, object] | None = None,
    further: Callable[[Config], Iterable[tuple[Path, str]]] = lambda _: (),
) -> Config:
    """Return the configuration in *mapping*, overlaid by *environ*, then by *overrides* (None: not given).

    Where a secret can be, all three hold a reference or a digest in its place. *further* says what else is wrong with a
    configuration whose accounts and models are in order. Raises :class:`ConfigError`.
    """
    from_environment, refused = read_environment(environ)
    values = {setting: value for setting, (_, value) in from_environment.items()}
    given = {setting: value for setting, value in (overrides or {}).items() if value is not None}
    merged = overlay(mapping, values | given)
    config, mistakes = structure(merged)
    config = _completed(config, merged)
    mistakes += _between_settings(config, mistakes, providers)
    if not any(mistake.path[:1] in _WHAT_SERVES for mistake in mistakes):
        mistakes += [Mistake(path, message) for path, message in further(config)]
    if mistakes or refused:
        sources = {setting: variable for setting, (variable, _) in from_environment.items() if setting not in given}
        problems = [ConfigProblem(variable, message) for variable, message in refused]
        raise ConfigError(problems + [_problem(mistake, sources) for mistake in mistakes])
    return config


def _completed(config: Config, mapping: Mapping[str, object]) -> Config:
    """Fill in the settings whose default follows from another setting."""
    server, upstream = config.server, config.upstream
    if config.auth.allow_lan_access and not _given(mapping, "server", "host"):
        server = attrs.evolve(server, host=_LAN_HOST)
    if not _given(mapping, "upstream", "total_timeout"):
        upstream = attrs.evolve(upstream, total_timeout=server.request_timeout)
    named = {name: attrs.evolve(provider, kind=provider.kind or name) for name, provider in config.providers.items()}
    return attrs.evolve(config, server=server, upstream=upstream, providers=named)


def _given(mapping: Mapping[str, object], section: str, name: str) -> bool:
    table = mapping.get(section)
    return isinstance(table, Mapping) and name in table


def _between_settings(config: Config, mistakes: list[Mistake], providers: Mapping[str, ProviderFacts]) -> list[Mistake]:
    """Return what is wrong in the configuration as a whole, but for the places that are wrong in themselves."""
    known = [mistake.path for mistake in mistakes]
    found = [(path, "not available in this version") for path in unavailable(config)]
    found += contradictions(config, providers)
    return [Mistake(path, message) for path, message in found if not _covered(path, known)]


def _covered(path: Path, known: list[Path]) -> bool:
    return any(path[: len(other)] == other for other in known)


def _problem(mistake: Mistake, sources: Mapping[Setting, str]) -> ConfigProblem:
    variable = next((variable for setting, variable in sources.items() if setting == mistake.path[:2]), None)
    source = f" (set by {variable})" if variable else ""
    return ConfigProblem(path_text(mistake.path), mistake.message + source)
