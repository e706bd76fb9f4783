"""Legacy Completions to the neutral model: clients only, no provider is asked in it."""

from typing import Any

from gephyr_core.conversation.prompt import Prompt
from gephyr_core.conversation.reply import Reply
from gephyr_core.conversation.report import Report
from gephyr_core.dialects.openai_completions.reply import CompletionsDeltaWriter, write_reply
from gephyr_core.dialects.openai_completions.request_reading import NAME, read_request
from gephyr_core.dialects.rendering import encode_json
from gephyr_core.dialects.translator import DeltaWriter, ReplyContext


class CompletionsTranslator:
    """See :class:`gephyr_core.dialects.translator.ClientTranslator`."""

    name = NAME

    def read_request(self, body: dict[str, Any], report: Report, *, model: str, stream: bool) -> Prompt:
        """Read a client's request."""
        return read_request(body, report, model=model, stream=stream)

    def write_reply(self, reply: Reply, context: ReplyContext) -> bytes:
        """Write a whole reply."""
        return write_reply(reply, context)

    def delta_writer(self, context: ReplyContext) -> DeltaWriter:
        """Return a writer for one client's stream."""
        return CompletionsDeltaWriter(context)

    def write_count_reply(self, tokens: int) -> bytes:
        """Write a count as OpenAI's own counting endpoint does; no client of this dialect asks for one."""
        return encode_json({"object": "response.input_tokens", "input_tokens": tokens})
