"""Where paths, models and sessions lead, in tables that were read and approved."""

import itertools
import json

import pytest

from gephyr_core.envelope import read_envelope
from gephyr_core.routing.asking import dialect_of_client
from gephyr_core.routing.endpoints import Endpoint, find_endpoint
from gephyr_core.routing.models import ModelPattern, ModelTable
from gephyr_core.routing.sessions import SESSION_HEADERS, session_identity
from tests.approved import check_table

NOW = 1_800_000_000.0

PATHS = (
    *(
        "/",
        "/health",
        "/metrics",
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v1/moderations",
        "/v1/responses",
    ),
    *(
        "/v1/responses/compact",
        "/v1/responses/input_tokens",
        "/v1/responses/resp_1",
        "/v1/responses/resp_1/cancel",
        "/v1/responses/resp_1/input_items",
    ),
    *(
        "/v1/responses/resp_1/odd",
        "/v1/responses/.",
        "/v1/responses/-x",
        "/v1/conversations",
        "/v1/conversations/c",
        "/v1/conversations/c/items",
    ),
    *(
        "/v1/conversations/c/items/i",
        "/v1/conversations/c/items/i/j",
        "/v1/messages",
        "/v1/messages/count_tokens",
        "/v1/messages/batches",
        "/v1/models",
    ),
    *(
        "/v1/models/gpt-5",
        "/v1/models/a/b",
        "/v1/models/..",
        "/v1beta/models",
        "/v1beta/models/gemini-3",
        "/v1beta/models/gemini-3:generateContent",
    ),
    *(
        "/v1/models/g:streamGenerateContent",
        "/v1alpha/models/g:countTokens",
        "/v1beta2/tunedModels/t:embedContent",
        "/v1beta/models/g:batchEmbedContents",
    ),
    *(
        "/v1beta/models/g:odd",
        "/v1beta/models/../x:generateContent",
        "/v1beta/models/a%2Fb:generateContent",
        "/v2/x",
        "/v1/",
        "//v1/models",
        "/v1/messages/",
    ),
)


def test_each_path_leads_where_was_approved() -> None:
    lines = []
    for path in PATHS:
        lines.append(f"## {path}, errors of {dialect_of_client(path, (), ())}")
        for method in ("GET", "HEAD", "POST", "DELETE", "OPTIONS"):
            found = find_endpoint(method, path)
            told = (
                f"{found.operation} model {found.model!r} object {found.object_id!r} stream {found.stream}"
                if isinstance(found, Endpoint)
                else repr(found)
            )
            lines.append(f"{method}: {told}")
    check_table("paths", lines)


def test_each_name_of_a_model_leads_where_was_approved() -> None:
    routes = {
        "exact": ["openai/a"],
        "wild*": ["b", "anthropic/c"],
        "wild-er*": ["d"],
        "*": ["e"],
        "listed": ["f"],
        "chain": ["listed", "x/y", "openai/"],
    }
    tables = {
        "all": ModelTable(routes, ["fall"], ["openai", "anthropic"], ["listed", "acc*"]),
        "without a star": ModelTable(
            {key: value for key, value in routes.items() if key != "*"}, ["fall"], ["openai"], ["listed", "acc*"]
        ),
        "without a default": ModelTable({}, [], ["openai"], []),
    }
    names = (
        "exact",
        "wild",
        "wild1",
        "wild-er1",
        "listed",
        "chain",
        "acc",
        "account",
        "openai/x",
        "openai/",
        "openai/x/y",
        "other/x",
        "odd",
        "",
        "*",
    )
    lines = [
        f"{name}, {one!r}: {[(target.provider, target.model) for target in table.resolve(one)]}, wildcard {table.matches_wildcard(one)}"
        for (name, table), one in itertools.product(tables.items(), names)
    ]
    patterns = ("", "*", "a*", "*a", "a*b", "a*b*c", "abc", "a**")
    for pattern, name in itertools.product(patterns, ("", "a", "ab", "abc", "acbc", "b", "A")):
        one = ModelPattern(pattern)
        lines.append(f"{pattern!r} ({one.specificity}) matches {name!r}: {one.matches(name)}")
    check_table("models", lines)


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses", "anthropic", "gemini"])
def test_sessions_are_told_apart_as_was_approved(dialect: str) -> None:
    """By groups: requests of one line are one session."""
    user = {"role": "user", "content": "hi"}
    bodies: dict[str, object] = {
        "nothing": {},
        **{
            field: {field: "s"}
            for field in (
                "session_id",
                "sessionId",
                "conversation_id",
                "thread_id",
                "threadId",
                "conversation",
                "prompt_cache_key",
                "previous_response_id",
            )
        },
        "metadata's session": {"metadata": {"session_id": " s "}},
        "metadata's user": {"metadata": {"user_id": "s"}},
        "Claude Code's user": {"metadata": {"user_id": "user_1_account__session_s"}},
        "a conversation object": {"conversation": {"id": "s"}},
        "a number": {"session_id": 7},
        "blank": {"session_id": "  "},
        "messages": {"messages": [user]},
        "messages and their answer": {"messages": [user, {"role": "assistant", "content": "yes"}, user]},
        "messages of parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
        "other messages": {"messages": [{"role": "user", "content": "ho"}]},
        "a system and messages": {"system": "be", "messages": [user]},
        "input": {"input": "hi"},
        "input items": {"input": [{"role": "user", "content": "hi"}]},
        "instructions": {"instructions": "be", "input": "hi"},
        "contents": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
        "contents and a system": {
            "systemInstruction": {"parts": [{"text": "be"}]},
            "contents": [{"parts": [{"text": "hi"}]}],
        },
    }
    groups: dict[str | None, list[str]] = {}
    for name, body in bodies.items():
        envelope = read_envelope(json.dumps(body).encode())
        groups.setdefault(session_identity([], envelope, "owner", dialect), []).append(name)
    for header in SESSION_HEADERS:
        groups.setdefault(session_identity([(header, b" s ")], None, "owner", dialect), []).append(header.decode())
    two = [(SESSION_HEADERS[-1], b"last"), (SESSION_HEADERS[0], b"first")]
    groups.setdefault(session_identity(two, None, "owner", dialect), []).append("the first header's")
    groups.setdefault(session_identity([(SESSION_HEADERS[0], b"first")], None, "owner", dialect), []).append(
        "the first header alone"
    )
    groups.setdefault(session_identity([(SESSION_HEADERS[0], b"s")], None, "other", dialect), []).append(
        "another owner's"
    )
    check_table(
        f"sessions-{dialect}",
        [f"{'none' if key is None else 'one'}: {', '.join(names)}" for key, names in groups.items()],
    )
