"""What a sabotage is, and how it is done to a tree: by symbol and syntax, so that a file may move and lines may be laid
out anew."""

import ast
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PACKAGE_FOLDERS = {"billing_client": "clients/python"}
"""Where packages lie that are not at the top of the tree."""


class StaleSabotageError(Exception):
    """What is to be replaced is not there exactly once: the code has moved on, and the sabotage must follow."""


class Sabotage(NamedTuple):
    """One defect in Python code, put in on purpose. At least one of `tests` must fail with it; all of them pass without
    it."""

    name: str
    promise: str
    """The promise that it breaks."""
    place: str
    """`module:symbol`: a function, class, method or constant, nested ones with dots; the module alone for all of it."""
    code: str
    """One expression, or statements that follow each other. Exactly once in the symbol, whatever its layout."""
    replacement: str
    """The same kind of code. Empty: the statements are left out."""
    tests: tuple[str, ...]
    """Node ids under tests/, whole parametrisations or single cases."""

    @property
    def path(self) -> str:
        module = self.place.partition(":")[0]
        package = module.partition(".")[0]
        folder = PACKAGE_FOLDERS.get(package)
        return "/".join(filter(None, (folder, *module.split(".")))) + ".py"

    def sabotaged(self, root: Path) -> str:
        """The file's text with the defect in it. Raises StaleSabotageError."""
        path = root / self.path
        if not path.is_file():
            raise StaleSabotageError(f"{self.name}: there is no {self.path}")
        source = path.read_text(encoding="utf-8")
        symbol = find_symbol(ast.parse(source), self.place.partition(":")[2])
        if symbol is None:
            raise StaleSabotageError(f"{self.name}: {self.place} is not there")
        found = occurrences(symbol, parsed(self.code, self.replacement))
        if len(found) != 1:
            raise StaleSabotageError(f"{self.name}: the code is {len(found)} times in {self.place}")
        return replaced(source, found[0], self.replacement)


class TextSabotage(NamedTuple):
    """One defect in a file of another language: a text that is in it exactly once."""

    name: str
    promise: str
    path: str
    text: str
    replacement: str
    tests: tuple[str, ...]

    def sabotaged(self, root: Path) -> str:
        """The file's text with the defect in it. Raises StaleSabotageError."""
        source = (root / self.path).read_text(encoding="utf-8")
        found = source.count(self.text)
        if found != 1:
            raise StaleSabotageError(f"{self.name}: the text is {found} times in {self.path}")
        return source.replace(self.text, self.replacement)


Nodes = Sequence[ast.AST]
"""One expression, or statements that follow each other."""


def parsed(code: str, replacement: str) -> Nodes:
    """The nodes of a piece of code: one expression where another takes its place, else statements."""
    try:
        ast.parse(replacement.strip(), mode="eval")
        return [ast.parse(textwrap.dedent(code).strip(), mode="eval").body]
    except SyntaxError:
        return ast.parse(textwrap.dedent(code)).body


def find_symbol(tree: ast.AST, name: str) -> ast.AST | None:
    """The node of a dotted name; the tree itself for an empty one."""
    for part in filter(None, name.split(".")):
        named = [node for node in _inside(tree) if part in _names(node)]
        if len(named) != 1:
            return None
        tree = named[0]
    return tree


def _inside(tree: ast.AST) -> Iterator[ast.AST]:
    """Definitions and assignments right inside, those under `if` and `with` too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.stmt):
            yield node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from _inside(node)


def _names(node: ast.AST) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def occurrences(tree: ast.AST, wanted: Nodes) -> list[Nodes]:
    """Where nodes of this shape are within a tree, outside f-strings, whose parts have no place of their own."""
    shapes = [ast.dump(node) for node in wanted]
    found: list[Nodes] = []
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if len(wanted) == 1 and isinstance(node, ast.expr) and ast.dump(node) == shapes[0]:
            found.append([node])
        for _, value in ast.iter_fields(node):
            if isinstance(value, list):
                found += _runs(value, shapes)
        if not isinstance(node, ast.JoinedStr):
            waiting += ast.iter_child_nodes(node)
    return found


def _runs(nodes: list[object], shapes: list[str]) -> Iterator[Nodes]:
    statements = [node for node in nodes if isinstance(node, ast.stmt)]
    for first in range(len(statements) - len(shapes) + 1):
        run = statements[first : first + len(shapes)]
        if [ast.dump(node) for node in run] == shapes:
            yield run


def replaced(source: str, nodes: Nodes, replacement: str) -> str:
    """The source with other code in the place of these nodes."""
    lines = source.splitlines(keepends=True)
    first, last = nodes[0], nodes[-1]
    assert isinstance(first, ast.expr | ast.stmt)
    assert isinstance(last, ast.expr | ast.stmt)
    decorators = getattr(first, "decorator_list", [])
    begin = _offset(lines, decorators[0].lineno if decorators else first.lineno, 0 if decorators else first.col_offset)
    assert last.end_lineno is not None
    assert last.end_col_offset is not None
    end = _offset(lines, last.end_lineno, last.end_col_offset)
    if isinstance(first, ast.expr):
        return f"{source[:begin]}({replacement.strip()}){source[end:]}"
    indent = " " * first.col_offset
    body = textwrap.indent(textwrap.dedent(replacement).strip() or "pass", indent)
    return source[:begin] + (body if decorators else body.removeprefix(indent)) + source[end:]


def _offset(lines: list[str], line: int, column: int) -> int:
    """Position in the text of a place that the parser gives in bytes of a line."""
    return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())
