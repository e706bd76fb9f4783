"""``gephyr translate`` shows what becomes of a request, and says what was lost."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gephyr.cli.main import main

ANTHROPIC = {
    "model": "gemini-2.5-pro",
    "max_tokens": 100,
    "top_k": 5,
    "inference_geo": "us",
    "messages": [{"role": "user", "content": "Hello"}],
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
}
REPLY = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}


def run(*arguments: str, given: object) -> Result:
    text = given if isinstance(given, str) else json.dumps(given)
    return CliRunner().invoke(main, ["translate", *arguments], input=text)


def test_the_request_is_printed_and_the_report_stands_beside_it() -> None:
    result = run("--from", "anthropic", "--to", "gemini", given=ANTHROPIC)
    assert result.exit_code == 0
    body = json.loads(result.stdout)
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hello"}]}]
    assert body["generationConfig"]["topK"] == 5
    assert "dropped" in result.stderr
    assert "inference_geo" in result.stderr


def test_where_nothing_is_lost_it_says_so() -> None:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
    result = run("--from", "openai-chat", "--to", "gemini", "--model", "gemini-2.5-pro", given=asked)
    assert (result.exit_code, result.stderr) == (0, "nothing was lost\n")


def test_as_json_it_is_one_object() -> None:
    result = run("--from", "anthropic", "--to", "openai-responses", "--model", "gpt-5", "--json", given=ANTHROPIC)
    told = json.loads(result.stdout)
    assert told["path"] == "/v1/responses"
    assert told["request"]["model"] == "gpt-5"
    assert {"fate": "dropped", "path": "inference_geo"}.items() <= told["report"][-1].items()


def test_what_cannot_be_translated_is_named() -> None:
    asked = {"model": "claude-sonnet-4-5", "n": 2, "messages": [{"role": "user", "content": "Hello"}]}
    result = run("--from", "openai-chat", "--to", "anthropic", given=asked)
    assert result.exit_code == 1
    assert result.stderr.startswith("cannot be translated: n: ")
    assert result.stdout == ""


@pytest.mark.parametrize("given", ["", "{", "[]", '{"model": 7}', '{"model": "m", "messages": 3}', '{"model": "m"}'])
def test_what_is_no_request_is_refused(given: str) -> None:
    result = run("--from", "openai-chat", "--to", "gemini", given=given)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_a_reply_is_translated_for_a_client() -> None:
    result = run("--from", "openai-chat", "--to", "anthropic", "--reply", given=REPLY)
    (block,) = json.loads(result.stdout)["content"]
    assert (block["type"], block["text"]) == ("text", "hello")


def test_a_stream_is_translated_for_a_client() -> None:
    chunk = {**REPLY, "object": "chat.completion.chunk"}
    chunk["choices"] = [{"index": 0, "delta": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}]
    events = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    result = run("--from", "openai-chat", "--to", "anthropic", "--stream", given=events)
    assert '"text":"hello"' in result.stdout
    assert result.stdout.rstrip().endswith('{"type":"message_stop"}')


def test_a_reply_that_is_none_is_refused() -> None:
    result = run("--from", "openai-chat", "--to", "anthropic", "--reply", given={"x": 1})
    assert result.exit_code == 2
    assert "no reply of openai-chat" in result.stderr


def test_what_the_configuration_says_of_a_model_counts(tmp_path: Path) -> None:
    config = tmp_path / "gephyr.toml"
    config.write_text('[capabilities."llama*"]\nsampling = false\n')
    asked = {
        "model": "llama-4",
        "temperature": 0.5,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 9,
    }
    arguments = ("--from", "anthropic", "--to", "openai-chat", "--provider", "openai-compatible")
    assert json.loads(run(*arguments, given=asked).stdout)["temperature"] == 0.5
    assert "temperature" not in json.loads(run(*arguments, "--config", str(config), given=asked).stdout)


def test_a_wrong_configuration_is_told_with_its_place(tmp_path: Path) -> None:
    config = tmp_path / "gephyr.toml"
    config.write_text("[server]\nport = 'x'\n")
    result = run("--from", "anthropic", "--to", "gemini", "--config", str(config), given=ANTHROPIC)
    assert result.exit_code == 2
    assert "server.port" in result.stderr
