"""The providers Gephyr knows by name."""

import attrs

from gephyr_core.providers.vertex import GLOBAL, vertex_base_url


@attrs.frozen
class AuthScheme:
    """How a credential is put on the wire."""

    header: bytes
    prefix: bytes = b""


BEARER = AuthScheme(b"authorization", b"Bearer ")


@attrs.frozen
class Provider:
    """One provider's API. Sources: each provider's own API reference."""

    name: str
    base_url: str | None
    """Origin and path before the API's own paths; None where every customer has an own one."""
    dialects: tuple[str, ...]
    """The dialects its endpoint speaks itself."""
    auth: AuthScheme = BEARER
    translated_to: str = ""
    """The dialect in which it is asked on behalf of clients that speak none of its own; empty: the first."""
    stored_prompts: bool = False
    """It may keep prompts that a Responses request names instead of a model (OpenAI's ``prompt``)."""
    many_makers: bool = False
    """It serves models of several makers, by names with a slash (``openai/gpt-oss-120b``)."""
    limits_per_model: bool = False
    """Its rate limits are each for one model, as its documents say; else all that an account asks for counts
    together."""

    signs_chat: bool = True
    """Its Chat Completions may hold signed reasoning, in fields that OpenAI's do not have."""

    @property
    def translation_dialect(self) -> str:
        """The dialect of translated requests: where there is a choice, the one that carries most."""
        return self.translated_to or self.dialects[0]


_CHAT = ("openai-chat", "openai-completions")
_RESPONSES = "openai-responses"
_OPENAI = (*_CHAT, _RESPONSES)

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider(
            "openai",
            "https://api.openai.com",
            _OPENAI,
            translated_to=_RESPONSES,
            stored_prompts=True,
            limits_per_model=True,
            signs_chat=False,
        ),
        Provider(
            "anthropic", "https://api.anthropic.com", ("anthropic",), AuthScheme(b"x-api-key"), limits_per_model=True
        ),
        Provider(
            "gemini",
            "https://generativelanguage.googleapis.com",
            ("gemini",),
            AuthScheme(b"x-goog-api-key"),
            limits_per_model=True,
        ),
        Provider("vertex", vertex_base_url(GLOBAL), ("gemini",), limits_per_model=True),
        Provider(
            "azure",
            None,
            _OPENAI,
            AuthScheme(b"api-key"),
            translated_to=_RESPONSES,
            stored_prompts=True,
            limits_per_model=True,
        ),
        Provider("openrouter", "https://openrouter.ai/api", (*_OPENAI, "anthropic"), many_makers=True),
        Provider(
            "groq",
            "https://api.groq.com/openai",
            ("openai-chat", _RESPONSES),
            many_makers=True,
            limits_per_model=True,
        ),
        Provider("mistral", "https://api.mistral.ai", ("openai-chat",), limits_per_model=True),
        Provider("deepseek", "https://api.deepseek.com", _CHAT),
        Provider("xai", "https://api.x.ai", ("openai-chat", _RESPONSES), limits_per_model=True),
        Provider("together", "https://api.together.xyz", _CHAT, many_makers=True, limits_per_model=True),
        Provider("fireworks", "https://api.fireworks.ai/inference", _OPENAI, many_makers=True),
        Provider("openai-compatible", None, _OPENAI, stored_prompts=True, many_makers=True),
    )
}
