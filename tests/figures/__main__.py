"""The figures of the code's form, each with what it is to come to: ``python -m tests.figures [--list NAME]``"""

import argparse
import sys
from collections.abc import Sequence

from tests.figures.table import FIGURES, measured


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.figures", description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--list", choices=[figure.key for figure in FIGURES], help="print what is counted, too")
    options = parser.parse_args(arguments)
    rows = [(figure, measured(figure.key)) for figure in FIGURES]
    width = max(len(figure.what) for figure in FIGURES)
    for figure, value in rows:
        mark = "" if figure.target is None or value.count <= figure.target else "  not yet"
        target = "" if figure.target is None else f"at most {figure.target}"
        sys.stdout.write(f"{figure.key:<12} {figure.what:<{width}} {value.count:>7}  {target}{mark}\n")
    for figure, value in rows:
        if figure.key == options.list:
            sys.stdout.write("".join(f"{place}\n" for place in value.places))
    return 0


if __name__ == "__main__":
    sys.exit(main())
