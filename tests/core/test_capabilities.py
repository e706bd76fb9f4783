"""What a model takes: known by name, told by its provider, or said by the operator."""

import json

import pytest

from gephyr_core.config import CapabilityOverride, ConfigError, load_config
from gephyr_core.conversation.capabilities import Capabilities
from gephyr_core.conversation.prompt import Effort
from gephyr_core.providers.capabilities import capabilities_of, is_known, learn, maker_of


def of(
    model: str, kind: str = "anthropic", dialect: str = "anthropic", **overrides: CapabilityOverride
) -> Capabilities:
    return capabilities_of(kind, dialect, model, overrides, None)


@pytest.mark.parametrize(
    "name",
    [
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        "anthropic/claude-sonnet-4-5",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "Claude-Sonnet-4-5",
        "claude-sonnet-4-5@20250929",
    ],
)
def test_a_model_is_known_by_every_name_that_clouds_give_it(name: str) -> None:
    assert is_known(name)
    assert of(name) == of("claude-sonnet-4-5")


def test_the_longest_family_counts() -> None:
    assert of("claude-opus-4").thinking == ("enabled", "disabled")
    assert "enabled" not in of("claude-opus-4-7").thinking
    assert not of("claude-opus-5-5-20260901").forced_tools


def test_a_name_nobody_knows_is_taken_for_a_current_model() -> None:
    assert not is_known("claude-opus-9")
    assert of("claude-opus-9") == of("claude-opus-5-5")
    assert of("gemini-9-pro", "gemini", "gemini").signatures_required


def test_the_name_tells_the_maker() -> None:
    names = ["claude-x", "us.anthropic.claude-opus-5", "gemini-3-pro", "gpt-5", "o3", "llama-4"]
    assert [maker_of(name) for name in names] == ["anthropic", "anthropic", "gemini", "openai", "openai", None]


def test_a_compatible_servers_model_is_taken_to_understand_everything() -> None:
    found = of("llama-4", "openai-compatible", "openai-chat")
    assert (found.sampling, found.stop, found.structured_output, found.forced_tools) == (True, True, True, True)


def test_reasoning_models_take_no_sampling_and_say_their_efforts() -> None:
    found = of("gpt-5-mini", "openai", "openai-responses")
    assert not found.sampling
    assert found.efforts[0] is Effort.MINIMAL
    assert of("gpt-5-chat-latest", "openai", "openai-responses").sampling


def test_only_anthropic_itself_takes_a_marker_for_the_whole_request() -> None:
    assert of("claude-opus-4-7").automatic_caching
    assert not of("claude-opus-4-7", "openrouter").automatic_caching


def test_what_the_operator_says_wins_and_the_more_specific_pattern_most() -> None:
    overrides = {
        "claude-*": CapabilityOverride(prefill=True, sampling=True),
        "claude-opus-5*": CapabilityOverride(sampling=False, efforts=("low",), most_thinking_budget=9000),
    }
    found = capabilities_of("anthropic", "anthropic", "claude-opus-5-5", overrides, None)
    assert (found.prefill, found.sampling) == (True, False)
    assert found.efforts == (Effort.LOW,)
    assert found.thinking_budget == (0, 9000)


def test_what_anthropic_tells_of_a_model_is_learned() -> None:
    told = {
        "id": "claude-nova-1",
        "max_tokens": 200_000,
        "capabilities": {
            "thinking": {
                "supported": True,
                "types": {"adaptive": {"supported": True}, "enabled": {"supported": False}},
            },
            "effort": {"supported": True, "low": {"supported": True}, "high": {"supported": True}},
        },
    }
    learned = learn("anthropic", "claude-nova-1", json.dumps(told).encode())
    assert learned is not None
    assert (learned.thinking, learned.max_output_tokens) == (("adaptive",), 200_000)
    assert learned.efforts == (Effort.LOW, Effort.HIGH)


def test_what_google_tells_of_a_model_is_learned() -> None:
    learned = learn("gemini", "gemini-nova", b'{"outputTokenLimit": 1000, "thinking": false}')
    assert learned is not None
    assert (learned.max_output_tokens, learned.thinking_levels) == (1000, ())


@pytest.mark.parametrize("body", [b"", b"[]", b"nope", b'{"capabilities": 3}', b'{"error": {}}'])
def test_rubbish_teaches_nothing(body: bytes) -> None:
    assert learn("anthropic", "claude-nova-1", body) is None


def test_a_wrong_capability_is_refused_with_its_place() -> None:
    with pytest.raises(ConfigError) as refused:
        load_config({"capabilities": {"x*": {"sampling": 1, "efforts": ["lo"], "temperature": True}}}, {}, providers={})
    told = str(refused.value)
    assert "sampling: expected true or false, got 1" in told
    assert "efforts[0]: expected one of" in told
    assert "temperature: unknown setting" in told
