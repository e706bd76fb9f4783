"""Everything of a request that is neither message nor tool, for a provider."""

import hashlib
from typing import Any

import attrs

from gephyr_core.conversation.prompt import Effort, Prompt, Reasoning, Sampling
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_chat.reasoning import INCLUDE, NAME
from gephyr_core.dialects.openai_chat.reply import SERVICE_TIERS
from gephyr_core.dialects.openai_chat.targets import is_mistral, is_openai
from gephyr_core.dialects.thinking_off import write_off
from gephyr_core.dialects.translator import Destination

_MOST_STOPS = 4
_LONGEST_USER = 64
"""Characters of ``user`` and ``safety_identifier`` at OpenAI."""
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
_SAMPLED = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty")
_OWN = ("logit_bias", "logprobs", "top_logprobs")
"""What only means something to a client of this dialect: token ids, and what its replies hold."""
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
        self._limits(self.prompt.sampling)
        self._sampling(self.prompt.sampling)
        if self.prompt.reasoning is not None:
            self._reasoning(self.prompt.reasoning)
        self._texts()
        self._metadata()
        for path, native in self.prompt.native.items():
            if self.own:
                self.body[path] = native.value
            elif native.essential:
                raise self.report.refused(path, f"is not available on provider {self.destination.provider!r}")
            else:
                self._drop(path, "has no counterpart in Chat Completions")

    def _drop(self, path: str, reason: str) -> None:
        self.report.dropped(path, reason)

    def _limits(self, sampling: Sampling) -> None:
        wanted, most = sampling.max_tokens, self.destination.capabilities.max_output_tokens
        if wanted is None:
            return
        if most is not None and wanted > most:
            self.report.changed(
                self.prompt.path("max_tokens"), f"model {self.destination.model!r} writes at most {most}"
            )
            wanted = most
        elif wanted < 1:
            self.report.changed(self.prompt.path("max_tokens"), "Chat Completions writes at least one token")
            wanted = 1
        self.body["max_completion_tokens" if is_openai(self.destination) else "max_tokens"] = wanted

    def _sampling(self, sampling: Sampling) -> None:
        for name in _SAMPLED:
            if (value := getattr(sampling, name)) is not None:
                self._sampled(name, value)
        if sampling.seed is not None:
            self.body["random_seed" if is_mistral(self.destination) else "seed"] = sampling.seed
        for name in _OWN:
            if (value := getattr(sampling, name)) is None:
                continue
            if self.own:
                self.body[name] = value
            else:
                self._drop(self.prompt.path(name), "token ids and probabilities are not carried between dialects")
        self._candidates(sampling)
        if sampling.stop:
            self._stop(sampling.stop)

    def _sampled(self, name: str, value: float) -> None:
        provider = self.destination.provider
        if not self.destination.capabilities.sampling:
            self._drop(self.prompt.path(name), f"model {self.destination.model!r} does not take it")
        elif name == "top_k" and not (self.own or provider == "openrouter"):
            self._drop(self.prompt.path(name), f"provider {provider!r} does not take it")
        else:
            self.body[name] = value

    def _stop(self, stop: tuple[str, ...]) -> None:
        path = self.prompt.path("stop")
        if not self.destination.capabilities.stop:
            self._drop(path, f"model {self.destination.model!r} takes no stop sequences")
            return
        if len(stop) > _MOST_STOPS:
            self.report.changed(path, f"only the first {_MOST_STOPS} stop sequences are taken")
        self.body["stop"] = list(stop[:_MOST_STOPS])

    def _candidates(self, sampling: Sampling) -> None:
        wanted = sampling.candidates
        if wanted is None or (wanted == 1 and not self.own):
            return
        if wanted != 1 and not self.own:
            raise self.report.refused(self.prompt.path("candidates"), "only one reply is carried between dialects")
        self.body["n"] = wanted

    # -- reasoning --------------------------------------------------------------------------------------------------

    def _reasoning(self, reasoning: Reasoning) -> None:
        if reasoning.is_off:
            write_off(reasoning, self.prompt.path("reasoning"), self.destination, self.report, self.body)
            return
        if self.destination.provider == "openrouter":
            self._openrouter(reasoning)
            return
        path = self.prompt.path("reasoning")
        effort = self._effort(reasoning)
        silent = Effort.NONE in self.destination.capabilities.efforts  # unless told to reason (GPT-5.1 and later)
        if effort is None and not self.own and silent and reasoning.is_left_to_model:
            effort = Effort.MEDIUM
        if effort is not None:
            level = self._level(effort, path)
            if level is not None:
                self.body["reasoning_effort"] = level.value
            if reasoning.effort is None:
                self.report.changed(path, f"a budget is carried as effort {effort.value!r}")
        if self.own and path == INCLUDE:
            self.body[INCLUDE] = reasoning.shown
        elif reasoning.summary or (reasoning.shown and is_openai(self.destination)):
            self._drop(path, f"provider {self.destination.provider!r} does not show reasoning in Chat Completions")

    def _openrouter(self, reasoning: Reasoning) -> None:
        written: dict[str, Any] = {}
        if reasoning.effort is not None and reasoning.effort is not Effort.ADAPTIVE:
            level = self._level(reasoning.effort, self.prompt.path("reasoning"))
            written.update({"effort": level.value} if level else {})
        budget = reasoning.budget
        if budget is not None and budget >= 0 and (self.own or "effort" not in written):
            written["max_tokens"] = budget if self.own else self._within_limit(budget)
        if reasoning.shown is not None:
            written["exclude"] = not reasoning.shown
        if reasoning.summary:
            written["summary"] = reasoning.summary
        if written or reasoning.kind == "enabled":
            self.body["reasoning"] = written or {"enabled": True}

    def _within_limit(self, budget: int) -> int:
        """A thinking budget that leaves half of the reply's limit for the answer: OpenRouter counts both there."""
        limit = self.body.get("max_tokens")
        if limit is None or budget < limit:
            return budget
        lowered = int(limit) // 2
        self.report.changed(
            self.prompt.path("reasoning"), f"{lowered} tokens: the limit of {limit} counts the answer too"
        )
        return lowered

    @staticmethod
    def _effort(reasoning: Reasoning) -> Effort | None:
        """The effort that is meant; None where the model decides."""
        if reasoning.effort is not None:
            return None if reasoning.effort is Effort.ADAPTIVE else reasoning.effort
        if reasoning.budget is None or reasoning.budget < 0:
            return None
        return next((effort for most, effort in _BUDGETS if reasoning.budget <= most), Effort.XHIGH)

    def _level(self, wanted: Effort, path: str) -> Effort | None:
        """The nearest effort that the model takes, rather less than more."""
        taken = self.destination.capabilities.efforts
        if wanted in taken:
            return wanted
        place = _LEVELS.index(wanted)
        nearest = [level for level in (*reversed(_LEVELS[:place]), *_LEVELS[place + 1 :]) if level in taken]
        if not nearest:
            self._drop(path, f"model {self.destination.model!r} takes no reasoning effort")
            return None
        self.report.changed(
            path, f"model {self.destination.model!r} takes {nearest[0].value!r} and not {wanted.value!r}"
        )
        return nearest[0]

    # -- the rest ---------------------------------------------------------------------------------------------------

    def _texts(self) -> None:
        prompt, provider = self.prompt, self.destination.provider
        openai = is_openai(self.destination)
        if prompt.verbosity:
            if openai or self.own or provider == "openrouter":
                self.body["verbosity"] = prompt.verbosity
            else:
                self._drop(prompt.path("verbosity"), f"provider {provider!r} does not take it")
        if prompt.cache_key:
            if openai or self.own:
                self.body["prompt_cache_key"] = prompt.cache_key
            else:
                self._drop(prompt.path("cache_key"), f"provider {provider!r} does not take it")
        if prompt.cache is not None:
            self.report.emulated(prompt.path("cache"), f"provider {provider!r} caches what it can by itself")
        if prompt.service_tier:
            tier = _STANDARD_TIERS.get(prompt.service_tier, prompt.service_tier)
            if self.own or (openai and tier in SERVICE_TIERS):
                self.body["service_tier"] = tier
                if tier != prompt.service_tier:
                    self.report.changed(prompt.path("service_tier"), f"called {tier!r} there")
            else:
                self._drop(prompt.path("service_tier"), f"provider {provider!r} has no tier {prompt.service_tier!r}")

    def _metadata(self) -> None:
        prompt = self.prompt
        if prompt.user and is_mistral(self.destination):
            self._drop(prompt.path("user"), "provider 'mistral' does not take it")
        elif prompt.user:
            user = prompt.user
            if len(user) > _LONGEST_USER and is_openai(self.destination):
                user = hashlib.sha256(user.encode()).hexdigest()
                self.report.changed(prompt.path("user"), f"longer than {_LONGEST_USER} characters: its digest is sent")
            self.body["safety_identifier" if self.destination.provider == "openai" else "user"] = user
        if prompt.metadata is not None:
            if self.own:
                self.body["metadata"] = prompt.metadata
            elif prompt.metadata:
                self._drop(prompt.path("metadata"), "Chat Completions takes metadata only with replies that are stored")
