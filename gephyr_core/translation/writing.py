"""A prompt written for a destination: fitted to what is there, then in the destination's dialect."""

import attrs

from gephyr_core.conversation.prompt import Prompt
from gephyr_core.conversation.report import Report
from gephyr_core.conversation.schema import inlined
from gephyr_core.dialects.translator import Destination, StandIn, Written
from gephyr_core.translation.dialects import TRANSLATORS
from gephyr_core.translation.forced_calls import possible_calls, with_stand_in
from gephyr_core.translation.hosted_tools import with_what_is_there
from gephyr_core.translation.tool_search import with_loaded_tools


def write_prompt(prompt: Prompt, destination: Destination, report: Report) -> Written:
    """Write a request. Raises ``UntranslatableError`` for what cannot be said there."""
    fitted, stand_in = _fitted(prompt, destination, report)
    written = TRANSLATORS[destination.dialect].write_request(fitted, destination, report)
    return with_stand_in(written, stand_in)


def write_count(prompt: Prompt, destination: Destination, report: Report) -> Written | None:
    """Write a request that counts the prompt's tokens; None where the dialect cannot ask. Raises what
    :func:`write_prompt` does."""
    fitted, _ = _fitted(prompt, destination, report)
    return TRANSLATORS[destination.dialect].write_count(fitted, destination, report)


def _fitted(prompt: Prompt, destination: Destination, report: Report) -> tuple[Prompt, StandIn | None]:
    prompt = with_what_is_there(with_loaded_tools(prompt, destination, report), destination, report)
    output = prompt.output
    if output is not None and output.schema is not None and "$ref" in output.schema:
        # What is at the root decides how it can be asked for, and references lead nowhere inside another schema.
        schema = inlined(output.schema, report, output.path)
        prompt = attrs.evolve(prompt, output=attrs.evolve(output, schema=schema))
    return possible_calls(prompt, destination, report)
