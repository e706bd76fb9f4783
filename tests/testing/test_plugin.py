"""The fixture for tests of applications: official SDKs against a gateway with troubles."""

import anthropic
import openai
import pytest
from google import genai

from gephyr.testing import RunningGateway
from gephyr_core.config import ConfigError

ASKED = [{"role": "user", "content": "Hello"}]


def openai_client(gateway: RunningGateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)


def ask(gateway: RunningGateway, **more: object) -> object:
    with openai_client(gateway) as client:
        return client.chat.completions.create(model="gpt-5", messages=ASKED, **more)  # type: ignore[call-overload]


def test_every_dialect_is_served(gephyr: RunningGateway) -> None:
    ask(gephyr)
    with anthropic.Anthropic(base_url=gephyr.url, api_key=gephyr.key) as client:
        message = client.messages.create(model="claude-opus-5-5", max_tokens=64, messages=ASKED)  # type: ignore[arg-type]
    assert message.content
    options = genai.types.HttpOptions(base_url=gephyr.url)
    with genai.Client(api_key=gephyr.key, http_options=options) as google:
        assert google.models.generate_content(model="gemini-3-pro", contents="Hello").text
    assert [record.account for record in gephyr.records] == ["openai-1", "anthropic-1", "gemini-1"]


@pytest.mark.gephyr(accounts={"one": "openai", "two": "openai"})
def test_a_limit_on_one_account_is_not_noticed(gephyr: RunningGateway) -> None:
    gephyr.account("one").limit(retry_after=30)
    gephyr.account("two")
    for _ in range(3):
        ask(gephyr)
    assert {record.account for record in gephyr.records} == {"two"}
    assert len(gephyr.account("one").requests) <= 1


def test_a_limit_on_the_only_account_is_told_with_its_reset(gephyr: RunningGateway) -> None:
    gephyr.account("openai-1").limit(retry_after=30)
    with pytest.raises(openai.RateLimitError) as told:
        ask(gephyr)
    assert told.value.response.headers["retry-after"] == "30"
    assert [event.what for event in gephyr.account_events] == ["cooldown"]


def test_a_trouble_can_be_for_some_requests_only(gephyr: RunningGateway) -> None:
    gephyr.account("openai-1").fail(500, times=1)
    with pytest.raises(openai.InternalServerError):
        ask(gephyr)
    ask(gephyr)


@pytest.mark.gephyr(2, config={"scheduling": {"preferred_account": "openai-1"}})
def test_an_outage_is_hidden(gephyr: RunningGateway) -> None:
    gephyr.account("openai-1").go_down()
    ask(gephyr)
    gephyr.account("openai-1").recover()
    assert [attempt.account for attempt in gephyr.records[0].attempts] == ["openai-1", "openai-2"]
    assert gephyr.records[0].account == "openai-2"


def test_a_stream_that_breaks_off_is_told(gephyr: RunningGateway) -> None:
    gephyr.account("openai-1").break_off()
    with pytest.raises((openai.APIError, openai.InternalServerError)):
        list(ask(gephyr, stream=True))  # type: ignore[call-overload]


@pytest.mark.gephyr(config={"upstream": {"idle_timeout": 0.2, "total_timeout": 0.5, "max_attempts": 1}})
def test_a_stall_is_cut_off(gephyr: RunningGateway) -> None:
    gephyr.account("openai-1").stall()
    with pytest.raises(openai.APIStatusError) as told:
        ask(gephyr)
    assert told.value.status_code == 504


def test_a_mistake_in_the_settings_is_told() -> None:
    with pytest.raises(ConfigError, match=r"scheduling\.mode"):
        RunningGateway(config={"scheduling": {"mode": "odd"}})
    with RunningGateway() as gateway, pytest.raises(KeyError, match="openai-1"):
        gateway.account("openai-9")
