"""Checks of the generator by itself: that it ends, in what time, that the seed decides, and that inputs are valid.

Guarantee: each finding names the place and seed at which it can be seen again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from escalade.types import Evidence
from escalade_sandbox.types import Input, Job, JobResult, Limits, Status, Trust
from escalade_server.instances.generation import Draft, Unmade, draw, program_of
from escalade_server.problems.definition import Validator
from escalade_server.scoring.execution import run
from escalade_server.synthesis.drawing import Place
from escalade_server.synthesis.evidence import example, first_difference, percent
from escalade_server.synthesis.figures import VERY_CONFIDENT, lower_bound, percentile
from escalade_server.synthesis.trial import Drawn, Trial, together

VALIDATOR_LIMITS = Limits(cpu_s=10.0, wall_s=40.0, memory_bytes=512 << 20, output_bytes=1 << 20)
_REPEATS = (("another process", 0), ("another process with hash seed 1", 1), ("one with hash seed 2", 2))


def too_many_fail(trial: Trial) -> bool:
    """Whether so many draws failed that more of them would tell nothing new."""
    bound = lower_bound(len(trial.failed), trial.drawn, VERY_CONFIDENT)
    return bound > trial.thresholds.max_failed_draws


def conclude_draws(trial: Trial) -> bool:
    """File how many draws failed, and how long the others took."""
    limits = trial.thresholds
    failed = len(trial.failed)
    share = failed / trial.drawn if trial.drawn else 1.0
    kinds = Counter(_kind(one.status) for one in trial.failed)
    words = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    sound = trial.conclude(
        "generator_failures",
        share <= limits.max_failed_draws,
        f"Of {trial.drawn} draws {failed} gave no input: {words}." if failed else f"All {trial.drawn} draws gave one.",
        figure=share,
        threshold=limits.max_failed_draws,
        unit="share",
        figures={"hang_share": kinds["hung"] / trial.drawn if trial.drawn else 0.0},
        evidence=[
            example(one.reason, subject="generator", parameters=one.parameters, seed=one.seed) for one in trial.failed
        ],
    )
    times = trial.generator.cpu_ms
    p99_ms = percentile(times, 0.99)
    quick = trial.conclude(
        "generator_time",
        p99_ms <= limits.max_generator_ms,
        f"99% of the draws that ended took at most {p99_ms:.3g} ms of CPU time.",
        figure=p99_ms,
        threshold=limits.max_generator_ms,
        unit="ms",
        figures={"p50_ms": percentile(times, 0.5)},
    )
    return sound and quick


def _kind(status: Status | None) -> str:
    names = {Status.TIME_LIMIT: "hung", Status.NONZERO_EXIT: "crashed", Status.COMPILE_ERROR: "did not compile"}
    if status is None:
        return "returned no proper input"
    return names.get(status, status.value.replace("_", " "))


async def check_determinism(trial: Trial, places: Sequence[Place]) -> bool:
    """Make the draws so far again, in other processes and under other hash seeds: every byte must be the same."""
    first = [one for place in places for one in place.drawn][: trial.thresholds.determinism_draws]
    asked = [(one.parameters, one.seed) for one in first]
    generator = trial.definition.generator
    repeats = await together(
        *(
            draw(
                trial.sandbox,
                version=trial.version,
                generator=generator,
                asked=asked,
                limits=trial.generator_limits,
                hash_seed=hash_seed,
            )
            for _, hash_seed in _REPEATS
        )
    )
    same = sum(all(_same(one, repeat[place]) for repeat in repeats) for place, one in enumerate(first))
    evidence = []
    for (where, _), repeat in zip(_REPEATS, repeats, strict=True):
        changed = [(one, again) for one, again in zip(first, repeat, strict=True) if not _same(one, again)]
        evidence += [_difference(one, again, where) for one, again in changed[:1]]
    share = same / len(first) if first else 0.0
    if same == len(first):
        finding = f"{same} draws were the same bytes in other processes and under other hash seeds."
    else:
        only_hashes = "another process." not in evidence[0].note
        cause = (
            "it iterates over a set, or uses hash()"
            if only_hashes
            else "it draws on something other than the module `random`, such as the time or the operating system"
        )
        finding = f"{len(first) - same} of {len(first)} draws changed for the same seed; perhaps {cause}."
    return trial.conclude(
        "determinism", same == len(first), finding, figure=share, threshold=1.0, unit="share", evidence=evidence
    )


def _same(one: Drawn, again: Draft | Unmade) -> bool:
    # What ran out of time this once says nothing of bytes.
    hung = isinstance(again, Unmade) and again.status is Status.TIME_LIMIT
    return hung or again == one.draft


def _difference(one: Drawn, again: Draft | Unmade, where: str) -> Evidence:
    note = f"The same seed gave other bytes in {where}."
    if isinstance(again, Unmade):
        return example(f"{note} {again.reason}", parameters=one.parameters, seed=one.seed, expected=one.input)
    before, after = one.input, again.input
    if before == after:
        note = f"The same seed gave another description in {where}."
        before, after = repr(one.draft.description), repr(again.description)
    place = first_difference(before, after)
    return example(
        f"{note} They part at character {place}.",
        subject="generator",
        parameters=one.parameters,
        seed=one.seed,
        expected=before,
        got=after,
    )


async def check_inputs(trial: Trial, drawn: Sequence[Drawn]) -> bool:
    """Every distinct input, and the source's own samples, must be valid to every validator."""
    validators = trial.definition.validators
    if not validators:
        return trial.conclude("validator", True, "The source has no input validator: nothing was checked.")
    kept = {one.input: one for one in reversed(drawn)}
    inputs = list(kept)
    samples = [sample.input for sample in trial.definition.samples]
    said = await together(*(_validate(trial, validator, [*inputs, *samples]) for validator in validators))
    refused: dict[str, Evidence] = {}
    strict: list[Evidence] = []
    for validator, done in zip(validators, said, strict=True):
        for text, result in zip([*inputs, *samples], done.results, strict=True):
            if result.exit_code in validator.valid_exits and result.status in (Status.OK, Status.NONZERO_EXIT):
                continue
            words = result.stderr.decode("utf-8", "replace").strip()[-200:]
            how = f"exit {result.exit_code}" if result.exit_code is not None else result.status.value
            note = f"The validator refuses this input ({how}{f': {words}' if words else ''})."
            one = kept.get(text)
            if one is None:
                strict.append(example(f"{note} It is a sample of the problem.", subject=validator.name, input=text))
            else:
                refused.setdefault(
                    text,
                    example(note, subject=validator.name, parameters=one.parameters, seed=one.seed, input=text),
                )
    share = 1 - len(refused) / len(inputs) if inputs else 0.0
    if strict:
        finding = f"The validator refuses {len(strict)} of the problem's own samples, so that it cannot be relied on."
    elif refused:
        finding = f"{len(refused)} of {len(inputs)} generated inputs are invalid ({percent(1 - share)})."
    else:
        finding = f"All {len(inputs)} distinct inputs are valid."
    return trial.conclude(
        "validator",
        not refused and not strict,
        finding,
        figure=share,
        threshold=1.0,
        unit="share",
        evidence=[*strict, *refused.values()],
    )


async def _validate(trial: Trial, validator: Validator, inputs: Sequence[str]) -> JobResult:
    each = [Input(stdin=text.encode(), arguments=validator.arguments) for text in inputs]
    job = Job(program_of(validator), each, VALIDATOR_LIMITS, trust=Trust.TRUSTED, domain=trial.version)
    return await run(trial.sandbox, job)
