"""The core is pure and deterministic, and imports only ever point down (decision 21)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "gephyr_core"
FRONTENDS = ROOT / "frontends"

PURE = (
    *("attrs", "cattrs", "msgspec", "zstandard", "zlib", "json", "re", "enum", "math", "hashlib", "hmac", "ipaddress"),
    *("urllib.parse", "datetime", "fnmatch", "collections", "typing", "heapq", "itertools", "functools", "random"),
    *("difflib", "types", "operator", "contextlib", "bisect", "string", "base64", "unicodedata"),
)
"""What the core may import: no I/O, no clock, no chance of their own (``random`` only for the type of what is given
to the gateway). ``datetime`` and ``json`` are functions of their arguments as the core uses them, see BANNED."""

FLOORS: tuple[tuple[str, ...], ...] = (
    ("config", "model_names", "addresses", "surrogates"),
    (
        "http",
        "sse",
        "json_array",
        "raw_json",
        "reply_form",
        "errors",
        "error_words",
        "records",
        "faults",
        "events",
        "commands",
        "dates",
        "content_coding",
    ),
    ("envelope", "conversation", "computing"),
    ("dialects", "providers", "routing"),
    ("scheduling", "outbound", "guards", "pins", "forwarding", "catalog", "monitor", "translation"),
    ("shared",),
    ("exchange", "operations"),
    ("gateway",),
)
"""The core's packages and modules, low to high: an import points to a lower floor, or stays on its own."""

FRONTEND_FLOORS: tuple[tuple[str, ...], ...] = (
    ("runtime",),
    ("server", "asgi", "harness"),
    ("cli", "testing"),
    ("pytest_plugin",),
)

BANNED_NAMES = ("hash", "id", "open", "print", "input", "exec", "eval", "globals", "__import__", "breakpoint")
"""Built-ins that differ from run to run, or touch the world."""

BANNED_ATTRIBUTES = {
    "datetime": ("now", "utcnow", "today", "fromtimestamp", "utcfromtimestamp"),
    "date": ("today", "fromtimestamp"),
    "math": ("exp", "log", "pow", "log2", "log10", "sin", "cos", "tan", "fsum"),
    "random": ("*",),
}
"""What reads a clock or the local time zone, differs between math libraries, or draws from the global source.
Of ``random``, only the class ``Random`` may be named, to say the type of what is given."""

SETS = ("set[", "frozenset[", "AbstractSet[")
"""How an annotation says that something is a set."""


def modules(*folders: Path) -> list[Path]:
    """The Python files below *folders*, in a fixed order."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def name_of(path: Path) -> str:
    """A file's module name."""
    base = FRONTENDS if path.is_relative_to(FRONTENDS) else ROOT
    return ".".join(path.relative_to(base).with_suffix("").parts).removesuffix(".__init__")


def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


FILES = {name_of(path): path for path in modules(CORE, FRONTENDS / "gephyr")}
TREES = {name: parsed(path) for name, path in FILES.items()}


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Every module that *module* names in an import, with its line; functions' own imports included."""
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute"
            assert node.module is not None
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner if inner in FILES else node.module), node.lineno


def core_modules() -> list[str]:
    """The names of the core's modules."""
    return [name for name in FILES if name.split(".")[0] == "gephyr_core"]


# -- imports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", core_modules())
def test_the_core_imports_only_what_is_pure(module: str) -> None:
    """Direct imports: what attrs and cattrs load for themselves (``threading``, ``pathlib``) the core never sees."""
    strange = [
        f"{module}:{line}: {name}"
        for name, line in imports(module)
        if not name.startswith("gephyr_core") and not any(name == pure or name.startswith(pure + ".") for pure in PURE)
    ]
    assert strange == []


@pytest.mark.parametrize("module", core_modules())
def test_the_core_takes_only_the_type_of_chance(module: str) -> None:
    taken = [
        alias.name
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom) and node.module == "random"
        for alias in node.names
    ]
    assert set(taken) <= {"Random"}


def floor_of(module: str) -> int | None:
    """The height of one of our modules; None for a package's root and what is not ours."""
    parts = module.split(".")
    if len(parts) == 1 or parts[0] not in {"gephyr", "gephyr_core"}:
        return None
    if parts[0] == "gephyr_core":
        floors, offset = FLOORS, 0
    else:
        floors, offset = FRONTEND_FLOORS, len(FLOORS)
    for height, names in enumerate(floors):
        if parts[1] in names:
            return height + offset
    raise AssertionError(f"{module} stands on no floor: say in FLOORS where it belongs")


@pytest.mark.parametrize("module", FILES)
def test_an_import_only_ever_points_down(module: str) -> None:
    here = floor_of(module)
    if here is None:
        assert [name for name, _ in imports(module) if floor_of(name)] == []
        return
    upwards = []
    for name, line in imports(module):
        there = floor_of(name)
        if there is not None and there > here:
            upwards.append(f"{module}:{line}: {name} is above")
    assert upwards == []


def test_no_imports_go_round_in_a_circle() -> None:
    """Nor do those that name a type alone: what cannot be understood without the other is one thing in two files."""
    needs = {name: dict.fromkeys(found for found, _ in imports(name) if found in FILES) for name in FILES}
    done: dict[str, None] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for needed in needs[name]:
                visit(needed, (*path, name))
            done[name] = None

    for name in FILES:
        visit(name, ())


@pytest.mark.parametrize("module", [name for name, path in FILES.items() if path.name == "__init__.py"])
def test_a_package_only_hands_on_its_public_names(module: str) -> None:
    """A docstring, imports, ``__all__``; a table of what is handed on, or the version, where there is one."""
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    rest = [
        node
        for node in TREES[module].body
        if not isinstance(node, allowed) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    ]
    assert [f"{module}:{node.lineno}" for node in rest] == []


# -- calls ----------------------------------------------------------------------------------------------------------


def impure(tree: ast.AST) -> Iterator[str]:
    """What in a piece of the core reads the world, or differs from run to run; each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in BANNED_NAMES:
            yield f"{node.lineno}: {node.id}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            banned = BANNED_ATTRIBUTES.get(node.value.id, ())
            if node.attr in banned or ("*" in banned and node.attr != "Random"):
                yield f"{node.lineno}: {node.value.id}.{node.attr}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"random.Random", "Random"}:
            yield f"{node.lineno}: makes a source of chance of its own"
        yield from (f"{what.lineno}: the order of a set" for what in iterated(node) if is_set(what, tree))


def iterated(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions whose order a node depends on."""
    if isinstance(node, ast.For | ast.comprehension):
        yield node.iter
    elif isinstance(node, ast.Starred):
        yield node.value
    elif isinstance(node, ast.Call) and node.args:
        function = ast.unparse(node.func)
        in_order = ("list", "tuple", "enumerate", "iter", "map", "filter", "zip", "dict.fromkeys", "next", "sum")
        if function in in_order or function.endswith((".join", ".extend")):
            yield from (argument for argument in node.args if not isinstance(argument, ast.Starred))


def is_set(node: ast.expr, tree: ast.AST) -> bool:
    """Whether an expression is a set as far as its own module shows: written as one, or a name bound to one."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in {"set", "frozenset"}
    if isinstance(node, ast.BinOp):
        return is_set(node.left, tree) or is_set(node.right, tree)
    if not isinstance(node, ast.Name | ast.Attribute):
        return False
    return any(ast.unparse(target) == ast.unparse(node) for target in names_of_sets(tree))


def names_of_sets(tree: ast.AST) -> Iterator[ast.expr]:
    """The names and attributes that are bound to a set, or said to be one, anywhere in a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).startswith(SETS):
            yield node.target
        elif isinstance(node, ast.Assign) and not isinstance(node.value, ast.Name | ast.Attribute):
            if is_set(node.value, ast.Module([], [])):
                yield from node.targets
        elif isinstance(node, ast.arg) and node.annotation and ast.unparse(node.annotation).startswith(SETS):
            yield ast.Name(node.arg)


@pytest.mark.parametrize("module", core_modules())
def test_the_core_reads_no_clock_no_chance_and_no_order_of_a_set(module: str) -> None:
    assert [f"{module}:{found}" for found in impure(TREES[module])] == []


SUMS_OF_INTEGERS = ("gephyr_core.dialects.decoding", "gephyr_core.dialects.gemini.schema")
"""Where ``sum`` adds counts. Of floats, Python 3.12 gives another sum than 3.11."""


def test_nothing_but_counts_is_summed() -> None:
    summing = [
        module
        for module in core_modules()
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.Name) and node.id == "sum"
    ]
    assert sorted(set(summing)) == sorted(SUMS_OF_INTEGERS)


WRITING = {
    "cooldowns": ("state", "suspect", "probe", "succeeded", "restore", "clear_estimates", "forget", "clear"),
    "requests": ("add", "take_over"),
    "tokens": ("add", "take_over", "settle"),
    "remaining": ("clear", "pop", "learn", "claim"),
    "organization": ("remaining_of",),
    "bindings": ("bind", "release", "release_account", "restore"),
}
"""What the ledger keeps, by the name under which a view or the ledger has it, with the methods that change it."""
KEPT = ("in_flight", "last_claim", "most_in_flight", "per_model")
"""Fields of a view that hold numbers and flags."""


def bookings(tree: ast.AST) -> Iterator[str]:
    """Where a piece of the core writes what the ledger keeps; each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            of = node.func.value
            name = of.attr if isinstance(of, ast.Attribute) else ""
            if node.func.attr in WRITING.get(name, ()):
                yield f"{node.lineno}: {ast.unparse(node.func)}"
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr in KEPT:
                yield f"{node.lineno}: {ast.unparse(target)}"


def test_only_the_ledger_writes_windows_places_cooldowns_quotas_and_bindings() -> None:
    """So a ledger that several processes share can stand in its place."""
    beside = ("gephyr_core.outbound.proxy_pool",)  # counts the calls of proxies
    writing = [module for module in core_modules() if module not in beside and list(bookings(TREES[module]))]
    assert writing == ["gephyr_core.scheduling.ledger", "gephyr_core.scheduling.views"]


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now()",
        "datetime.now(UTC)",
        "date.today()",
        "datetime.fromtimestamp(1)",
        "random.random()",
        "random.choice(x)",
        "random.Random()",
        "Random(1)",
        "hash(x)",
        "sorted(x, key=hash)",
        "sorted(x, key=id)",
        "open('x')",
        "print(1)",
        "math.exp(1)",
        "for x in {1, 2}: pass",
        "[x for x in set(y)]",
        "names = {1, 2}\nlist(names)",
        "names = frozenset(x) | {b'y'}\n[*names]",
        "b', '.join({b'x'})",
        "def f(names: set[str]): return tuple(names)",
        "class A:\n    def __init__(self): self.names = set()\n    def f(self): return [x for x in self.names]",
        "class A:\n    names: set[str]\n    def f(self): return list(names)",
    ],
)
def test_the_rule_sees_what_it_forbids(source: str) -> None:
    assert list(impure(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "datetime(2025, 1, 1, tzinfo=UTC)",
        "def f(rng: random.Random): return rng.random()",
        "x in {1, 2}",
        "names = frozenset({1})\nx in names",
        "for x in {1: 2}: pass",
        "sorted({1, 2})",
        "len(set(x))",
        "_A = frozenset({1})\n_B = _A | {2}\ny in _B",
        "self.random.getrandbits(96)",
    ],
)
def test_the_rule_lets_pass_what_is_the_same_everywhere(source: str) -> None:
    assert list(impure(ast.parse(source))) == []
