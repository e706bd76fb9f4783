"""What each SDK, of the release that is installed, says of itself: its version and its key, and what comes of them.

Anthropic's SDK states ``anthropic-version: 2026-10-21`` and sends its key as a Bearer since 2.0, before that
``2023-06-01`` and ``x-api-key``; Google's asks ``/v1/`` since 3.0, ``/v1beta/`` before that.
"""

import json
from importlib.metadata import version

import pytest

from tests.acceptance.speech import ANTHROPIC, GEMINI, RESPONSES
from tests.acceptance.stub import Answer, json_answer
from tests.agents.asking import sent_body, sent_headers
from tests.sdk.clients import Clients, collected, raised_by_anthropic, settled
from tests.sdk.conftest import KEY
from tests.sdk.servers import Stub

pytestmark = pytest.mark.anyio

OLD, NEW = "2023-06-01", "2026-10-21"


def major(distribution: str) -> int:
    """The first number of an installed SDK's version."""
    return int(version(distribution).partition(".")[0])


def script(stub: Stub, model: str, *answers: Answer) -> None:
    """Let both accounts of a model say this, an answer for each request."""
    for number in (1, 2):
        stub.script(f"{model}-{number}", *answers)


@pytest.mark.parametrize("streamed", [False, True])
async def test_anthropics_sdk_is_relayed_in_the_version_that_it_states(
    clients: Clients, stub: Stub, *, streamed: bool
) -> None:
    client = await clients.anthropic()
    asked = {**ANTHROPIC.request, "model": f"anthropic-well-{clients.kind}"}
    script(stub, asked["model"], ANTHROPIC.answer(stream=streamed))
    if streamed:
        events = await collected(client.messages.create(**asked, stream=True))
        assert events[-1].type == "message_stop"
    else:
        assert (await settled(client.messages.create(**asked))).content[0].text == "hello"
    [seen] = stub.take()
    assert sent_headers(seen, "anthropic-version") == [NEW if major("anthropic") >= 2 else OLD]
    assert sent_headers(seen, "x-api-key") == ["an-account-key"]
    assert KEY not in repr(seen)


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_older_version_has_its_temperature_carried_and_the_newer_has_none(
    clients: Clients, stub: Stub, *, streamed: bool
) -> None:
    """Where another API answers. Under the newer version Anthropic would refuse it, and so does Gephyr."""
    client = await clients.anthropic()
    model = f"openai-well-{clients.kind}"
    script(stub, model, RESPONSES.answer(stream=streamed))
    asked = {**ANTHROPIC.request, "model": model, "extra_body": {"temperature": 0.5}, "stream": streamed}
    if major("anthropic") >= 2:
        error = await raised_by_anthropic(lambda: client.messages.create(**asked), "BadRequestError")
        assert "temperature: Extra inputs are not permitted" in str(error)
        assert stub.take() == []
        return
    call = client.messages.create(**asked)
    assert await (collected(call) if streamed else settled(call))
    [seen] = stub.take()
    assert json.loads(sent_body(seen))["temperature"] == 0.5
    assert sent_headers(seen, "anthropic-version") == []


@pytest.mark.parametrize("api_version", [None, "v1", "v1beta", "v1alpha"])
async def test_googles_api_is_served_in_the_version_that_its_sdk_asks(
    clients: Clients, stub: Stub, api_version: str | None
) -> None:
    """By default, and as it may be set: whole, streamed, counted, embedded, listed, described, and refused in Google's
    form on a path of several vendors."""
    errors = pytest.importorskip("google.genai.errors")
    client = await clients.gemini(http_options={"base_url": clients.url, "api_version": api_version})
    model = f"gemini-well-{clients.kind}"
    counted, embedded = json_answer({"totalTokens": 3}), json_answer({"embeddings": [{"values": [0.5]}]})
    script(stub, model, GEMINI.answer(), GEMINI.answer(stream=True), counted, embedded)
    models, asked = client.models, {"model": model, "contents": "Hello"}
    assert (await settled(models.generate_content(**asked))).text == "hello"
    chunks = await collected(models.generate_content_stream(**asked))
    assert "".join(chunk.text or "" for chunk in chunks) == "hello"
    assert (await settled(models.count_tokens(**asked))).total_tokens == 3
    assert (await settled(models.embed_content(**asked))).embeddings[0].values == [0.5]
    told = api_version or ("v1" if major("google-genai") >= 3 else "v1beta")
    seen = stub.take()
    assert [one["target"].split("/")[2] for one in seen] == [told] * 4
    assert KEY not in repr(seen)
    assert f"models/{model}" in [one.name for one in await collected(models.list(config={"page_size": 1000}))]
    assert (await settled(models.get(model=model))).name == f"models/{model}"
    with pytest.raises(errors.ClientError) as caught:
        await settled(client.files.get(name="files/f"))
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
