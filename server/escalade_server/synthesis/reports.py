"""Reports of verification: put together, put into words, and without their secrets.

Guarantee: pure. `public` leaves nothing that tells an input, a seed or an answer.
"""

from __future__ import annotations

from escalade.types import Check, Evidence, VerificationReport


def failed(report: VerificationReport) -> list[Check]:
    """The checks that failed, in their order."""
    return [check for check in report.checks if not check.passed]


def summary(report: VerificationReport, *, evidence: bool = True) -> str:
    """What failed and why, with examples: for a person, or for a model that is to repair the generator."""
    faults = failed(report)
    if not faults:
        kept = sum(level.dropped is None for level in report.levels)
        lines = [f"Verified: {len(report.checks)} checks passed, {kept} of {len(report.levels)} levels are served."]
        lines += [f"- {check.name}: {check.finding}" for check in report.checks]
        return "\n".join(lines)
    lines = [f"Rejected: {len(faults)} of {len(report.checks)} checks failed."]
    for check in faults:
        lines.append(f"- {check.name}: {check.finding}{_against(check)}")
        if evidence:
            lines += [line for one in check.evidence for line in _lines(one)]
    if report.skipped:
        lines.append(f"Not checked for want of ground to stand on: {', '.join(report.skipped)}.")
    return "\n".join(lines)


def public(report: VerificationReport) -> VerificationReport:
    """The report as anybody may see it: figures and findings, no evidence."""
    checks = [check.model_copy(update={"evidence": []}) for check in report.checks]
    solutions = [one.model_copy(update={"detail": ""}) for one in report.solutions]
    return report.model_copy(update={"checks": checks, "solutions": solutions})


def _against(check: Check) -> str:
    if check.figure is None or check.threshold is None:
        return ""
    return f" ({check.figure:.4g} against {check.threshold:.4g} {check.unit})"


def _lines(one: Evidence) -> list[str]:
    lines = [f"  * {one.note}"]
    if one.parameters is not None:
        seed = "" if one.seed is None else f", seed {one.seed}"
        lines.append(f"    at {one.parameters}{seed}")
    for name, text in (("input", one.input), ("expected", one.expected), ("got", one.got)):
        if text is not None:
            lines.append(f"    {name}:")
            lines += [f"      {line}" for line in text.rstrip("\n").split("\n")]
    return lines
