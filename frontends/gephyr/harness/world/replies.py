"""What simulated providers answer, in four dialects: whole replies and streams, made from templates of bytes.

The text is short whatever the number of tokens: the usage tells how many there were.
"""

from collections.abc import Callable

import attrs

WORDS = b"The quick brown fox jumps over the lazy dog."
_DELTAS = (b"The quick brown fox", b" jumps over", b" the lazy dog.")


@attrs.frozen
class Spent:
    """The tokens of one reply."""

    input: int
    """All input, what the prompt cache held included."""
    cached: int
    written: int
    """What went into the prompt cache."""
    output: int


def _chat_usage(spent: Spent) -> bytes:
    return (
        b'{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,'
        b'"prompt_tokens_details":{"cached_tokens":%d,"audio_tokens":0},'
        b'"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0}}'
    ) % (spent.input, spent.output, spent.input + spent.output, spent.cached)


def _chat(serial: int, model: bytes, spent: Spent) -> bytes:
    return (
        b'{"id":"chatcmpl-%d","object":"chat.completion","created":1800000000,"model":"%b","choices":[{"index":0,'
        b'"message":{"role":"assistant","content":"%b","refusal":null},"logprobs":null,"finish_reason":"stop"}],'
        b'"usage":%b}'
    ) % (serial, model, WORDS, _chat_usage(spent))


def _chat_stream(serial: int, model: bytes, spent: Spent) -> tuple[bytes, ...]:
    head = (
        b'data: {"id":"chatcmpl-%d","object":"chat.completion.chunk","created":1800000000,"model":"%b","choices":['
        % (
            serial,
            model,
        )
    )
    opening = head + b'{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    deltas = [head + b'{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % text for text in _DELTAS]
    last = head + b'{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    return opening, *deltas, last + head + b'],"usage":%b}\n\ndata: [DONE]\n\n' % _chat_usage(spent)


def _anthropic_usage(spent: Spent, output: int) -> bytes:
    return b'{"input_tokens":%d,"cache_creation_input_tokens":%d,"cache_read_input_tokens":%d,"output_tokens":%d}' % (
        spent.input - spent.cached - spent.written,
        spent.written,
        spent.cached,
        output,
    )


def _anthropic(serial: int, model: bytes, spent: Spent) -> bytes:
    return (
        b'{"id":"msg_%d","type":"message","role":"assistant","model":"%b","content":[{"type":"text","text":"%b"}],'
        b'"stop_reason":"end_turn","stop_sequence":null,"usage":%b}'
    ) % (serial, model, WORDS, _anthropic_usage(spent, spent.output))


def _anthropic_stream(serial: int, model: bytes, spent: Spent) -> tuple[bytes, ...]:
    opening = (
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_%d","type":"message",'
        b'"role":"assistant","model":"%b","content":[],"stop_reason":null,"stop_sequence":null,"usage":%b}}\n\n'
        b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        b'"content_block":{"type":"text","text":""}}\n\n'
    ) % (serial, model, _anthropic_usage(spent, 1))
    end = (
        b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        b'"usage":{"output_tokens":%d}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    ) % spent.output
    return opening, *_ANTHROPIC_DELTAS, end


_ANTHROPIC_DELTAS = tuple(
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"%b"}}\n\n' % text
    for text in _DELTAS
)


def _gemini_chunk(model: bytes, text: bytes, end: bytes) -> bytes:
    return b'{"candidates":[{"content":{"parts":[{"text":"%b"}],"role":"model"},"index":0%b,"modelVersion":"%b"}' % (
        text,
        end,
        model,
    )


def _gemini_end(spent: Spent) -> bytes:
    return (
        b',"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d,'
        b'"totalTokenCount":%d,"cachedContentTokenCount":%d}'
    ) % (spent.input, spent.output, spent.input + spent.output, spent.cached)


def _gemini(_serial: int, model: bytes, spent: Spent) -> bytes:
    return _gemini_chunk(model, WORDS, _gemini_end(spent))


def _gemini_stream(_serial: int, model: bytes, spent: Spent) -> tuple[bytes, ...]:
    first = [b"data: " + _gemini_chunk(model, text, b"}]") + b"\r\n\r\n" for text in _DELTAS[:-1]]
    return *first, b"data: " + _gemini_chunk(model, _DELTAS[-1], _gemini_end(spent)) + b"\r\n\r\n"


def _response(serial: int, model: bytes, status: bytes, output: bytes, usage: bytes) -> bytes:
    return (
        b'{"id":"resp_%d","object":"response","created_at":1800000000,"status":"%b","error":null,'
        b'"incomplete_details":null,"instructions":null,"model":"%b","output":[%b],"parallel_tool_calls":true,'
        b'"tool_choice":"auto","tools":[],"store":false,"usage":%b}'
    ) % (serial, status, model, output, usage)


def _item(serial: int) -> bytes:
    return (
        b'{"id":"msg_%d","type":"message","status":"completed","role":"assistant",'
        b'"content":[{"type":"output_text","text":"%b","annotations":[],"logprobs":[]}]}'
    ) % (serial, WORDS)


def _response_usage(spent: Spent) -> bytes:
    return (
        b'{"input_tokens":%d,"input_tokens_details":{"cached_tokens":%d,"cache_write_tokens":0},"output_tokens":%d,'
        b'"output_tokens_details":{"reasoning_tokens":0},"total_tokens":%d}'
    ) % (spent.input, spent.cached, spent.output, spent.input + spent.output)


def _responses(serial: int, model: bytes, spent: Spent) -> bytes:
    return _response(serial, model, b"completed", _item(serial), _response_usage(spent))


def _responses_stream(serial: int, model: bytes, spent: Spent) -> tuple[bytes, ...]:
    begun = _response(serial, model, b"in_progress", b"", b"null")
    place = b'"item_id":"msg_%d","output_index":0,"content_index":0,' % serial
    bare = b'{"id":"msg_%d","type":"message","status":"in_progress","role":"assistant","content":[]}' % serial
    empty = b'"part":{"type":"output_text","text":"","annotations":[],"logprobs":[]}'
    full = b'"part":{"type":"output_text","text":"%b","annotations":[],"logprobs":[]}' % WORDS
    opening = (
        _event(0, b"created", b'"response":' + begun)
        + _event(1, b"in_progress", b'"response":' + begun)
        + _event(2, b"output_item.added", b'"output_index":0,"item":' + bare)
        + _event(3, b"content_part.added", place + empty)
    )
    deltas = [
        _event(4 + number, b"output_text.delta", place + b'"delta":"%b","logprobs":[]' % text)
        for number, text in enumerate(_DELTAS)
    ]
    end = (
        _event(7, b"output_text.done", place + b'"text":"%b","logprobs":[]' % WORDS)
        + _event(8, b"content_part.done", place + full)
        + _event(9, b"output_item.done", b'"output_index":0,"item":' + _item(serial))
        + _event(10, b"completed", b'"response":' + _responses(serial, model, spent))
    )
    return opening, *deltas, end


def _event(number: int, name: bytes, rest: bytes) -> bytes:
    line = b'event: response.%b\ndata: {"type":"response.%b","sequence_number":%d,%b}\n\n'
    return line % (name, name, number, rest)


Whole = Callable[[int, bytes, Spent], bytes]
Stream = Callable[[int, bytes, Spent], tuple[bytes, ...]]
REPLIES: dict[str, tuple[Whole, Stream]] = {
    "openai-chat": (_chat, _chat_stream),
    "anthropic": (_anthropic, _anthropic_stream),
    "gemini": (_gemini, _gemini_stream),
    "openai-responses": (_responses, _responses_stream),
}
"""By dialect: how a whole reply is made of a serial number, the model and the tokens, and how a stream's pieces are."""
