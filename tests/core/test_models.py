"""Model names to targets: decision 18, and patterns that cost no more than their length."""

import fnmatch
import string
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gephyr_core.http import Origin
from gephyr_core.routing.models import ModelPattern, ModelTable, Target
from gephyr_core.scheduling import Account


def table(
    routes: Mapping[str, tuple[str, ...]] | None = None,
    default: tuple[str, ...] = (),
    account_models: tuple[str, ...] = (),
) -> ModelTable:
    """A table beside accounts at openai and anthropic."""
    return ModelTable(routes or {}, default, ["openai", "anthropic"], account_models)


names = st.text("ab*/-", max_size=10)


@given(names, st.text("ab/-\n.[", max_size=14))
def test_a_star_stands_for_any_characters(pattern: str, name: str) -> None:
    assert ModelPattern(pattern).matches(name) == fnmatch.fnmatchcase(name, pattern)


@given(st.text(string.printable, max_size=20))
def test_only_the_star_is_special(text: str) -> None:
    plain = text.replace("*", "")
    assert ModelPattern(plain).matches(plain)
    assert not ModelPattern(plain).matches(plain + "x")
    assert ModelPattern(f"*{plain}*").matches(f"x{plain}y")


def test_a_hostile_name_costs_no_more_than_its_length() -> None:
    """The name is the client's: a matcher that goes back and forth would stand still for hours on this one."""
    assert not ModelPattern("*x*x*x*y").matches("x" * 1_000_000)


@pytest.mark.parametrize("name", ["gpt-5", "meta/llama:70b", "unknown/x", "openai/", "/x", ""])
def test_a_name_without_mapping_means_itself(name: str) -> None:
    """A prefix counts only if it names a configured provider."""
    assert table().resolve(name) == (Target(name),)


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("openai/gpt-5", Target("gpt-5", "openai")),
        ("anthropic/claude/x", Target("claude/x", "anthropic")),
    ],
)
def test_a_client_may_name_the_provider(name: str, target: Target) -> None:
    assert table().resolve(name) == (target,)
    assert str(target) == name


def test_an_exact_mapping_beats_everything() -> None:
    routes = {"openai/gpt-5": ("anthropic/claude", "other"), "openai/*": ("wild",), "*": ("wilder",)}
    resolved = table(routes, account_models=("openai/gpt-5",), default=("fallback",)).resolve("openai/gpt-5")
    assert resolved == (Target("claude", "anthropic"), Target("other"))


def test_an_accounts_exact_entry_beats_the_reading_as_a_prefix() -> None:
    """OpenRouter's ids look like ours: ``anthropic/claude-x`` there is the model's own name."""
    listed = table(account_models=("anthropic/claude-x",))
    assert listed.resolve("anthropic/claude-x") == (Target("anthropic/claude-x"),)
    assert listed.resolve("anthropic/claude-y") == (Target("claude-y", "anthropic"),)


def test_a_target_that_an_account_lists_is_not_read_as_a_prefix() -> None:
    listed = table({"m": ("anthropic/claude-x",)}, account_models=("anthropic/claude-x",))
    assert listed.resolve("m") == (Target("anthropic/claude-x"),)


@pytest.mark.parametrize("order", [("gpt-*", "gpt-5*", "*"), ("*", "gpt-5*", "gpt-*")])
def test_the_most_specific_wildcard_wins_whatever_the_order(order: tuple[str, ...]) -> None:
    routes = {pattern: (f"target-of-{pattern}",) for pattern in order}
    assert table(routes).resolve("gpt-5-mini") == (Target("target-of-gpt-5*"),)
    assert table(routes).resolve("other") == (Target("target-of-*"),)


def test_between_equals_the_first_one_written_wins() -> None:
    assert table({"a*": ("first",), "*a": ("second",)}).resolve("aa") == (Target("first"),)


def test_a_wildcard_mapping_beats_a_prefix() -> None:
    assert table({"openai/*": ("mine",)}).resolve("openai/x") == (Target("mine"),)


def test_the_default_is_for_what_nothing_else_knows() -> None:
    known = table({"a": ("b",)}, default=("fallback", "openai/second"), account_models=("claude-*", "exact"))
    assert known.resolve("anything") == (Target("fallback"), Target("second", "openai"))
    assert known.resolve("claude-5") == (Target("claude-5"),)
    assert known.resolve("exact") == (Target("exact"),)
    assert known.resolve("openai/x") == (Target("x", "openai"),)


def test_wildcards_of_mappings_and_accounts_answer_for_names_not_listed() -> None:
    wild = table({"gpt-*": ("x",), "exact": ("y",)}, account_models=("claude-*", "listed"))
    matching = [name for name in ("gpt-5", "claude-5", "exact", "listed", "x") if wild.matches_wildcard(name)]
    assert matching == ["gpt-5", "claude-5"]


@pytest.mark.parametrize(
    ("models", "target", "dialect", "serves"),
    [
        ((), Target("anything"), "openai-chat", True),
        ((), Target("anything"), "anthropic", False),
        ((), Target("anything", "openai"), "openai-chat", True),
        ((), Target("anything", "azure"), "openai-chat", False),
        (("gpt-*", "o3"), Target("gpt-5"), "openai-chat", True),
        (("gpt-*", "o3"), Target("o3"), "openai-chat", True),
        (("gpt-*", "o3"), Target("o3-mini"), "openai-chat", False),
    ],
)
def test_an_account_serves_what_it_lists_or_everything(
    models: tuple[str, ...], target: Target, dialect: str, serves: bool
) -> None:
    origin = Origin("https", "a.test", 443)
    patterns = tuple(map(ModelPattern, models))
    account = Account("a", "openai", ("openai-chat",), origin, "", "direct", patterns)
    assert account.serves(target, dialect) is serves
