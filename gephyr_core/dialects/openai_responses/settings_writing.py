"""Everything of a request that is neither item nor tool, for a provider."""

import hashlib
from typing import Any

import attrs

from gephyr_core.conversation.prompt import Effort, Prompt, Reasoning, Sampling
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.targets import is_openai
from gephyr_core.dialects.openai_responses.sealing import NAME
from gephyr_core.dialects.thinking_off import write_off
from gephyr_core.dialects.translator import Destination

SERVICE_TIERS = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
ENCRYPTED = "reasoning.encrypted_content"
"""Of ``include``: reasoning comes with its proof, without which it could not be sent back."""

_LEAST_TOKENS = 16
_LONGEST_USER = 64
_MOST_METADATA = 16
_LONGEST_KEY, _LONGEST_VALUE = 64, 512
"""Pairs, and characters, of ``metadata``."""
_LEVELS = tuple(effort for effort in Effort if effort is not Effort.ADAPTIVE)
"""From none to the most."""
_BUDGETS = (
    (0, Effort.NONE),
    (512, Effort.MINIMAL),
    (1024, Effort.LOW),
    (8192, Effort.MEDIUM),
    (24576, Effort.HIGH),
)
"""The greatest budget of each effort (``docs/mapping.md#reasoning``); what is greater is ``xhigh``."""
_SAMPLED = ("temperature", "top_p")
_UNKNOWN = ("top_k", "frequency_penalty", "presence_penalty", "seed", "logit_bias", "logprobs")
"""What Responses has no field for."""
_STANDARD_TIERS = {"standard": "default", "standard_only": "default"}


@attrs.define
class SettingsWriter:
    """Writes one prompt's settings into *body*."""

    prompt: Prompt
    destination: Destination
    report: Report
    body: dict[str, Any]

    @property
    def own(self) -> bool:
        """The client speaks this dialect too."""
        return self.prompt.dialect == NAME

    def write(self) -> None:
        """Write them all."""
        self._limit(self.prompt.sampling.max_tokens)
        self._sampling(self.prompt.sampling)
        self._reasoning(self.prompt.reasoning)
        self._texts()
        self._caching()
        self._identity()
        self._native()
        self.body["store"] = False
        if self._reasons():
            include = self.body.get("include")
            known = include if isinstance(include, list) else []
            self.body["include"] = known if ENCRYPTED in known else [*known, ENCRYPTED]

    def _reasons(self) -> bool:
        """Whether the model is known to reason: others refuse to be asked for proofs of it."""
        effort = (self.body.get("reasoning") or {}).get("effort")
        return any(level is not Effort.NONE for level in self.destination.capabilities.efforts) and effort != "none"

    def _drop(self, name: str, reason: str) -> None:
        self.report.dropped(self.prompt.path(name), reason)

    def _limit(self, wanted: int | None) -> None:
        if wanted is None:
            return
        most = self.destination.capabilities.max_output_tokens
        path = self.prompt.path("max_tokens")
        if most is not None and wanted > most:
            self.report.changed(path, f"model {self.destination.model!r} writes at most {most}")
            wanted = most
        elif wanted < _LEAST_TOKENS and not self.own:
            self.report.changed(path, f"Responses writes at least {_LEAST_TOKENS} tokens")
            wanted = _LEAST_TOKENS
        self.body["max_output_tokens"] = wanted

    def _sampling(self, sampling: Sampling) -> None:
        for name in _SAMPLED:
            value = getattr(sampling, name)
            if value is None:
                continue
            if self.destination.capabilities.sampling:
                self.body[name] = value
            else:
                self._drop(name, f"model {self.destination.model!r} does not take it")
        for name in _UNKNOWN:
            if getattr(sampling, name) is not None:
                self._drop(name, "Responses has no such setting")
        if sampling.top_logprobs is not None:
            if self.own:
                self.body["top_logprobs"] = sampling.top_logprobs
            else:
                self._drop("top_logprobs", "probabilities of tokens are not carried between dialects")
        if sampling.stop:
            self._drop("stop", "Responses has no stop sequences")
        if sampling.candidates is not None and sampling.candidates != 1:
            raise self.report.refused(self.prompt.path("candidates"), "Responses gives one reply")

    # -- reasoning --------------------------------------------------------------------------------------------------

    def _reasoning(self, reasoning: Reasoning | None) -> None:
        if reasoning is None:
            return
        path = self.prompt.path("reasoning")
        if reasoning.is_off:
            write_off(reasoning, path, self.destination, self.report, self.body)
            return
        written: dict[str, Any] = {}
        effort = _effort(reasoning)
        if effort is None and not self.own and self._is_silent_by_default() and reasoning.is_left_to_model:
            effort = Effort.MEDIUM
            self.report.changed(path, f"model {self.destination.model!r} reasons only if told how much: medium is said")
        if effort is not None and (level := self._level(effort, path)) is not None:
            written["effort"] = level.value
            if reasoning.effort is None and reasoning.budget is not None:
                self.report.changed(path, f"a budget is carried as effort {level.value!r}")
        if reasoning.wants_thoughts:
            if self.own or self.destination.capabilities.efforts:
                written["summary"] = reasoning.summary or "auto"
            else:
                self._drop("reasoning", f"model {self.destination.model!r} is not known to reason")
        if written:
            self.body["reasoning"] = written

    def _is_silent_by_default(self) -> bool:
        """Whether the model does not reason unless told to: those that can be told ``none`` (GPT-5.1 and later)."""
        return Effort.NONE in self.destination.capabilities.efforts

    def _level(self, wanted: Effort, path: str) -> Effort | None:
        """The nearest effort that the model takes, rather less than more."""
        taken = self.destination.capabilities.efforts
        if wanted in taken:
            return wanted
        place = _LEVELS.index(wanted)
        nearest = [level for level in (*reversed(_LEVELS[:place]), *_LEVELS[place + 1 :]) if level in taken]
        if not nearest:
            self.report.dropped(path, f"model {self.destination.model!r} takes no reasoning effort")
            return None
        self.report.changed(
            path, f"model {self.destination.model!r} takes {nearest[0].value!r} and not {wanted.value!r}"
        )
        return nearest[0]

    # -- the rest ---------------------------------------------------------------------------------------------------

    def _texts(self) -> None:
        prompt = self.prompt
        if prompt.verbosity:
            self.body.setdefault("text", {})["verbosity"] = prompt.verbosity
        if prompt.service_tier:
            tier = _STANDARD_TIERS.get(prompt.service_tier, prompt.service_tier)
            if self.own or (is_openai(self.destination) and tier in SERVICE_TIERS):
                self.body["service_tier"] = tier
                if tier != prompt.service_tier:
                    self.report.changed(prompt.path("service_tier"), f"called {tier!r} at OpenAI")
            else:
                self._drop("service_tier", f"provider {self.destination.provider!r} has no tier {tier!r}")

    def _caching(self) -> None:
        if self.prompt.cache_key:
            self.body["prompt_cache_key"] = self.prompt.cache_key
        if self.prompt.cache is not None:
            self.report.emulated(
                self.prompt.path("cache"), f"provider {self.destination.provider!r} caches what it can by itself"
            )

    def _identity(self) -> None:
        user, metadata = self.prompt.user, self.prompt.metadata
        if user:
            if len(user) > _LONGEST_USER and is_openai(self.destination):
                user = hashlib.sha256(user.encode()).hexdigest()
                self.report.changed(
                    self.prompt.path("user"), f"longer than {_LONGEST_USER} characters: its digest is sent"
                )
            # Azure, and those who speak OpenAI's dialect, know the older name.
            self.body["safety_identifier" if self.destination.provider == "openai" else "user"] = user
        if metadata is not None:
            self._metadata(metadata)

    def _metadata(self, metadata: dict[str, Any]) -> None:
        if self.own:
            self.body["metadata"] = metadata
            return
        kept: dict[str, str] = {}
        path = self.prompt.path("metadata")
        for key, value in metadata.items():
            fits = isinstance(value, str) and len(key) <= _LONGEST_KEY and len(value) <= _LONGEST_VALUE
            if fits and len(kept) < _MOST_METADATA:
                kept[key] = value
            else:
                self.report.dropped(f"{path}.{key}", "OpenAI takes 16 pairs of 64 and 512 characters as metadata")
        if kept:
            self.body["metadata"] = kept

    def _native(self) -> None:
        for path, native in self.prompt.native.items():
            if self.own:
                self._put_back(path, native.value)
            elif native.essential:
                raise self.report.refused(path, f"is not available on provider {self.destination.provider!r}")
            else:
                self.report.dropped(path, "has no counterpart in Responses")

    def _put_back(self, path: str, value: Any) -> None:
        """Items and tools are put back where they stand."""
        owner, dot, name = path.partition(".")
        if "[" in owner:
            return
        if dot:
            self.body.setdefault(owner, {})[name] = value
        else:
            self.body[path] = value


def _effort(reasoning: Reasoning) -> Effort | None:
    """The effort that is meant; None where the model decides."""
    if reasoning.effort is not None:
        return None if reasoning.effort is Effort.ADAPTIVE else reasoning.effort
    if reasoning.budget is None or reasoning.budget < 0:
        return None
    return next((effort for most, effort in _BUDGETS if reasoning.budget <= most), Effort.XHIGH)
