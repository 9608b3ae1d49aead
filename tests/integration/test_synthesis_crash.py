"""A synthesis whose server is killed goes on, after the restart, at the problem where it stopped."""

from pathlib import Path

import serving
from sqlalchemy import select

from escalade import Client
from escalade.types import Funnel, JobEvent
from escalade_server.storage.sessions import Database
from escalade_server.storage.tables import Environment, Verification

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "scaler-small.json"
FEW_DRAWS = {
    "breadth_draws": 12, "depth_draws": 20, "depth_draws_at_most": 40, "level_draws": 5, "determinism_draws": 6,
    "min_distinct_inputs": 4, "min_distinct_outputs": 5, "max_generator_ms": 4_000,
}  # fmt: skip
KILLED_AFTER = (1, 2)
"""Problems that are finished when the server is killed."""


def reports_of(url: str, job: str) -> list[str]:
    """The environments that the job has filed a report on, once for each report."""

    async def read() -> list[str]:
        database = Database(url)
        try:
            async with database.read() as session:
                query = select(Environment.slug).join(Verification, Verification.environment_id == Environment.id)
                return list(await session.scalars(query.where(Verification.job_id == job)))
        finally:
            await database.close()

    found: list[str] = serving.in_thread(read)
    return found


def test_a_killed_server_goes_on_at_the_problem_where_it_stopped(
    tmp_path: Path, free_port: int, database_url: str
) -> None:
    variables = {
        "ESCALADE_SANDBOX": "process",
        "ESCALADE_DATABASE_URL": database_url,
        "ESCALADE_SYNTHESIS_CONCURRENCY": "1",
        "ESCALADE_JOB_LEASE_S": "2",
    }
    secret = serving.admin_secret(database_url)
    heard: list[JobEvent] = []
    with (
        serving.started(tmp_path, free_port, **variables) as server,
        Client(server.url, secret, retries=60) as client,
    ):
        imported = client.import_archive("scaler", FIXTURE.read_text(), FIXTURE.name).result
        assert imported is not None
        job = client.synthesize(names=imported["created"][:3], thresholds=FEW_DRAWS)
        # The same listener hears on, whatever becomes of the server.
        for event in client.job_events(job.job):
            heard.append(event)
            if event.sequence in KILLED_AFTER:
                server.kill()
                server.start()
        done = heard[-1].job
        items = list(client.job_items(job.job))
        statuses = {one.name: one.status for one in client.environments()}
    assert done is not None
    assert (heard[-1].event, done.status, done.error, done.done) == ("end", "succeeded", None, 3)
    # One at a time and in order, so that each start went on where the one before it stopped.
    assert [event.sequence for event in heard if event.item] == [one.sequence for one in items] == [1, 2, 3]
    assert [event.item for event in heard if event.item] == items
    assert sorted(reports_of(database_url, job.job)) == sorted(one.name for one in items)
    assert {one.name: one.outcome for one in items}.items() <= statuses.items()
    assert done.result is not None
    funnel = Funnel.model_validate(done.result["funnel"])
    assert (funnel.stages[0].entered, sum(funnel.outcomes.values())) == (3, 3)
    assert funnel.verified == sum(one.outcome == "verified" for one in items) > 0
