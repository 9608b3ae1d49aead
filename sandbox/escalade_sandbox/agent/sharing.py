"""Decides whether a module's calls may be made in one process, each in a namespace of its own.

Guarantee: what an accepted module can change outlives its namespace nowhere but in `random` and the recursion limit,
which are set anew for each call, unless it goes out of its way to hide what it does (a module that wants its values to
differ can ask for the time). Whatever is not known to be harmless is refused; refusal costs speed and nothing else.
"""

from __future__ import annotations

import ast
import sys

MODULES = frozenset((
    "__future__", "array", "bisect", "builtins", "collections", "collections.abc", "copy", "dataclasses", "datetime",
    "enum", "fractions", "functools", "heapq", "io", "itertools", "json", "math", "operator", "random", "re",
    "statistics", "string", "sys", "traceback", "typing",
))  # fmt: skip
_ONLY = {
    "sys": frozenset(("float_info", "getrecursionlimit", "maxsize", "maxunicode", "setrecursionlimit", "version_info")),
    "io": frozenset(("BytesIO", "StringIO")),
}
"""Of modules that hold state, what is harmless."""
_REFUSED = frozenset((
    "FileIO", "breakpoint", "compile", "delattr", "eval", "exec", "exit", "getattr", "globals", "id", "input", "locals",
    "open", "open_code", "quit", "setattr", "vars",
))  # fmt: skip
_ALSO_VARIABLES = frozenset(("exit", "id", "input", "locals", "vars"))
"""Harmless where the module itself gives them a value."""
_DUNDER_NAMES = frozenset(("__all__", "__hash__", "__name__", "__slots__"))
_DUNDER_ATTRIBUTES = frozenset(("__init__", "__name__", "__post_init__"))


def may_share(tree: ast.Module) -> bool:
    """Whether the module reaches nothing that a later call could see."""
    return _Reading(tree).is_harmless()


class _Reading:
    """What has to be known of the whole module to judge any part of it."""

    def __init__(self, tree: ast.Module) -> None:
        self._nodes = list(ast.walk(tree))
        self._modules: dict[str, str] = {}
        """Names that stand for modules."""
        self._foreign: set[str] = set()
        """Names of what was made elsewhere."""
        stored: set[str] = set()
        self._read_through: set[int] = set()
        for node in self._nodes:
            if isinstance(node, ast.Import):
                self._modules |= {one.asname or one.name.partition(".")[0]: one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                self._foreign |= {one.asname or one.name for one in node.names}
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                stored.add(node.id)
            elif isinstance(node, ast.arg):
                stored.add(node.arg)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                self._read_through.add(id(node.value))
        self._foreign |= set(self._modules)
        self._add_aliases()
        self._refused = (_REFUSED - (_ALSO_VARIABLES & stored)) | (frozenset(dir(sys)) - _ONLY["sys"] - stored)
        self._refused -= _DUNDER_NAMES

    def _add_aliases(self) -> None:
        """Add the variables that are given something foreign as it is."""
        known = -1
        while known != len(self._foreign):
            known = len(self._foreign)
            for node in self._nodes:
                if isinstance(node, ast.Assign) and _root(node.value) in self._foreign:
                    self._foreign |= {target.id for target in node.targets if isinstance(target, ast.Name)}

    def is_harmless(self) -> bool:
        return all(self._allows(node) for node in self._nodes)

    def _allows(self, node: ast.AST) -> bool:
        match node:
            case ast.Import():
                return all(one.name in MODULES for one in node.names)
            case ast.ImportFrom():
                known = node.level == 0 and node.module in MODULES
                return known and all(one.name == "*" or _offers(node.module or "", one.name) for one in node.names)
            case ast.Name():
                return self._allows_name(node)
            case ast.Attribute():
                return self._allows_attribute(node)
            case ast.Subscript():
                return isinstance(node.ctx, ast.Load) or _root(node.value) not in self._foreign
            case ast.FunctionDef():
                return node.name != "__del__"
        return True

    def _allows_name(self, node: ast.Name) -> bool:
        if node.id.startswith("__") and node.id not in _DUNDER_NAMES:
            return False
        if not isinstance(node.ctx, ast.Load):
            return True
        # A module that is passed on could be changed under another name.
        return node.id not in self._refused and (node.id not in self._modules or id(node) in self._read_through)

    def _allows_attribute(self, node: ast.Attribute) -> bool:
        if node.attr.startswith("__") and node.attr not in _DUNDER_ATTRIBUTES:
            return False
        if _root(node) not in self._foreign:
            return True
        if not isinstance(node.ctx, ast.Load) or node.attr.startswith("_"):
            return False
        if isinstance(node.value, ast.Name) and node.value.id in self._modules:
            return _offers(self._modules[node.value.id], node.attr)
        return True


def _offers(module: str, name: str) -> bool:
    """Whether a module's attribute is harmless; some have other modules among theirs."""
    inner_module = name in sys.stdlib_module_names and name != module and f"{module}.{name}" not in MODULES
    return not name.startswith("_") and name not in _REFUSED and not inner_module and name in _ONLY.get(module, (name,))


def _root(node: ast.AST) -> str | None:
    """The variable that an expression such as `a.b[c].d` starts from."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
