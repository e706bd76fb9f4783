"""Everything of a request that is neither message, tool nor reasoning, for a provider."""

from typing import Any

import attrs

from gephyr_core.conversation.prompt import Prompt, Sampling
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.anthropic.names import NAME, cache_object, short_digest
from gephyr_core.dialects.translator import Destination

_ABSENT = ("frequency_penalty", "presence_penalty", "seed", "logit_bias", "logprobs", "top_logprobs")
"""What Anthropic has no counterpart for."""
_LEAST_TOP_P_THINKING = 0.95
_LONGEST_USER = 256
"""Characters of ``metadata.user_id``."""
_TIERS = {
    **dict.fromkeys(("auto", "priority"), "auto"),
    **dict.fromkeys(("standard_only", "standard", "default"), "standard_only"),
}
_THINKS = ("enabled", "adaptive")


@attrs.define
class SettingsWriter:
    """Writes one prompt's settings into *body*."""

    prompt: Prompt
    destination: Destination
    report: Report
    body: dict[str, Any]

    def limit(self) -> None:
        """Write ``max_tokens``, which Anthropic demands."""
        wanted, most = self.prompt.sampling.max_tokens, self.destination.capabilities.max_output_tokens
        path = self.prompt.path("max_tokens")
        if wanted is None:
            wanted = most or self.destination.default_max_tokens
            self.report.emulated(path, f"the target demands a limit: {wanted}")
        elif most is not None and wanted > most:
            self.report.changed(path, f"model {self.destination.model!r} writes at most {most}")
            wanted = most
        self.body["max_tokens"] = wanted

    def write(self) -> None:
        """Write the others; thinking has been written by now."""
        self._sampling(self.prompt.sampling)
        self._identity()
        self._caching()
        prompt = self.prompt
        if prompt.verbosity:
            self.report.dropped(prompt.path("verbosity"), "Anthropic has no measure of length")
        if prompt.service_tier:
            tier = _TIERS.get(prompt.service_tier)
            if tier is None:
                reason = f"provider {self.destination.provider!r} has no tier {prompt.service_tier!r}"
                self.report.dropped(prompt.path("service_tier"), reason)
            else:
                if tier != prompt.service_tier:
                    self.report.changed(prompt.path("service_tier"), f"tier {tier!r} comes nearest")
                self.body["service_tier"] = tier
        self._native()

    def _sampling(self, sampling: Sampling) -> None:
        if sampling.candidates not in (None, 1):
            raise self.report.refused(self.prompt.path("candidates"), "only one reply is carried between dialects")
        self._temperature(sampling)
        thinks = self.body.get("thinking", {}).get("type") in _THINKS
        if sampling.top_p is not None and self._takes("top_p"):
            if "temperature" in self.body and self.prompt.dialect != NAME:
                self._drop("top_p", "newer models take either temperature or top_p")
            elif thinks and sampling.top_p < _LEAST_TOP_P_THINKING:
                self._drop("top_p", f"while the model thinks it is at least {_LEAST_TOP_P_THINKING}")
            else:
                self.body["top_p"] = sampling.top_p
        if sampling.top_k is not None and self._takes("top_k"):
            if thinks:
                self._drop("top_k", "it is not taken while the model thinks")
            else:
                self.body["top_k"] = sampling.top_k
        self._stop(sampling.stop)
        for name in _ABSENT:
            if getattr(sampling, name) is not None:
                self._drop(name, "Anthropic has no counterpart")

    def _temperature(self, sampling: Sampling) -> None:
        wanted = sampling.temperature
        if wanted is None or not self._takes("temperature"):
            return
        if self.body.get("thinking", {}).get("type") in _THINKS and wanted != 1:
            self._drop("temperature", "it may only be 1 while the model thinks")
            return
        if wanted > 1:
            self.report.changed(self.prompt.path("temperature"), f"1 instead of {wanted}: Anthropic takes no more")
            wanted = 1.0
        self.body["temperature"] = wanted

    def _takes(self, name: str) -> bool:
        if not self.destination.capabilities.sampling:
            self._drop(name, f"model {self.destination.model!r} does not take it")
        return self.destination.capabilities.sampling

    def _drop(self, name: str, reason: str) -> None:
        self.report.dropped(self.prompt.path(name), reason)

    def _stop(self, stop: tuple[str, ...]) -> None:
        taken = [sequence for sequence in stop if sequence.strip()]
        if len(taken) < len(stop):
            self._drop("stop", "a stop sequence of white space is not taken")
        if taken:
            self.body["stop_sequences"] = taken

    def _identity(self) -> None:
        prompt = self.prompt
        if prompt.user:
            user = prompt.user
            if len(user) > _LONGEST_USER:
                user = short_digest(user, 64)
                self.report.changed(prompt.path("user"), f"longer than {_LONGEST_USER} characters: its digest is sent")
            self.body["metadata"] = {"user_id": user}
        if prompt.metadata:
            self.report.dropped(prompt.path("metadata"), "Anthropic takes no metadata but the end user's id")

    def _caching(self) -> None:
        prompt, path = self.prompt, self.prompt.path("cache")
        if prompt.cache is not None:
            if self.destination.capabilities.automatic_caching:
                self.body["cache_control"] = cache_object(prompt.cache)
            else:
                self.report.dropped(path, f"model {self.destination.model!r} does not cache by itself")
        elif self._caches_by_itself():
            self.body["cache_control"] = {"type": "ephemeral"}
            self.report.emulated(path, "implicit prompt caching: a marker at the end asks for it")
        if prompt.cache_key:
            self.report.dropped(prompt.path("cache_key"), "Anthropic caches by content alone")

    def _caches_by_itself(self) -> bool:
        """Whether the client's own provider would cache the prompt without being asked."""
        prompt = self.prompt
        return (
            prompt.dialect != NAME
            and self.destination.capabilities.automatic_caching
            and bool(prompt.tools or len(prompt.turns) > 1)
            and not has_markers(prompt)
        )

    def _native(self) -> None:
        """Put back what only this dialect has; what stands in tools, messages and thinking was put back there."""
        for path, native in self.prompt.native.items():
            if self.prompt.dialect == NAME:
                first, _, rest = path.partition(".")
                if not rest and "[" not in first:
                    self.body[first] = native.value
                elif first == "output_config":
                    self.body.setdefault(first, {})[rest] = native.value
            elif native.essential:
                raise self.report.refused(path, f"is not available on provider {self.destination.provider!r}")
            else:
                self.report.dropped(path, "has no counterpart in the Messages API")


def has_markers(prompt: Prompt) -> bool:
    """Whether the client says itself what is to be cached."""
    holders = [*prompt.system, *prompt.tools, *(part for turn in prompt.turns for part in turn.parts)]
    return any(getattr(holder, "cache", None) is not None for holder in holders)
