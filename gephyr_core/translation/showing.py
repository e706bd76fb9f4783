"""What a translated reply shows of reasoning: what the client asked for, and no more.

Models reason unasked, and other APIs than the client's tell of it in every reply. A client that did not ask does not
expect it: code of Anthropic's users reads ``content[0].text``, code of Google's concatenates the parts' texts. What
counts as asking is the client's own dialect's way to ask; the table is in ``docs/translation.md``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from gephyr_core.conversation.parts import Part, Thinking, ToolCall
from gephyr_core.conversation.prompt import Effort, Prompt, Reasoning
from gephyr_core.conversation.reply import (
    Delta,
    PartEnded,
    PartStarted,
    Signed,
    ThinkingAdded,
)
from gephyr_core.conversation.report import Report

_ENCRYPTED = "reasoning.encrypted_content"
_THINKING = ("enabled", "adaptive")


@attrs.frozen
class Shown:
    """What of reasoning a client is shown."""

    texts: bool
    """Reasoning that can be read."""
    proofs: bool
    """Signatures, and reasoning of which there is nothing but its signature."""

    @property
    def everything(self) -> bool:
        """Nothing is kept from the client."""
        return self.texts and self.proofs

    def part(self, part: Thinking) -> Thinking | None:
        """Return a piece of reasoning as the client is shown it, if it is."""
        if part.text:
            if not self.texts:
                return None
            return part if self.proofs else attrs.evolve(part, signature=None)
        return part if self.proofs else None


EVERYTHING = Shown(texts=True, proofs=True)
NOTHING = Shown(texts=False, proofs=False)


def shown_to(prompt: Prompt) -> Shown:
    """Return what the client that sent *prompt* asked to be shown."""
    asked = _ASKED.get(prompt.dialect)
    return NOTHING if asked is None else asked(prompt)


def _anthropic(prompt: Prompt) -> Shown:
    """``thinking`` of any type but ``disabled``. With ``display: omitted`` a block is its signature only."""
    reasoning = prompt.reasoning
    if reasoning is None or reasoning.kind in ("", "disabled"):
        return NOTHING
    return Shown(texts=reasoning.shown is not False, proofs=True)


def _gemini(prompt: Prompt) -> Shown:
    """``thinkingConfig.includeThoughts``."""
    return EVERYTHING if prompt.reasoning is not None and prompt.reasoning.shown is True else NOTHING


def _responses(prompt: Prompt) -> Shown:
    """``reasoning.summary`` for what can be read, ``include`` for the rest."""
    native = prompt.native.get("include")
    include = native.value if native is not None else None
    return Shown(
        texts=prompt.reasoning is not None and bool(prompt.reasoning.summary),
        proofs=isinstance(include, list) and _ENCRYPTED in include,
    )


def _chat(prompt: Prompt) -> Shown:
    """OpenAI's own Chat shows no reasoning to anybody. Those who extended it ask for it in several ways."""
    if prompt.reasoning is not None and prompt.reasoning.shown is not None:
        return EVERYTHING if prompt.reasoning.shown else NOTHING
    native = {name: field.value for name, field in prompt.native.items()}
    asks = (prompt.reasoning is not None and _wants_some(prompt.reasoning)) or _switched_on(native)
    return EVERYTHING if asks else NOTHING


def _wants_some(reasoning: Reasoning) -> bool:
    """Whether a client wants reasoning of any amount."""
    if reasoning.effort is Effort.NONE or reasoning.kind == "disabled" or reasoning.budget == 0:
        return False
    return reasoning.effort is not None or bool(reasoning.budget or reasoning.summary or reasoning.kind)


def _switched_on(fields: Mapping[str, Any]) -> bool:
    """Whether a field that some providers of Chat have for it switches reasoning on: DeepSeek's, Moonshot's and Z.ai's
    ``thinking``, Qwen's ``enable_thinking``, Google's ``thinking_config``."""
    thinking, template = fields.get("thinking"), fields.get("chat_template_kwargs")
    if isinstance(thinking, dict) and thinking.get("type") in _THINKING:
        return True
    google: Any = fields.get("extra_body", fields)
    for name in ("google", "thinking_config", "include_thoughts"):
        google = google.get(name) if isinstance(google, Mapping) else None
    if google is True:
        return True
    switches = [fields, template] if isinstance(template, dict) else [fields]
    return any(switch.get("enable_thinking") is True for switch in switches)


_ASKED: dict[str, Callable[[Prompt], Shown]] = {
    "anthropic": _anthropic,
    "gemini": _gemini,
    "openai-chat": _chat,
    "openai-responses": _responses,
}


_CARRIES_ALWAYS = ("openai-chat", "gemini")
"""Dialects that have a place for the signature of a text and of a call, beside what is shown of them."""


def note_lost(parts: Iterable[Part], dialect: str, shown: Shown, report: Report) -> None:
    """Report the signatures that do not come back, where nothing is remembered: the client's dialect has no place for
    them, or the client did not ask for what they stand on."""
    for part in parts:
        signature = getattr(part, "signature", None)
        if signature is None:
            continue
        if isinstance(part, Thinking):
            seen = shown.part(part)
            carried = seen is not None and seen.signature is not None
        else:
            by_call = shown.proofs and (dialect == "openai-responses" or isinstance(part, ToolCall))
            carried = dialect in _CARRIES_ALWAYS or by_call
        if not carried:
            what = {Thinking: "reasoning", ToolCall: "tool_call"}.get(type(part), "text")
            report.dropped(f"reply.{what}.signature", "it does not come back through the client, and is not remembered")


# -- a reply as it streams --------------------------------------------------------------------------------------------


@attrs.define
class Presenter:
    """Tells a client's writer of a reply what the client is shown of it. Text is shown as it comes (``TextAdded``): it
    need not be asked about."""

    shown: Shown
    _waiting: dict[int, Thinking] = attrs.field(factory=dict, init=False)
    """Reasoning that has begun and of which is not known yet whether it can be read."""
    _hidden: dict[int, None] = attrs.field(factory=dict, init=False)
    _bare: dict[int, None] = attrs.field(factory=dict, init=False)
    """Reasoning that is shown without its signature."""

    def feed(self, delta: Delta) -> Sequence[Delta]:
        """Return what the writer is told in place of *delta*. Parts keep their numbers, some of which are left out."""
        match delta:
            case PartStarted(index, part) if isinstance(part, Thinking):
                return self._started(index, part)
            case ThinkingAdded(index) | Signed(index) | PartEnded(index) if index in self._waiting:
                return self._decided(delta)
            case ThinkingAdded(index) | Signed(index) | PartEnded(index) if index in self._hidden:
                return ()
            case Signed(index) if index in self._bare:
                return ()
        return (delta,)

    def parts(self, parts: Sequence[Part]) -> tuple[Part, ...]:
        """Return what the client is shown of a whole reply's parts."""
        shown = (self.shown.part(part) if isinstance(part, Thinking) else part for part in parts)
        return tuple(part for part in shown if part is not None)

    def _started(self, index: int, part: Thinking) -> Sequence[Delta]:
        if self.shown.everything:
            return (PartStarted(index, part),)
        if self.shown == NOTHING:
            self._hidden[index] = None
            return ()
        self._waiting[index] = attrs.evolve(part, text="")
        return self._decided(ThinkingAdded(index, part.text)) if part.text else ()

    def _decided(self, delta: Delta) -> Sequence[Delta]:
        """Reasoning goes on, or ends: now it may be known whether it is shown."""
        match delta:
            case ThinkingAdded(index, text) if text:
                part = self._waiting.pop(index)
                if not self.shown.texts:
                    self._hidden[index] = None
                    return ()
                self._bare[index] = None
                return (PartStarted(index, attrs.evolve(part, signature=None)), delta)
            case Signed(index, signature):
                self._waiting[index] = attrs.evolve(self._waiting[index], signature=signature)
            case PartEnded(index):
                shown = self.shown.part(self._waiting.pop(index))
                return () if shown is None else (PartStarted(index, shown), delta)
        return ()
