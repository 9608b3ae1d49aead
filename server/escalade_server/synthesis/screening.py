"""Reads a module that an LLM wrote, before any sandbox runs it.

Guarantee: pure, and nothing is executed. Finds what verification would find at a higher price: text that is no Python,
a function that is not there, randomness that does not come from the seed. What passes is not thereby right.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

MAX_CODE_CHARS: Final = 64 << 10

_MODULES: Final = frozenset(
    {
        "__future__", "abc", "array", "bisect", "cmath", "collections", "copy", "dataclasses", "decimal", "enum",
        "fractions", "functools", "heapq", "itertools", "json", "math", "operator", "random", "re", "statistics",
        "string", "sys", "textwrap", "typing",
    }
)  # fmt: skip
"""Of the standard library, what a generator or checker has a use for; no clock, no files, no other randomness."""
_SEEDING: Final = frozenset({"seed", "setstate", "SystemRandom", "Random"})
_FORBIDDEN_CALLS: Final = frozenset({"eval", "exec", "open", "input", "print", "hash", "id", "compile", "__import__"})


def module_faults(source: str, *, function: str, arguments: int) -> list[str]:
    """What is wrong with a module at first sight, in sentences; empty if nothing is.

    Args:
        source: The module's text.
        function: The function that it has to define at its top level.
        arguments: How many positional arguments that function is called with.
    """
    if not source.strip():
        return ["code: it is blank"]
    if len(source) > MAX_CODE_CHARS:
        return [f"code: {len(source)} characters; at most {MAX_CODE_CHARS} are allowed"]
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return [f"code: no Python, line {error.lineno}: {error.msg}"]
    except (ValueError, RecursionError, MemoryError) as error:
        return [f"code: no Python that can be read: {str(error)[:200] or type(error).__name__}"]
    return [*_function_faults(tree, function, arguments), *dict.fromkeys(_habits(tree))]


def _function_faults(tree: ast.Module, function: str, arguments: int) -> Iterator[str]:
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    if not defined:
        yield f"code: it does not define the function {function} at its top level"
        return
    signature = defined[-1].args
    most = len(signature.posonlyargs) + len(signature.args)
    least = most - len(signature.defaults)
    required = any(default is None for default in signature.kw_defaults)
    if required or not (least <= arguments <= most or (signature.vararg and least <= arguments)):
        yield f"code: {function} has to take {arguments} positional argument{'s' if arguments > 1 else ''}"


def _habits(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (_import_fault(alias.name, node.lineno) for alias in node.names if not _known(alias.name))
        elif isinstance(node, ast.ImportFrom):
            module = node.module or "."
            if node.level or not _known(module):
                yield _import_fault(module, node.lineno)
            elif module == "random":
                names = [alias.name for alias in node.names if alias.name in _SEEDING]
                yield from (f"code: line {node.lineno} uses random.{name}; the server sets the seed" for name in names)
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "random" and node.attr in _SEEDING:
                yield f"code: line {node.lineno} uses random.{node.attr}; the server sets the seed"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FORBIDDEN_CALLS:
            yield f"code: line {node.lineno} calls {node.func.id}, which it must not"


def _known(module: str) -> bool:
    return module.partition(".")[0] in _MODULES


def _import_fault(module: str, line: int) -> str:
    return f"code: line {line} imports {module}; use only {', '.join(sorted(_MODULES - {'__future__'}))}"
