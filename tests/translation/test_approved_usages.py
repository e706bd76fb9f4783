"""What providers tell of a reply's tokens: each of their counts, odd ones too, and what each client is told of it."""

import json
from collections.abc import Iterator
from typing import Any

import attrs
import msgspec

from gephyr_core.conversation.report import Report
from gephyr_core.dialects import DIALECTS
from gephyr_core.dialects.translators import TRANSLATORS
from tests.approved import check_table
from tests.translation.native_replies import NATIVE
from tests.translation.test_approved_odd import GONE, changed, places
from tests.translation.translating import write_reply

Object = dict[str, Any]
USAGES: dict[str, dict[str, Object]] = {
    "openai-chat": {
        "OpenAI": {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 3, "cache_write_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 2},
        },
        "DeepSeek": {"prompt_tokens": 100, "completion_tokens": 50, "prompt_cache_hit_tokens": 40},
        "Mistral": {"prompt_tokens": 100, "completion_tokens": 50, "num_cached_tokens": 40},
        "OpenRouter": {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "server_tool_use_details": {"web_search_requests": 2},
        },
        "xAI": {
            "prompt_tokens": 100,
            "completion_tokens": 50,
            "total_tokens": 230,
            "completion_tokens_details": {"reasoning_tokens": 80},
        },
    },
    "openai-responses": {
        "OpenAI": {
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "input_tokens_details": {
                "cached_tokens": 40,
                "cache_write_tokens": 9,
                "cache_write_tokens_details": {"ttl_30m_tokens": 5, "ttl_12h_tokens": 4},
            },
            "output_tokens_details": {"reasoning_tokens": 20},
        }
    },
    "anthropic": {
        "Anthropic": {
            "input_tokens": 51,
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 9,
            "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 20},
            "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 1},
        }
    },
    "gemini": {
        "Google": {
            "promptTokenCount": 90,
            "toolUsePromptTokenCount": 10,
            "cachedContentTokenCount": 40,
            "candidatesTokenCount": 30,
            "thoughtsTokenCount": 20,
            "totalTokenCount": 150,
        }
    },
}
ODD: tuple[Any, ...] = (GONE, None, 0, -1, 1.5, "7", True, {}, 999)
FIELD = {"gemini": "usageMetadata"}


def counted(dialect: str, usage: Any) -> tuple[str, str]:
    """What the translator reads, and what who relays the reply does."""
    body = json.dumps({**NATIVE[dialect]["text"], FIELD.get(dialect, "usage"): usage}).encode()
    read = TRANSLATORS[dialect].read_reply(body, Report()).usage
    own = DIALECTS[dialect].read_whole(body, generates=True).usage
    return counts(read), "none" if own is None else counts(own)


def counts(usage: Any) -> str:
    named = (
        {field.name: getattr(usage, field.name) for field in attrs.fields(type(usage))}
        if attrs.has(type(usage))
        else msgspec.structs.asdict(usage)
    )
    return " ".join(f"{name}={value}" for name, value in named.items() if value is not None)


def lines() -> Iterator[str]:
    for dialect, usages in USAGES.items():
        for maker, usage in usages.items():
            read, own = counted(dialect, usage)
            yield f"## {dialect}: {maker}"
            yield f"translated: {read}"
            yield f"relayed: {own}"
            body = json.dumps({**NATIVE[dialect]["text"], FIELD.get(dialect, "usage"): usage}).encode()
            reply = TRANSLATORS[dialect].read_reply(body, Report())
            for client in USAGES:
                whole = json.loads(write_reply(client, reply))
                yield f"{client}: {json.dumps(whole[FIELD.get(client, 'usage')])}"
            for path in places(usage):
                found: dict[tuple[str, str], list[str]] = {}
                for odd in ODD:
                    name = "gone" if odd is GONE else json.dumps(odd)
                    found.setdefault(counted(dialect, changed(usage, path, odd)), []).append(name)
                for (one, other), names in found.items():
                    yield f"{'.'.join(path)} {' '.join(names)}: {one}{'' if one == other else f' ({other})'}"


def test_tokens_are_counted_as_approved() -> None:
    check_table("usages", lines())
