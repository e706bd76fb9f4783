"""Tools that a provider runs itself, where the destination does not have them.

Agents offer some in every request (Codex always sends ``web_search``) and can do without: such a tool is left out, as
long as there is another to call. It is refused where it is the only one, or the one that has to be called.
"""

import attrs

from gephyr_core.conversation.prompt import Choice, HostedTool, Native, Prompt, Tool, ToolChoice, called
from gephyr_core.conversation.report import Report, UntranslatableError
from gephyr_core.dialects.translator import Destination
from gephyr_core.translation.dialects import TRANSLATORS

_OF_NAMES = (Choice.NAMED, Choice.ALLOWED, Choice.REQUIRED_OF)


def with_what_is_there(prompt: Prompt, destination: Destination, report: Report) -> Prompt:
    """Return *prompt* without the hosted tools that *destination* lacks, and without what sets them up.

    Raises ``UntranslatableError`` for one that cannot be left out.
    """
    if prompt.dialect == destination.dialect:
        return prompt
    lacking = lacking_tools(prompt, destination)
    set_up = {path: native for path, native in prompt.native.items() if native.hosted and native.essential}
    if not lacking and not set_up:
        return prompt
    left = tuple(tool for place, tool in enumerate(prompt.tools) if place not in lacking)
    if destination.hosted_tools == "refuse" or not _can_do_without(prompt, left):
        raise _refusal(prompt, lacking, destination, report)
    for place, reason in lacking.items():
        report.dropped(prompt.tools[place].path, reason)
    native = {path: Native(one.value) if path in set_up else one for path, one in prompt.native.items()}
    return attrs.evolve(prompt, tools=left, tool_choice=_choice(prompt, left, report), native=native)


def lacking_tools(prompt: Prompt, destination: Destination) -> dict[int, str]:
    """Return the hosted tools that *destination* cannot be given: their places among those of *prompt*, and why."""
    hosted = {place: tool for place, tool in enumerate(prompt.tools) if isinstance(tool, HostedTool)}
    if not hosted:
        return {}
    translator, alone = TRANSLATORS[destination.dialect], len(hosted) == len(prompt.tools)
    reasons = {place: translator.lacks(tool, destination, alone=alone) for place, tool in hosted.items()}
    return {place: reason for place, reason in reasons.items() if reason}


def _can_do_without(prompt: Prompt, left: tuple[Tool, ...]) -> bool:
    """Whether there is still something to call of what the client lets be called, or nothing is to be called at all."""
    choice = prompt.tool_choice
    if choice is not None and choice.choice is Choice.NONE:
        return True
    if choice is None or choice.choice not in _OF_NAMES:
        return bool(left)
    names = {called(tool): None for tool in left}
    return any(name in names for name in choice.names) or not _named(prompt, choice)


def _named(prompt: Prompt, choice: ToolChoice) -> bool:
    """Whether the choice speaks of hosted tools."""
    names = dict.fromkeys(choice.names)
    return any(isinstance(tool, HostedTool) and called(tool) in names for tool in prompt.tools)


def _choice(prompt: Prompt, left: tuple[Tool, ...], report: Report) -> ToolChoice | None:
    """The choice among the tools that are left."""
    choice = prompt.tool_choice
    if choice is None or choice.choice not in _OF_NAMES or len(left) == len(prompt.tools):
        return choice
    there = {called(tool): None for tool in left}
    gone = {name: None for tool in prompt.tools if (name := called(tool)) not in there}
    names = tuple(name for name in choice.names if name not in gone)
    if len(names) == len(choice.names):
        return choice
    report.changed(choice.path, "it names a tool that is left out")
    return attrs.evolve(choice, names=names)


def _refusal(prompt: Prompt, lacking: dict[int, str], destination: Destination, report: Report) -> UntranslatableError:
    """The refusal of the tool that is at fault: the one that has to be called, else the first."""
    choice = prompt.tool_choice
    named = () if choice is None else choice.names
    places = sorted(lacking, key=lambda place: (called(prompt.tools[place]) not in named, place))
    if places:
        return report.refused(prompt.tools[places[0]].path, lacking[places[0]])
    path = next(path for path, native in prompt.native.items() if native.hosted and native.essential)
    return report.refused(path, f"is not available on provider {destination.provider!r}")
