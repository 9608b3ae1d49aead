"""How a generator is called: from the calls in its source to arguments with scale parameters in them.

Guarantee: pure, total and linear in the calls and the source. A name is never made up: a scale parameter is called what
the command line (`-n 10`, `--n=10`, `n=10`) or the program's own text (`int n = atoi(argv[1]);`) calls it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from escalade_server.problems.definition import SEED, Parameter
from escalade_server.problems.problem import Call

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_OPTION: Final = re.compile(r"(-{0,2}[A-Za-z_][A-Za-z0-9_-]{0,40}=)([+-]?[0-9]{1,18})")
_DASHED: Final = re.compile(r"-{1,2}([A-Za-z_][A-Za-z0-9_-]{0,40})")
_BRACED_SEED: Final = re.compile(r"\{seed(?::[0-9]{1,9})?\}")
_BRACES: Final = re.compile(r"[{}]")
# `int n = atoi(argv[1])`, `n = opt<int>(1)`, `n = int(sys.argv[1])`
_POSITIONAL: Final = re.compile(
    r"\b([A-Za-z_]\w{0,40})\s{0,4}=\s{0,4}"
    r"(?:(?:std::)?(?:atoi|atol|atoll|stoi|stol|stoll)\s{0,2}\(\s{0,2}argv\[(\d{1,2})\]"
    r"|opt<[A-Za-z_ ]{1,20}>\(\s{0,2}(\d{1,2})\s{0,2}\)"
    r"|int\(\s{0,2}(?:sys\.)?argv\[(\d{1,2})\])"
)
_SEEDS: Final = frozenset({"seed", "rseed", "rng_seed", "random_seed"})


@dataclass(frozen=True, slots=True)
class Template:
    """Arguments with scale parameters in them, and the ranges that the calls show."""

    arguments: tuple[str, ...]
    parameters: dict[str, Parameter]


def template_of(calls: Sequence[Call], source: str, *, seed_last: bool) -> Template | None:
    """The form that most calls of a generator share; None where no number in it has a name and varies.

    Args:
        calls: How the source calls the generator.
        source: The generator's text, for the names of its positional arguments.
        seed_last: Give the seed as one more argument where the calls do not say where it goes, as is right for
            testlib's generators: those seed themselves with all their arguments.
    """
    names = {int(match[2] or match[3] or match[4]): match[1] for match in _POSITIONAL.finditer(source)}
    shapes: Counter[tuple[str, ...]] = Counter()
    values: dict[tuple[str, ...], list[dict[str, int]]] = {}
    for call in calls:
        shape, found = _shape(call.arguments, names)
        shapes[shape] += 1
        values.setdefault(shape, []).append(found)
    best: Template | None = None
    best_count = 0
    for shape, count in shapes.items():
        template = _template(shape, values[shape], seed_last=seed_last)
        if template is not None and count > best_count:
            best, best_count = template, count
    return best


def split_command(command: str) -> tuple[str, ...]:
    """A command's words, its seed written `{seed}`, and no other braces in it."""
    words = []
    for word in command.split():
        marked = _BRACED_SEED.sub("\0", word)
        words.append(_BRACES.sub("", marked).replace("\0", SEED))
    return tuple(words)


def _shape(arguments: tuple[str, ...], names: dict[int, str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """The arguments with `{name}` for each number that has a name, and the numbers."""
    shape: list[str] = []
    found: dict[str, int] = {}

    def slot(name: str, value: str) -> str:
        plain = name.strip("-=").replace("-", "_")
        if plain.lower() in _SEEDS:
            return SEED
        if plain in found:
            return value
        found[plain] = int(value)
        return "{" + plain + "}"

    option: str | None = None
    for index, argument in enumerate(arguments, start=1):
        attached = _OPTION.fullmatch(argument)
        dashed = _DASHED.fullmatch(argument)
        if attached is not None:
            shape.append(attached[1] + slot(attached[1], attached[2]))
        elif _INTEGER.fullmatch(argument) and option is not None:
            shape.append(slot(option, argument))
        elif _INTEGER.fullmatch(argument) and index in names:
            shape.append(slot(names[index], argument))
        else:
            shape.append(argument)
        option = dashed[1] if dashed is not None else None
    return tuple(shape), found


def _template(shape: tuple[str, ...], values: list[dict[str, int]], *, seed_last: bool) -> Template | None:
    parameters: dict[str, Parameter] = {}
    fixed: dict[str, str] = {}
    for name in values[0]:
        seen = [found[name] for found in values]
        if min(seen) < max(seen):
            parameters[name] = Parameter(minimum=min(seen), maximum=max(seen))
        else:
            fixed["{" + name + "}"] = str(seen[0])
    if not parameters:
        return None
    arguments: list[str] = []
    for argument in shape:
        before, brace, _ = argument.partition("{")
        slot = argument[len(before) :] if brace else ""
        arguments.append(before + fixed.get(slot, slot))
    if seed_last and not any(SEED in argument for argument in arguments):
        arguments.append(SEED)
    return Template(tuple(arguments), parameters)
