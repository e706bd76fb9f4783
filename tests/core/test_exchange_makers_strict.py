"""Conversations that several accounts answer, over providers that refuse what the real ones refuse.

They refuse signatures that are not theirs, a tool loop that begins without thinking, a function call of Gemini 3 without
a signature, and signed thinking behind another beginning of the conversation than it was made for.
"""

import random
import re
from typing import Any

import attrs
import pytest
from conversing import Conversation, conversation
from signing import ANTHROPIC, GEMINI, RESPONSES, Speech

from gephyr.harness.strict import StrictProvider
from gephyr.harness.strict.script import TOOLS
from gephyr.harness.strict.signatures import Signer
from gephyr_core.commands import CallUpstream

_SECRET = re.compile(rb'"(?:signature|data|encrypted_content|thoughtSignature)"\s*:\s*"([^"]+)"')
_OPEN = {"type": "enabled", "budget_tokens": 1024}


@attrs.define
class StrictConversation(Conversation):
    """One that strict providers answer."""

    providers: dict[str, StrictProvider] = attrs.field(
        factory=lambda: {name: StrictProvider(name, rng=random.Random(name)) for name in "abo"}
    )

    def reply_to(self, call: CallUpstream, *, streams: bool, calls: bool) -> bytes:
        """What the account's provider says."""
        provider = self.providers[call.account]
        reply = provider.respond("POST", call.target, call.headers, call.body, self.play.now)
        data = b"".join(piece for _, piece in reply.pieces)
        assert (reply.status, provider.refusals) == (200, []), data
        for secret in _SECRET.findall(data):
            if Signer().opened(secret.decode()) is not None:
                self.made[secret.decode()] = call.account
        return data


def speech(client: Speech, model: str, tools: list[Any], **settings: Any) -> Speech:
    """A client of a model, that offers the script's tools."""
    return attrs.evolve(client, model=model, settings={**client.settings, "tools": tools, **settings})


_ANTHROPIC = [{"name": name, "description": text, "input_schema": schema} for name, (text, schema) in TOOLS.items()]
_GEMINI = [
    {
        "functionDeclarations": [
            {"name": name, "description": text, "parametersJsonSchema": schema}
            for name, (text, schema) in TOOLS.items()
        ]
    }
]
_RESPONSES = [
    {"type": "function", "name": name, "description": text, "parameters": schema, "strict": False}
    for name, (text, schema) in TOOLS.items()
]
CLIENTS = {
    "bound to its prefix": speech(ANTHROPIC, "claude-opus-5-5", _ANTHROPIC),
    "manual thinking": speech(ANTHROPIC, "claude-haiku-4-5", _ANTHROPIC, thinking=_OPEN),
    "gemini 3": speech(GEMINI, "gemini-3-flash-preview", _GEMINI),
    "gemini 2.5": speech(GEMINI, "gemini-2.5-flash", _GEMINI),
    "responses": speech(RESPONSES, "gpt-5.6", _RESPONSES),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("client", CLIENTS.values(), ids=list(CLIENTS))
@pytest.mark.parametrize("answerers", ["ababa", "babab", "aoaoa", "oaoao", "abobao", "aaaaa"])
def test_no_provider_refuses_a_conversation_for_what_another_signed(
    client: Speech, answerers: str, stream: bool
) -> None:
    plain = conversation(client)
    talk = StrictConversation(client, plain.play)
    for answerer in answerers:
        talk.ask(answerer, stream=stream)
    assert answerers[0] in talk.made.values()
