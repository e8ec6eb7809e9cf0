"""Makes the mutants of a module: copies of its source with one thing changed each."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

#: What a comparison may be mistaken for: its boundary, and its opposite.
_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Pow: ast.Mult,
}

_NAMES = {"any": "all", "all": "any", "max": "min", "min": "max", "maximum": "minimum",
          "minimum": "maximum", "floor": "ceil", "ceil": "floor"}  # fmt: skip

#: Parts of a node that are no behaviour: types, and what a string is put together from.
_LEFT_OUT = {"annotation", "returns", "decorator_list", "format_spec", "type_params"}


@dataclass(frozen=True)
class Mutant:
    """A changed source. ``where`` and ``change`` name it also when lines move."""

    where: str
    change: str
    line: int
    column: int
    source: str


def mutants(source: str) -> list[Mutant]:
    """All mutants of a module's source, in the order of its lines."""
    tree = ast.parse(source)
    found, seen = [], set()
    for where, node, replacement in _changes(tree):
        before = ast.unparse(node)
        mutated = ast.unparse(ast.fix_missing_locations(_with(tree, node, replacement)))
        after = ast.unparse(replacement)
        if mutated in seen or before == after:
            continue
        seen.add(mutated)
        found.append(Mutant(where, f"{before} -> {after}", node.lineno, node.col_offset, mutated))
    return sorted(found, key=lambda mutant: (mutant.line, mutant.column))


def _with(tree: ast.Module, old: ast.AST, new: ast.AST) -> ast.Module:
    """A copy of the tree with one node replaced."""
    memo: dict[int, object] = {id(old): new}
    return copy.deepcopy(tree, memo)


def _changes(tree: ast.Module) -> Iterator[tuple[str, ast.AST, ast.AST]]:
    for where, node in _behaviour(tree, "module"):
        for change in _replacements(node):
            yield where, node, change
        if isinstance(node, ast.If | ast.IfExp) and not isinstance(
            node.test, ast.Compare | ast.UnaryOp
        ):
            negated = ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test)
            yield where, node.test, negated


def _behaviour(node: ast.AST, where: str) -> Iterator[tuple[str, ast.AST]]:
    """Nodes that decide what the module does, with the function they are in."""
    for name, value in ast.iter_fields(node):
        if name in _LEFT_OUT:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Raise):
                continue
            inner = where
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                inner = child.name if where == "module" else f"{where}.{child.name}"
            elif isinstance(child, ast.expr | ast.stmt):
                yield where, child
            yield from _behaviour(child, inner)


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    def copied(change: Callable[[ast.AST], None]) -> ast.AST:
        made = copy.deepcopy(node)
        change(made)
        return made

    match node:
        case ast.Compare(ops=[operator]):
            for other in _COMPARISONS.get(type(operator), ()):
                yield copied(lambda made, o=other: setattr(made, "ops", [o()]))
        case ast.BoolOp(op=operator):
            swapped = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield copied(lambda made: setattr(made, "op", swapped))
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.BinOp(op=operator) if type(operator) in _ARITHMETIC:
            yield copied(lambda made: setattr(made, "op", _ARITHMETIC[type(operator)]()))
        case ast.AugAssign(op=operator):
            if type(operator) in _ARITHMETIC:
                yield copied(lambda made: setattr(made, "op", _ARITHMETIC[type(operator)]()))
            yield ast.copy_location(ast.Pass(), node)
        case ast.Constant(value=bool() as value):
            yield ast.copy_location(ast.Constant(not value), node)
        case ast.Constant(value=int() | float() as value):
            yield ast.copy_location(ast.Constant(value + 1), node)
        case ast.Name(id=name) if name in _NAMES:
            yield copied(lambda made: setattr(made, "id", _NAMES[name]))
        case ast.Attribute(attr=name) if name in _NAMES:
            yield copied(lambda made: setattr(made, "attr", _NAMES[name]))
        case ast.Continue():
            yield ast.copy_location(ast.Break(), node)
        case ast.Expr(value=ast.Call()):
            yield ast.copy_location(ast.Pass(), node)
