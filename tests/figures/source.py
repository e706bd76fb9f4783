"""Figures that the source text shows: sizes, asserts, types that say nothing, dialects known by name, circles."""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE, FRONTENDS = ROOT / "gephyr_core", ROOT / "frontends"
DIALECTS = ("anthropic", "gemini", "openai-chat", "openai-completions", "openai-responses")
"""Their names, as the core's registry has them."""
Finding = Callable[[ast.Module], Iterable[ast.AST]]
Places = list[str]
"""``FILE:LINE`` of each thing that was counted."""


def python_files(*folders: Path) -> dict[Path, str]:
    """The files below some folders with their text, by their path in the repository."""
    paths = sorted(path for folder in folders for path in folder.rglob("*.py"))
    return {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in paths}


def below(sources: Mapping[Path, str], folder: str) -> dict[Path, str]:
    """Those in a folder."""
    return {path: text for path, text in sources.items() if path.is_relative_to(folder)}


def lines(sources: Mapping[Path, str]) -> int:
    """Lines, with comments and blank ones."""
    return sum(text.count("\n") for text in sources.values())


def asserts(sources: Mapping[Path, str]) -> Places:
    """The ``assert`` statements."""
    return _places(sources, lambda tree: (node for node in ast.walk(tree) if isinstance(node, ast.Assert)))


def anys(sources: Mapping[Path, str]) -> Places:
    """Where ``Any`` is written, its imports left out."""
    return _places(sources, lambda tree: (node for node in ast.walk(tree) if _name(node) == "Any"))


def literal_dialects(sources: Mapping[Path, str]) -> Places:
    """Where a dialect's name stands as a text, outside ``dialects/`` and docstrings."""
    outside = {path: text for path, text in sources.items() if "dialects" not in path.parts}
    return _places(outside, lambda tree: (node for node in ast.walk(tree) if _is_literal_name(node)))


def dialect_branches(sources: Mapping[Path, str]) -> Places:
    """Comparisons of a dialect with one that is named: by a constant (``prompt.dialect == NAME``) or by a text."""
    return _places(sources, lambda tree: (node for node in ast.walk(tree) if _is_branch(node)))


def _is_branch(node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    if any(map(_is_literal_name, sides)):
        return True
    return any(map(_is_dialect, sides)) and any(map(_is_named, sides))


def _is_dialect(node: ast.expr) -> bool:
    """``dialect``, ``prompt.dialect``, ``self.dialect.name``."""
    return ast.unparse(node).removesuffix(".name").endswith("dialect")


def _is_named(node: ast.expr) -> bool:
    """Some of the names, or a constant."""
    if isinstance(node, ast.Set | ast.Tuple | ast.List):
        return any(map(_is_literal_name, node.elts))
    return re.fullmatch(r"_?[A-Z][A-Z_]*", ast.unparse(node)) is not None


def _is_literal_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in DIALECTS


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _places(sources: Mapping[Path, str], find: Finding) -> Places:
    found = []
    for path, text in sources.items():
        found += sorted(f"{path.as_posix()}:{getattr(node, 'lineno', 0):04}" for node in find(ast.parse(text)))
    return found


# -- circles ----------------------------------------------------------------------------------------------------------


def circles(sources: Mapping[Path, str]) -> list[list[str]]:
    """Groups of modules that import each other, for types only or not, each in the order of names."""
    modules = {_module(path): ast.parse(text) for path, text in sources.items()}
    needs = {name: sorted({*_imported(tree, modules)} - {name}) for name, tree in modules.items()}
    return [sorted(group) for group in _knots(needs) if len(group) > 1]


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _imported(tree: ast.Module, modules: Iterable[str]) -> Iterator[str]:
    known = {*modules}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in known or node.module in known:
                    yield inner if inner in known else node.module


def _knots(needs: Mapping[str, list[str]]) -> list[list[str]]:
    """The strongly connected components, by Tarjan's algorithm, without recursion."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    path: dict[str, None] = {}
    found: list[list[str]] = []
    for root in needs:
        work = [] if root in order else [(root, iter(needs[root]))]
        while work:
            name, rest = work[-1]
            if name not in order:
                order[name] = low[name] = len(order)
                path[name] = None
            following = next((one for one in rest if one not in order or one in path), None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[name])
                if low[name] == order[name]:
                    members = [*path][[*path].index(name) :]
                    found.append(members)
                    for member in members:
                        del path[member]
            elif following in order:
                low[name] = min(low[name], order[following])
            else:
                work.append((following, iter(needs[following])))
    return found
