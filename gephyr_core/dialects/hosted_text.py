"""What another provider's own tools did earlier in a conversation, told as text."""

from gephyr_core.conversation.parts import HostedCall, HostedResult
from gephyr_core.conversation.report import Report


def hosted_text(part: HostedCall | HostedResult, report: Report) -> str:
    """Tell what a provider's own tool was asked, or gave; empty for a result that says nothing (a list of tools).

    Only for a request's history: in a reply, a client would take it for the model's answer.
    """
    told = _call_text(part) if isinstance(part, HostedCall) else _result_text(part)
    if told:
        report.changed(part.path, "what the provider's own tool did is told as text")
    else:
        report.dropped(part.path, "what the provider's own tool gave has no text")
    return told


def _call_text(call: HostedCall) -> str:
    return f"[{call.name or call.kind}: {call.arguments}]"


def _result_text(result: HostedResult) -> str:
    found = [f"- {source.title or source.url} ({source.url})" for source in result.sources]
    lines = [*found, result.output] if result.output else found
    if not lines and not result.is_error:
        return ""
    return "\n".join([f"[result of {result.kind}{' (failed)' if result.is_error else ''}]", *lines])
