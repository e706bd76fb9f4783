"""Where the product's code is, and the areas that it is judged by."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("gephyr_core", "frontends/gephyr")
AREAS: dict[str, tuple[str, ...]] = {
    "scheduling": ("gephyr_core/scheduling/", "gephyr_core/outbound/"),
    "exchange": ("gephyr_core/exchange/",),
    "dialects": (
        *("gephyr_core/dialects/", "gephyr_core/translation/"),
        *("gephyr_core/conversation/", "gephyr_core/providers/"),
    ),
    "server": ("frontends/gephyr/server/", "frontends/gephyr/runtime/", "frontends/gephyr/asgi/"),
    "rest": ("",),
}
"""Each with the folders that are its own; the last has what is left."""


def area_of(path: str) -> str:
    """Return the area that a file of the product belongs to."""
    return next(area for area, folders in AREAS.items() if path.startswith(folders))


def product_files() -> list[str]:
    """Return the files that can be changed."""
    found = (path for source in SOURCES for path in (ROOT / source).rglob("*.py"))
    return sorted(path.relative_to(ROOT).as_posix() for path in found)
