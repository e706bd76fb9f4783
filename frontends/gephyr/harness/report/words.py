"""Numbers as people read them."""

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"))


def seconds(value: float) -> str:
    """Say how long: ``0 s``, ``35 ms``, ``1.25 s``, ``42 s``, ``6 h 30 min``."""
    if value < 0.0005:
        return "0 s"
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 59.95:
        return f"{value:.{2 if value < 9.995 else 1}f}".rstrip("0").rstrip(".") + " s"
    whole = round(value)
    for index, (size, name) in enumerate(_UNITS):
        if whole >= size:
            count, rest = divmod(whole, int(size))
            below, unit = _UNITS[index + 1] if index + 1 < len(_UNITS) else (1.0, "s")
            more = rest // int(below)
            return f"{count} {name}" + (f" {more} {unit}" if more else "")
    return f"{whole} s"


def number(value: float) -> str:
    """Say how many: ``12,345``, from ten million on ``12.3 M``; fractions below a hundred with two digits."""
    if value >= 10_000_000_000:
        return f"{value / 1e9:,.1f} G"
    if value >= 10_000_000:
        return f"{value / 1e6:,.1f} M"
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}"


def share(part: float, whole: float = 1.0) -> str:
    """Say which share: ``97.2 %``; ``-`` of nothing. Only none is ``0 %``, and only all is ``100 %``."""
    if not whole:
        return "-"
    percent = 100.0 * part / whole
    if percent in (0.0, 100.0):
        return f"{percent:.0f} %"
    return f"{min(99.9, max(0.1, percent)):.1f} %" if 0.0 < percent < 100.0 else f"{percent:,.1f} %"


def label(name: str) -> str:
    """Say a name of the records as words: ``rate_limit (429)`` is ``rate limit (429)``."""
    return name.replace("_", " ")


def commonest(counts: dict[str, int], most: int = 4) -> str:
    """Say what there was most of: ``rate limit 150, unavailable 50, 3 other kinds 12``."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    said = [f"{label(name)} {number(count)}" for name, count in ordered[:most]]
    rest = ordered[most:]
    if rest:
        said.append(f"{len(rest)} other kinds {number(sum(count for _, count in rest))}")
    return ", ".join(said)


def columns(rows: list[list[str]], *, indent: str = "", left: int = 1) -> list[str]:
    """Align rows of cells: the first *left* columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        (
            indent
            + "  ".join(
                cell.ljust(width) if place < left else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in rows
    ]
