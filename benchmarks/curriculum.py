"""Compare curriculum policies on the learner model; print a Markdown table per variant, and draw the base one.

The figures in docs/curriculum.md come from here. One core is enough: set OMP_NUM_THREADS=1, small products only lose
by more threads. Everything is determined by the arguments.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from escalade_server.curriculum import learner
from escalade_server.curriculum.policies import POLICIES, policy
from escalade_server.curriculum.simulate import Contender, Result, markdown, mean_series, simulate, summarise

SMOOTHED_STEPS = 25
"""Window of the informative share in the drawing; single batches of 64 groups are noisy."""


def parse_contender(text: str) -> Contender:
    """`bayes` or `bayes:exploration=0.5:leak=0.01`."""
    name, *settings = text.split(":")
    constants = dict(setting.split("=", 1) for setting in settings)
    return Contender(text, policy(name), {key: float(value) for key, value in constants.items()})


def show_progress(label: str, seed: int, step: int) -> None:
    """One line that overwrites itself, on a terminal only."""
    if sys.stderr.isatty() and step % 20 == 0:
        print(f"\r{label:<24} seed {seed:<3} step {step:<6}", end="", file=sys.stderr, flush=True)


def draw(results: Sequence[Result], path: Path) -> None:
    """Write a PNG of the informative share and the pool test over steps."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    for label in dict.fromkeys(result.label for result in results):
        left.plot(mean_series(results, label, "informative", SMOOTHED_STEPS), label=label, linewidth=1.2)
        right.plot(mean_series(results, label, "score"), label=label, linewidth=1.2)
    left.set(title="Informative groups", xlabel="step", ylabel=f"share, mean of {SMOOTHED_STEPS} steps", ylim=(0, 1))
    right.set(title="Pool test", xlabel="step", ylabel="mean success")
    right.legend(fontsize=8)
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policies", nargs="+", default=sorted(POLICIES), help="names, or name:constant=value:...")
    parser.add_argument("--variants", nargs="+", default=["base"], help=f"of {', '.join(learner.VARIANTS)}; or all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--reference", default="scaler", help="whose last score the others are to reach")
    parser.add_argument("--png", type=Path, help="draw the first variant here; needs matplotlib")
    options = parser.parse_args(arguments)
    if options.png is not None and importlib.util.find_spec("matplotlib") is None:
        # before the long part, not after it
        parser.error("--png needs matplotlib: pip install matplotlib, or leave --png out")
    names = list(learner.VARIANTS) if options.variants == ["all"] else options.variants
    variants = [learner.variant(name) for name in names]
    contenders = [parse_contender(text) for text in options.policies]
    for place, variant in enumerate(variants):
        begun = time.perf_counter()
        results = simulate(contenders, variant, range(options.seeds), options.steps, show_progress)
        took_s = time.perf_counter() - begun
        start = sum(result.start_score for result in results) / len(results)
        print(
            f"\n### {variant.name}: {options.seeds} seeds, {options.steps} steps, pool test {start:.3f} at the start\n"
        )
        print(markdown(summarise(results, options.reference)))
        print(f"\n({took_s:.0f} s)", flush=True)
        if place == 0 and options.png is not None:
            draw(results, options.png)


if __name__ == "__main__":
    main()
