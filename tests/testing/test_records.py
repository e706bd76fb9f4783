"""What a test reads of the ``gephyr`` fixture right after a reply, whichever dialect the reply is in."""

import contextlib
import http.client
import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import openai
import pytest

from gephyr.testing import RunningGateway

REQUESTS = 300
MODELS = ("gpt-5", "claude-opus-5-5", "gemini-3-pro")


@attrs.frozen
class Client:
    """What a client of one API sends, and how it knows the end of a stream."""

    target: str
    stream_target: str
    body: dict[str, Any]
    last: bytes
    """Words of the event after which an SDK reads no further."""

    def request(self, model: str, *, stream: bool) -> tuple[str, bytes]:
        """Path and body."""
        target = self.stream_target if stream else self.target
        named = {"stream": stream, "model": model} if "MODEL" not in target else {}
        return target.replace("MODEL", model), json.dumps({**self.body, **named}).encode()


ASKED = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
GEMINI = "/v1beta/models/MODEL:"
CLIENTS = {
    "openai-chat": Client(CHAT, CHAT, {"messages": ASKED, "stream_options": {"include_usage": True}}, b"[DONE]"),
    "openai-responses": Client("/v1/responses", "/v1/responses", {"input": "Hello"}, b"response.completed"),
    "anthropic": Client("/v1/messages", "/v1/messages", {"max_tokens": 64, "messages": ASKED}, b"message_stop"),
    "gemini": Client(
        f"{GEMINI}generateContent",
        f"{GEMINI}streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
        b"finishReason",
    ),
}
KINDS = list(itertools.product(CLIENTS, MODELS, (False, True)))


def replies(gateway: RunningGateway) -> Iterator[tuple[str, str, bool, str, int]]:
    """Ask again and again, and stop reading where an SDK would: the kind of request, its id, bytes of its body."""
    with contextlib.closing(http.client.HTTPConnection(gateway.url.removeprefix("http://"))) as connection:
        for dialect, model, stream in itertools.islice(itertools.cycle(KINDS), REQUESTS):
            client = CLIENTS[dialect]
            headers = {"Authorization": f"Bearer {gateway.key}", "Content-Type": "application/json"}
            connection.request("POST", *client.request(model, stream=stream), headers)
            response = connection.getresponse()
            body = b"".join(up_to(response, client.last)) if stream else response.read()
            yield dialect, model, stream, response.headers["x-gephyr-request-id"], len(body)
            assert response.read() == b""


def up_to(response: http.client.HTTPResponse, last: bytes) -> Iterator[bytes]:
    """The lines of a stream, up to the end of the event that has *last* in its data."""
    ends = False
    while line := response.readline():
        yield line
        ends = ends or (line.startswith(b"data: ") and last in line)
        if ends and not line.strip():
            return


def test_the_record_is_there_as_soon_as_the_client_has_the_last_event(gephyr: RunningGateway) -> None:
    """A test looks at the record right after the reply: it has nothing to wait for."""
    for number, (dialect, model, stream, request_id, size) in enumerate(replies(gephyr), 1):
        records = gephyr.records
        assert len(records) == number
        record = records[-1]
        found = (record.request_id, record.dialect, record.model_asked, record.stream)
        assert found == (request_id, dialect, model, stream)
        assert (record.outcome, record.status, record.error, record.bytes_out) == ("ok", 200, None, size)
        assert [attempt.outcome for attempt in record.attempts] == ["ok"]
        assert record.usage is not None
        assert record.usage.output


@pytest.mark.parametrize("status", [401, 429, 529])
def test_what_a_reply_did_to_its_account_is_there_as_soon_as_it_is_read(gephyr: RunningGateway, status: int) -> None:
    """A cooldown comes of the very reply that the client has just read."""
    gephyr.account("openai-1").fail(status)
    with openai.OpenAI(base_url=f"{gephyr.url}/v1", api_key=gephyr.key, max_retries=0) as client:
        with pytest.raises(openai.APIStatusError) as told:
            client.chat.completions.create(model="gpt-5", messages=ASKED)  # type: ignore[arg-type]
        assert [(event.what, event.account) for event in gephyr.account_events] == [("cooldown", "openai-1")]
    assert gephyr.records[-1].status == told.value.status_code


def test_clients_of_many_threads_each_find_their_own_record() -> None:
    """Whoever asks finds the own request among the records, and the records outlive the gateway."""
    with RunningGateway() as gateway:

        def ask(number: int) -> bool:
            with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as client:
                client.chat.completions.create(model=f"gpt-{number}", messages=ASKED)  # type: ignore[arg-type]
            return f"gpt-{number}" in {record.model_asked for record in gateway.records}

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(ask, range(40)))
    assert sorted(str(record.model_asked) for record in gateway.records) == sorted(f"gpt-{n}" for n in range(40))
