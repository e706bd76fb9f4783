"""Conversations that several accounts answer, held to the law of signed blocks."""

import base64

import attrs
import msgspec
from play import JSON, SSE, Play, account
from signing import ANTHROPIC, CHAT, GEMINI, RESPONSES, Object, Speech, texts

from gephyr_core.commands import CallUpstream, SendBody
from gephyr_core.config import ModelsConfig, ProviderConfig
from gephyr_core.conversation.signatures import SEAL
from gephyr_core.dialects import DIALECTS

OVERLOADED = b'{"error":{"message":"overloaded","type":"overloaded_error"}}'
OTHERS = {"anthropic": RESPONSES, "gemini": ANTHROPIC, "openai-responses": GEMINI, "openai-chat": ANTHROPIC}
"""Clients' dialects, each with another that the third account is asked in."""
_SPOKEN_AT = {"messages": ANTHROPIC, "chat/completions": CHAT, "responses": RESPONSES}


@attrs.define
class Conversation:
    """One client's conversation, answered by whom the test says, and what each account was sent of it."""

    client: Speech
    play: Play
    history: list[Object] = attrs.field(factory=list)
    made: dict[str, str] = attrs.field(factory=dict)
    """Signatures to the accounts that made them, in order."""
    sent: dict[str, list[Object]] = attrs.field(factory=dict)
    """What each account was last asked with, and answered."""
    turn: int = 0

    def ask(self, answerer: str, *, stream: bool = False, calls: bool = False) -> CallUpstream:
        """Ask, have everybody fail but *answerer*, who signs its reply, and go on. Return what it was asked."""
        self.turn += 1
        self.play.now += 100_000
        self.history = self.history or [self.client.user("begin")]
        body = self.client.request(self.history, stream=stream)
        headers = [(b"anthropic-version", b"2023-06-01")] if self.client.dialect == "anthropic" else []
        call = self.play.request(body, self.client.target(stream=stream), headers=headers)
        self.check(call)
        while call.account != answerer:
            self.play.answer(call, OVERLOADED, 503)
            [call] = [one for one in self.play.unclaimed if isinstance(one, CallUpstream)]
            self.play.unclaimed = []
            self.check(call)
        self._answer(call, stream=stream, calls=calls)
        return call

    def _answer(self, call: CallUpstream, *, stream: bool, calls: bool) -> None:
        streams = b'"stream":true' in call.body or "streamGenerateContent" in call.target
        data = self.reply_to(call, streams=streams, calls=calls)
        commands = self.play.head(call, headers=SSE if streams else JSON)
        for step in (lambda: self.play.body(call, data), lambda: self.play.end(call)):
            self.play.unclaimed = []
            if self.play.gateway.open_exchanges:
                commands = [*commands, *step()]
        self.play.unclaimed = []
        told = b"".join(one.data for one in commands if isinstance(one, SendBody))
        self.history = [*self.history, *self.client.went_on(self.client.read(told, stream=stream), self.turn)]

    def reply_to(self, call: CallUpstream, *, streams: bool, calls: bool) -> bytes:
        """What the account says, with signatures of its own."""
        speech = spoken(call)
        value = base64.b64encode(f"{call.account} {self.turn:04}.".encode()).decode()
        reply = speech.reply(value, self.turn, calls=calls)
        self.made.update({one: call.account for one in texts(reply) if one.startswith(value)})
        data = msgspec.json.encode(reply)
        return DIALECTS[speech.dialect].events_of(data) if streams else data

    def check(self, call: CallUpstream) -> None:
        """Hold a call to the law."""
        body = msgspec.json.decode(call.body)
        assert SEAL not in call.body.decode(), "what was sealed for the client reached a provider"
        found = [text for text in texts(body) if text in self.made]
        assert {self.made[one] for one in found} <= {call.account}, "another's signature"
        assert found == [one for one in self.made if self.made[one] == call.account], "all of its own, in order"
        asked = body[spoken(call).history]
        before = self.sent.get(call.account, [])
        assert asked[: len(before)] == before, "the beginning is another one than before"
        self.sent[call.account] = asked


def spoken(call: CallUpstream) -> Speech:
    """How a provider is spoken to."""
    return next((speech for path, speech in _SPOKEN_AT.items() if call.target.endswith(f"/{path}")), GEMINI)


def conversation(client: Speech, *, collect: str = "auto") -> Conversation:
    """A client that two organisations of its own dialect serve, ``a`` and ``b``, and one of another, ``o``."""
    other = OTHERS[client.dialect]
    routes = {client.model: (f"{client.provider}/{client.model}", f"{other.provider}/{other.model}")}
    accounts = account("a", client.provider), account("b", client.provider), account("o", other.provider)
    providers = {client.provider: ProviderConfig(collect=collect)}
    return Conversation(client, Play(*accounts, models=ModelsConfig(routes=routes), providers=providers))
