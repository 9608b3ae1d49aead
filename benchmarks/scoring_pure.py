"""What reading and comparing answers costs in one process.

Run: python benchmarks/scoring_pure.py [--json]. Prints the best and the median time of several rounds, and the median
processor time, which a busy machine disturbs less; needs the server's package and nothing else.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable

from escalade.types import AnswerSpec, ExtractionSettings
from escalade_server.scoring.comparators import agree, compare
from escalade_server.scoring.extraction import extract_answer, extract_program

ROUNDS = 7
MEGABYTE = 1_000_000
COLUMNS = ("best_ms", "median_ms", "median_processor_ms")

Case = tuple[AnswerSpec, str, str]


def typed_cases() -> list[Case]:
    """10,000 answers of every type, in the formats that models use."""
    number, array = AnswerSpec(type="number"), AnswerSpec(type="array")
    cases: list[Case] = []
    for index in range(500):
        ten = list(range(index, index + 10))
        line = " ".join(map(str, ten))
        rows = "\n".join(f"{index} {index + row}" for row in range(3))
        cases += [
            (number, f"{index}\n", str(index)),
            (number, f"{index}\n", f"${index + 1}$"),
            (number, f"{1000 + index}\n", f"{1000 + index:,}"),
            (number, f"{index}/7", rf"\frac{{{index}}}{{7}}"),
            (number, f"{index}.123456789", f"{index}.1234567"),
            (number, f"{10**9 + 7 + index}", f"10^9+{7 + index}"),
            (number, str(index * 10**30), f"{index * 10**30}"),
            (number, "5", rf"{index} \text{{ moves}}"),
            (AnswerSpec(type="string"), f"{index:012b}\n", rf"\text{{{index:012b}}}"),
            (AnswerSpec(type="string"), f"word{index}\n", f"word{index}"),
            (AnswerSpec(type="bool"), "YES\n", "Yes." if index % 2 else r"\text{NO}"),
            (AnswerSpec(type="bool", true_word="Alice", false_word="Bob"), "Bob\n", "Bob"),
            (array, f"{line}\n", str(ten)),
            (array, f"10\n{line}\n", line),
            (array, f"{line}\n", r"\left[" + ", ".join(map(str, ten)) + r"\right]"),
            (AnswerSpec(type="multiset"), line, str(ten[::-1])),
            (AnswerSpec(type="permutation"), line, line.replace(" ", ", ")),
            (AnswerSpec(type="matrix"), rows, rows.replace(" ", " & ").replace("\n", r" \\ ")),
            (AnswerSpec(type="graph"), rows, ", ".join(f"({index}, {index + row})" for row in range(3))),
            (number, f"{index}", "I am not sure, maybe one of the two"),
        ]
    return cases


def adversarial() -> dict[str, str]:
    """Texts of 1 MB that scanners of this kind are slow on."""
    unit = {
        "open boxes": "\\boxed{",
        "empty boxes": "\\boxed{}",
        "box, then braces": "{",
        "box, then pairs": "{}",
        "box, then backslashes": "\\",
        "box, then other letters": "π{}",
        "open thoughts": "<think>",
        "open tags": "<answer>",
        "fences": "```\n",
        "final answers": "final answer",
        "spaces": " ",
        "line ends": "\n",
    }
    texts = {name: text * (MEGABYTE // len(text)) for name, text in unit.items()}
    for name in [name for name in texts if name.startswith("box, ")]:
        texts[name] = "\\boxed{" + texts[name]
    half = MEGABYTE // 8
    texts["nested boxes"] = "\\boxed{" * half + "}" * half
    return texts


def measure(work: Callable[[], object]) -> tuple[float, float, float]:
    """Best time, median time and median processor time of a few rounds, in milliseconds."""
    times_ms, processor_ms = [], []
    for _ in range(ROUNDS):
        start, start_processor = time.perf_counter(), time.process_time()
        work()
        times_ms.append((time.perf_counter() - start) * 1e3)
        processor_ms.append((time.process_time() - start_processor) * 1e3)
    return min(times_ms), statistics.median(times_ms), statistics.median(processor_ms)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    arguments = parser.parse_args()
    cases = typed_cases()
    assert len(cases) == 10_000
    every = ExtractionSettings(final_line=True, fenced=True)
    prose = "We try $x_1 = \\frac{1}{2}$ and see that it holds.\n" * 80 + "So \\boxed{42}."
    digits = "9" * 900_000
    million = " ".join(map(str, range(100_000)))
    figures = {
        "10,000 typed comparisons": measure(lambda: [compare(*case) for case in cases]),
        "10,000 agreements": measure(lambda: [agree(spec, truth, truth) for spec, truth, _ in cases]),
        "512 extractions of 4 kB": measure(lambda: [extract_answer(prose, every) for _ in range(512)]),
        "900,000 digits": measure(lambda: compare(AnswerSpec(type="number"), digits, digits)),
        "an array of 100,000 numbers": measure(
            lambda: compare(AnswerSpec(type="array"), million, "[" + million.replace(" ", ", ") + "]")
        ),
    }
    slowest = (0.0, 0.0, 0.0)
    for name, text in adversarial().items():
        for label, work in (("answer", lambda t: extract_answer(t, every)), ("program", extract_program)):
            figure = figures[f"1 MB of {name}, {label}"] = measure(lambda work=work, text=text: work(text))
            slowest = max(slowest, figure, key=lambda figure: figure[2])
    figures["slowest extraction of 1 MB"] = slowest
    if arguments.json:
        report = {name: dict(zip(COLUMNS, figure, strict=True)) for name, figure in figures.items()}
        print(json.dumps({"python": platform.python_version(), "rounds": ROUNDS, "figures": report}, indent=1))
        return
    print(f"{'':42} best ms  median ms  processor ms   (Python {platform.python_version()}, {ROUNDS} rounds)")
    for name, (best_ms, median_ms, processor_ms) in figures.items():
        print(f"{name:42} {best_ms:7.1f} {median_ms:10.1f} {processor_ms:13.1f}")


if __name__ == "__main__":
    main()
