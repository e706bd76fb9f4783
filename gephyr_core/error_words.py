"""What a provider's 400 means where only its code or its words say it: every provider has its own.

The words were collected from recorded replies, the providers' documents and the sources of the servers that are run
at home (vLLM, llama.cpp, Ollama, TGI).
"""

import re
from collections.abc import Iterable

from gephyr_core.errors import ErrorKind

_CODES = {
    "context_length_exceeded": ErrorKind.CONTEXT_TOO_LONG,
    "exceed_context_size_error": ErrorKind.CONTEXT_TOO_LONG,  # llama.cpp
    "content_filter": ErrorKind.CONTENT_POLICY,  # Azure
    "ResponsibleAIPolicyViolation": ErrorKind.CONTENT_POLICY,  # Azure, as the inner error
    "content_policy_violation": ErrorKind.CONTENT_POLICY,
    "image_content_policy_violation": ErrorKind.CONTENT_POLICY,
    "bio_policy": ErrorKind.CONTENT_POLICY,
    "cyber_policy": ErrorKind.CONTENT_POLICY,
    "misalignment_policy_violation": ErrorKind.CONTENT_POLICY,
    "moderation_blocked": ErrorKind.CONTENT_POLICY,
}

_CONTEXT = re.compile(
    r"(?:prompt|input) is too long"  # Anthropic, Bedrock
    r"|exceeds? (?:the )?context limit"  # Anthropic: input and max_tokens together
    r"|prompt too long; exceeded max context length"  # Ollama
    r"|exceeds? the context window"  # OpenAI
    r"|maximum context length"  # OpenAI, DeepSeek, OpenRouter, Mistral, vLLM
    r"|input tokens exceed the configured limit"  # OpenAI
    r"|input token count.{0,40} exceeds the maximum"  # Gemini
    r"|exceeds the available context size"  # llama.cpp
    r"|maximum prompt length is \d"  # xAI
    r"|reduce the length of the (?:messages|prompt|input)"  # Groq, vLLM
    r"|too many tokens: size limit exceeded"  # Cohere
    r"|`inputs` tokens \+ `max_new_tokens` must be",  # TGI, Together
    re.IGNORECASE,
)
_POLICY = re.compile(
    r"content management policy"  # Azure
    r"|blocked by (?:our )?content (?:filter|policy|moderation)"  # Anthropic
    r"|violat\w+ (?:our|the|\w+'s)? ?(?:usage|content|safety|responsible ai) (?:polic|guideline|practice)"
    r"|(?:flagged|rejected) (?:as|by|as a result of) (?:\w+ ){0,3}(?:violating|moderation|safety system)"  # OpenAI
    r"|^content exists risk",  # DeepSeek
    re.IGNORECASE,
)


def kind_of_words(message: str, codes: Iterable[str] = ()) -> ErrorKind | None:
    """Return the kind that a bad request's machine-readable *codes*, or else its *message*, tell of.

    None where they tell of none: then it is a bad request like any other.
    """
    for code in codes:
        if code in _CODES:
            return _CODES[code]
    if _CONTEXT.search(message):
        return ErrorKind.CONTEXT_TOO_LONG
    return ErrorKind.CONTENT_POLICY if _POLICY.search(message) else None
