"""Does the gateway still do what it did? ``python -m tests.nets record FOLDER``, then ``... compare FOLDER``

``record`` writes down what the gateway makes of every recorded request and reply and of the example scenarios,
``compare`` does it all again and tells what differs. Ends with 1 if anything does, with 2 if there is nothing to compare
with. ``docs/architecture.md`` says what is caught, and what for.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

SELECTED = "selection"
_REQUESTS = {True: 20_000, False: 6_000}
"""Requests after which a scenario is cut short: with the whole corpus, and with the selection."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit status."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.selection:
        os.environ["GEPHYR_RECORDINGS"] = SELECTED  # before the recordings are looked for
    return _record(options) if options.what == "record" else _compare(options)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.nets", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("folder", type=Path, help="where the recording is kept")
    parser.add_argument(
        "--selection", action="store_true", help="only the repository's recordings, not the whole corpus"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NET", help="requests, replies, kept or scenarios"
    )
    parser.add_argument(
        "--match", default="", metavar="TEXT", help="only recordings and scenarios whose name holds TEXT"
    )
    parser.add_argument("--most", type=int, metavar="N", help="only so many recordings, taken evenly")
    parser.add_argument("--requests", type=int, metavar="N", help="requests after which a scenario is cut short")
    parser.add_argument("--swarm", type=int, metavar="N", help="scenarios combined at random")
    parser.add_argument("--traces-may-differ", action="store_true", help="a trace that differs alone is no failure")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    return parser.parse_args(arguments)


def _record(options: argparse.Namespace) -> int:
    from tests.nets.catching import KINDS, Catch, catch
    from tests.nets.store import Store
    from tests.recordings import traffic

    store = Store(options.folder)
    if store.about():
        _say(f"{options.folder} holds a recording already: compare with it, or remove it first")
        return 2
    requests = options.requests or _REQUESTS[traffic.IS_WHOLE]
    wanted = Catch(
        nets=tuple(options.only) or KINDS,
        match=options.match,
        requests=requests,
        swarm=options.swarm if options.swarm is not None else Catch().swarm,
        most=options.most,
        workers=options.workers,
    )
    for row in catch(wanted, _say):
        store.add(row)
    recordings = "whole" if traffic.IS_WHOLE else SELECTED
    most = "" if wanted.most is None else wanted.most
    nets = " ".join(wanted.nets)
    store.keep(recordings=recordings, requests=requests, swarm=wanted.swarm, most=most, match=wanted.match, nets=nets)
    _say(f"recorded {len(store)} rows of the {recordings} recordings")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from tests.nets.catching import Catch, catch
    from tests.nets.comparing import compare
    from tests.nets.store import Store
    from tests.recordings import traffic

    store = Store(options.folder)
    about = store.about()
    if not about:
        _say(f"{options.folder} holds no whole recording")
        return 2
    recordings = "whole" if traffic.IS_WHOLE else SELECTED
    if about["recordings"] != recordings:
        _say(f"{options.folder} was recorded of the {about['recordings']} recordings, here are the {recordings} ones")
        return 2
    nets = about["nets"].split()
    wanted = Catch(
        nets=tuple(net for net in nets if not options.only or net in options.only),
        match=about["match"],
        only=options.match,
        requests=options.requests or int(about["requests"]),
        swarm=options.swarm if options.swarm is not None else int(about["swarm"]),
        most=int(about["most"]) if about["most"] else None,
        workers=options.workers,
    )
    found = compare(store, catch(wanted, _say), wanted.wants, _say)
    _say("")
    for line in found.verdict():
        _say(line)
    return int(not found.is_equal(traces_may_differ=options.traces_may_differ))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
