"""The main job through the SDK, against whatever server a client reaches: a process of this machine, or compose's."""

from pathlib import Path

import pytest

from escalade import Client, errors
from escalade.types import AttemptReport, Batch, ScoreItem

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "scaler-small.json"


def reports(batch: Batch, *, right: bool) -> list[AttemptReport]:
    """A full completion for every rollout; wrong ones differ from the truth in their first character."""
    made = []
    for group in batch.groups:
        assert group.answer is not None
        truth = group.answer.strip()
        answer = truth if right else ("1" if truth[0] != "1" else "2") + truth[1:] + "7"
        text = f"I add and compare, and so\n\\boxed{{{answer}}}"
        made += [
            AttemptReport(group=group.group, rollout=rollout, completion=text, completion_tokens=len(text) // 4)
            for rollout in range(group.rollouts)
        ]
    return made


def main_job(client: Client) -> None:
    """Import, instances, scores, a run of four steps, retries, refusals: with an admin key."""
    job = client.import_archive("scaler", FIXTURE.read_text(), FIXTURE.name)
    assert job.result is not None
    assert job.result["refused"] == []
    again = client.import_archive("scaler", FIXTURE.read_text(), FIXTURE.name)
    assert again.result is not None
    assert (again.result["created"], again.result["updated"]) == ([], [])

    names = [environment.name for environment in client.environments()]
    assert {"toll-road", "middle-score", "ribbon-code"} <= set(names), "the catalogue is served"
    detail = client.environment("toll-road")
    for level in (0, len(detail.ladder) - 1):
        served = client.instances("toll-road", level=level, count=3, seed=17)
        assert served == client.instances("toll-road", level=level, count=3, seed=17)
        assert len({instance.instance for instance in served.instances}) == 3
        assert all(instance.answer is None for instance in served.instances)
    items = [ScoreItem(instance=instance.instance, completion="\\boxed{-1}") for instance in served.instances]
    assert [outcome.verdict for outcome in client.score(items).outcomes] == ["wrong"] * 3

    run = client.create_run(
        "end to end",
        groups=6,
        rollouts=4,
        seed=3,
        reveal_answers=True,
        curriculum={"policy": "scaler"},
        pool={"environments": ["toll-road", "middle-score", "ribbon-code", *again.result["unchanged"][:3]]},
    )
    for cursor in range(4):
        batch = client.batch(run.run, cursor)
        assert batch == client.batch(run.run, cursor)
        answers = reports(batch, right=cursor < 3)
        results = client.report(run.run, answers)
        assert {outcome.accuracy for outcome in results.outcomes} == {1 if cursor < 3 else 0}
        assert len(results.closed) == 6
        assert all(outcome.repeat for outcome in client.report(run.run, answers).outcomes)
    changed = reports(batch, right=True)
    with pytest.raises(errors.Conflict) as conflict:
        client.report(run.run, changed)
    assert conflict.value.code == "attempt_conflict"
    controllers = list(client.controllers(run.run))
    assert max(controller.level for controller in controllers) > 0
    kinds = [event.kind for event in client.events(run.run)]
    assert (kinds[0], kinds.count("batch"), kinds.count("closed")) == ("created", 4, 24)

    key = client.create_key("a trainer", ["train"])
    with Client(client.url, key.secret) as trainer:
        with pytest.raises(errors.NotFound):
            trainer.batch(run.run, 0)
        with pytest.raises(errors.PermissionDenied):
            trainer.create_key("another", ["admin"])
        client.revoke_key(key.key_id)
        with pytest.raises(errors.AuthenticationError):
            list(trainer.runs())
    client.delete_run(run.run)
