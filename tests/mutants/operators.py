"""What can be changed in a file: each change is a span of its text and what stands there instead.

Made from the syntax tree of the standard library. The mutators on PyPI leave out too much of this code: cosmic-ray's parser
(parso) does not know ``match``, mutmut changes nothing outside of functions, and neither takes single operands or entries away.

Left alone, because no test should look at it: annotations, docstrings, assertions, decorators, sentences (a text with
a space in it), ``__slots__``, ``__all__`` and what is imported for the type checker.
"""

import ast
import re

import attrs

KINDS = (
    "operand",
    "condition",
    "comparison",
    "arithmetic",
    "number",
    "flag",
    "text",
    "entry",
    "argument",
    "statement",
    "result",
)
_COMPARISONS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">="),
    ast.LtE: ("<", ">"),
    ast.Gt: (">=", "<="),
    ast.GtE: (">", "<"),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
}
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: r"is\s+not",
    ast.In: "in",
    ast.NotIn: r"not\s+in",
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
}
_OF_NO_EFFECT = (None, "repr", "slots")
"""Arguments that change nothing of what is done, and those that have no name."""
_OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_TYPES = {"Literal", "Annotated", "Callable", "Mapping", "Sequence", "cast", "TypeVar"}


@attrs.frozen(order=True)
class Change:
    """One way to change a text."""

    start: int
    """Where in its bytes, in UTF-8."""
    end: int
    instead: str
    kind: str


def changes_of(text: str) -> list[Change]:
    """Return every change that can be made in a module's text."""
    found = _Finder(text)
    found.visit(ast.parse(text))
    return sorted(set(found.changes))


class _Finder(ast.NodeVisitor):
    def __init__(self, text: str) -> None:
        self.changes: list[Change] = []
        self._bytes = text.encode()
        self._starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    # -- places -----------------------------------------------------------------------------------------------------

    def _start(self, node: ast.AST) -> int:
        return self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def _end(self, node: ast.AST) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def _text(self, node: ast.AST) -> str:
        return self._bytes[self._start(node) : self._end(node)].decode()

    def _replace(self, node: ast.AST, instead: str, kind: str) -> None:
        self.changes.append(Change(self._start(node), self._end(node), instead, kind))

    def _replace_between(self, left: ast.AST, right: ast.AST, sign: str, instead: str, kind: str) -> None:
        start = self._end(left)
        match = re.search(sign, self._bytes[start : self._start(right)].decode())
        if match is not None:
            self.changes.append(Change(start + match.start(), start + match.end(), instead, kind))

    # -- conditions -------------------------------------------------------------------------------------------------

    def _condition(self, test: ast.expr) -> None:
        self._replace(test, f"not ({self._text(test)})", "condition")
        if not isinstance(test, ast.NamedExpr) and not any(isinstance(one, ast.NamedExpr) for one in ast.walk(test)):
            self._replace(test, "True", "condition")
            self._replace(test, "False", "condition")

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._condition(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._condition(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self._condition(test)
        self.generic_visit(node)

    def visit_match_case(self, node: ast.match_case) -> None:
        if node.guard is not None:
            self._condition(node.guard)
        self.generic_visit(node)

    def visit_MatchOr(self, node: ast.MatchOr) -> None:
        self._without_each(node, node.patterns, " | ", "entry")

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        sign, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        self._without_each(node, node.values, f" {sign} ", "operand")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._replace_between(left, right, rf"\b{sign}\b", other, "operand")
        self.generic_visit(node)

    def _without_each(self, node: ast.AST, parts: list[ast.expr] | list[ast.pattern], sign: str, kind: str) -> None:
        for left_out in range(len(parts)):
            kept = [f"({self._text(part)})" for at, part in enumerate(parts) if at != left_out]
            self._replace(node, sign.join(kept), kind)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self._replace(node, f"bool({self._text(node.operand)})", "condition")
        elif isinstance(node.op, ast.USub):
            self._replace(node, self._text(node.operand), "arithmetic")
            return
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        operands = [node.left, *node.comparators]
        for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
            for instead in _COMPARISONS[type(operator)]:
                sign = (
                    rf"\b{_SIGNS[type(operator)]}\b" if instead.isalpha() or " " in instead else _SIGNS[type(operator)]
                )
                self._replace_between(left, right, sign, instead, "comparison")
        if len(node.ops) > 1:
            for left, operator, right in zip(operands, node.ops, operands[1:], strict=False):
                sign = _SIGNS[type(operator)].replace(r"\s+", " ")
                self._replace(node, f"{self._text(left)} {sign} {self._text(right)}", "operand")
        self.generic_visit(node)

    # -- values -----------------------------------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _ARITHMETIC:
            sign, instead = _ARITHMETIC[type(node.op)]
            self._replace_between(node.left, node.right, re.escape(sign), instead, "arithmetic")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._statement(node)
        if type(node.op) in _ARITHMETIC:
            sign, instead = _ARITHMETIC[type(node.op)]
            self._replace_between(node.target, node.value, re.escape(sign + "="), instead + "=", "arithmetic")
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        value = node.value
        if isinstance(value, bool):
            self._replace(node, str(not value), "flag")
        elif isinstance(value, int | float):
            self._replace(node, repr(value + 1), "number")
            self._replace(node, repr(value - 1), "number")
        elif isinstance(value, str) and " " not in value and "\n" not in value and node.lineno == node.end_lineno:
            self._replace(node, f'"XX" {self._text(node)}', "text")
        elif isinstance(value, bytes) and b" " not in value and node.lineno == node.end_lineno:
            self._replace(node, f'b"XX" {self._text(node)}', "text")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Left alone: before Python 3.12, what stands in it has no places."""

    def visit_Dict(self, node: ast.Dict) -> None:
        if len(node.values) > 1:
            pairs = list(zip(node.keys, node.values, strict=True))
            for left_out in range(len(pairs)):
                kept = [
                    f"**({self._text(value)})" if key is None else f"{self._text(key)}: {self._text(value)}"
                    for at, (key, value) in enumerate(pairs)
                    if at != left_out
                ]
                self._replace(node, f"{{{', '.join(kept)}}}", "entry")
        self.generic_visit(node)

    def _display(self, node: ast.Set | ast.List | ast.Tuple, left: str, right: str) -> None:
        loads = isinstance(node, ast.Set) or isinstance(node.ctx, ast.Load)
        if loads and len(node.elts) > 1 and self._bytes[self._start(node) : self._start(node) + 1].decode() == left:
            for left_out in range(len(node.elts)):
                kept = [self._text(one) for at, one in enumerate(node.elts) if at != left_out]
                self._replace(node, f"{left}{', '.join(kept)},{right}", "entry")
        self.generic_visit(node)

    def visit_Set(self, node: ast.Set) -> None:
        self._display(node, "{", "}")

    def visit_List(self, node: ast.List) -> None:
        self._display(node, "[", "]")

    def visit_Tuple(self, node: ast.Tuple) -> None:
        self._display(node, "(", ")")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if not (isinstance(node.value, ast.Name) and node.value.id in _TYPES):
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in _OPPOSITES:
            self._replace(node.func, _OPPOSITES[node.func.id], "comparison")
        if isinstance(node.func, ast.Name) and node.func.id in _TYPES:
            return
        parts = [self._text(one) for one in node.args]
        named = [self._text(one) for one in node.keywords]
        for left_out, keyword in enumerate(node.keywords):
            if keyword.arg not in _OF_NO_EFFECT:
                kept = parts + named[:left_out] + named[left_out + 1 :]
                self._replace(node, f"{self._text(node.func)}({', '.join(kept)})", "argument")
        self.generic_visit(node)

    # -- statements -------------------------------------------------------------------------------------------------

    def _statement(self, node: ast.stmt) -> None:
        self._replace(node, "pass", "statement")

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return
        self._statement(node)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(one, ast.Name) and one.id in {"__slots__", "__all__"} for one in node.targets):
            return
        if all(isinstance(one, ast.Attribute | ast.Subscript) for one in node.targets):
            self._statement(node)
        self.visit(node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self._statement(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._statement(node)
        self.generic_visit(node)

    def visit_Break(self, node: ast.Break) -> None:
        self._replace(node, "continue", "statement")

    def visit_Continue(self, node: ast.Continue) -> None:
        self._replace(node, "break", "statement")

    def visit_For(self, node: ast.For) -> None:
        self._replace(node.iter, "()", "result")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._statement(node)
            return
        if not (isinstance(node.value, ast.Constant) and not node.value.value):
            self._replace(node.value, "None", "result")
        self.visit(node.value)

    def visit_Assert(self, node: ast.Assert) -> None:
        """Left alone: it says what holds."""

    # -- definitions ------------------------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default is not None:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)
