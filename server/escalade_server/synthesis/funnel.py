"""The funnel: how many problems came how far, and why the others stopped where they did.

Guarantee: pure. Every problem is counted at every stage that it entered and stops at exactly one; the numbers of one
stage that did not stop are those that enter the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from escalade.types import Funnel, FunnelStage, RefusedEntry, StoppedProblem, SynthesisItem
from escalade_server.synthesis.verification import CHECKS

STAGES: Final = ("imported", "solutions", "metadata", "generator", "scaling", *CHECKS)
"""In order; who stops at none of them is verified."""
MAX_EXAMPLES: Final = 20


def funnel_of(items: Sequence[SynthesisItem], refused: Sequence[RefusedEntry] = ()) -> Funnel:
    """Count what became of a job's problems, and of the entries that its imports refused."""
    stopped: dict[str, list[StoppedProblem]] = {stage: [] for stage in STAGES}
    for entry in refused:
        reason = f"{entry.field}: {entry.reason}" if entry.field else entry.reason
        stopped["imported"].append(StoppedProblem(name=entry.entry, outcome="refused", reason=reason))
    for item in items:
        if item.outcome is not None and item.outcome != "verified":
            stage = item.stage if item.stage in stopped else "imported"
            stopped[stage].append(StoppedProblem(name=item.name, outcome=item.outcome, reason=item.reason or ""))
    left = len(refused) + len(items)
    stages = []
    for stage in STAGES:
        here = stopped[stage]
        stages.append(
            FunnelStage(
                stage=stage, entered=left, stopped=len(here), passed=left - len(here), examples=here[:MAX_EXAMPLES]
            )
        )
        left -= len(here)
    outcomes = Counter(str(item.outcome or "waiting") for item in items)
    if refused:
        outcomes["refused"] = len(refused)
    return Funnel(stages=stages, verified=outcomes["verified"], outcomes=dict(sorted(outcomes.items())))
