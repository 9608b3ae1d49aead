"""verifiers itself over a run of the real server: its loader, its views, its scoring."""

import sys
from itertools import islice
from pathlib import Path

import pytest

from escalade import Client, InvalidRequest
from escalade.integrations._judging import close_shared_clients

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # what the peer does with its own libraries is its own affair
]
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def taskset(client: Client, endpoint: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    """The example's taskset, found by name as verifiers finds it, over a run that shows its answers."""
    from verifiers.v1.utils.loaders import load_taskset, taskset_class

    from escalade.integrations.verifiers import EscaladeConfig

    for name, value in endpoint.items():
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(EXAMPLES)
    run = client.create_run(
        "verifiers", groups=2, rollouts=2, seed=1, reveal_answers=True, pool={"environments": ["toll-road"]}
    ).run
    assert taskset_class("verifiers_taskset").INFINITE
    yield load_taskset(EscaladeConfig(id="verifiers_taskset", run=run))
    close_shared_clients()
    sys.modules.pop("verifiers_taskset")


def test_reading_again_gives_the_same_tasks(taskset):
    first, again = list(islice(taskset, 5)), list(islice(taskset, 5))
    assert [task.hash for task in first] == [task.hash for task in again]
    assert [task.data.group for task in first] == ["0.0", "0.1", "1.0", "1.1", "2.0"]
    assert [task.data.group for task in taskset.skip(1).take(2)] == ["0.1", "1.0"]
    assert len({task.key for task in first}) == 5
    assert first[0].data.prompt


def traced(task, text: str):
    """A trace of one reply to a task, as a rollout leaves it."""
    import verifiers.v1 as vf
    from verifiers.v1 import SubprocessConfig
    from verifiers.v1.graph import MessageNode
    from verifiers.v1.trace import TraceTask
    from verifiers.v1.types import AssistantMessage

    trace = vf.Trace(
        task=TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
        agent=vf.AgentInfo(config=vf.AgentConfig(runtime=SubprocessConfig())),
    )
    trace.nodes.append(MessageNode(message=AssistantMessage(content=text), sampled=True))
    return trace


async def test_traces_are_scored_reported_and_not_counted_twice(taskset, client: Client):
    task = next(iter(taskset))
    run = task.data.run
    answer = client.batch(run, 0).groups[0].answer
    assert answer is not None
    traces = [traced(task, text) for text in (f"so \\boxed{{{answer.strip()}}}", "")]
    for trace in [*traces, traces[0]]:
        await task.score(trace)
    assert [trace.reward for trace in traces] == [1.0, 0.0]
    closed = [event.payload for event in client.events(run) if event.kind == "closed"]
    assert [(one["right"], one["scored"]) for one in closed] == [(1, 2)]


async def test_a_trace_that_was_not_scored_is_an_error_of_its_task(taskset, unscoring):
    from verifiers.v1.errors import TaskError

    task = next(iter(taskset))
    trace = traced(task, "no idea")
    with pytest.raises(TaskError, match=r"group 0.0 of run run_.*: not scored \(the sandbox is away\)"):
        await task.score(trace)
    assert trace.rewards == {"escalade": None}


def test_a_run_that_needs_lengths_is_refused(taskset, client: Client):
    from escalade.integrations.verifiers import EscaladeConfig, EscaladeTaskset

    penalty = {"length_penalty": {"free_tokens": 10, "most_tokens": 100}}
    run = client.create_run("verifiers", groups=1, scoring=penalty, pool={"environments": ["toll-road"]}).run
    with pytest.raises(InvalidRequest, match=r"`length_penalty`.*trl\.reward"):
        next(iter(EscaladeTaskset(EscaladeConfig(id="verifiers_taskset", run=run)).load()))
