"""Programs judged per second in program mode, on ten hidden inputs each, over two slots.

Subject: reports of distinct right programs to a server with warm containers: `POST attempts` from the request to the
stored outcomes, the hidden inputs being there, as they are once a batch has been out for a while. The programs are the
references of eight built-in environments, told apart by a comment. Baselines of the same run: for Python, a hardened
`docker run` per input and a bare `python3` per input, two at a time; for C++, `g++` alone, two at a time.

`programs-python-cpu` is what two cores of this kind would do if nobody else used them: the processor time of the server
and its containers per program, which others' load hardly moves.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
import httpx
from _figures import Figure, Target, median, note, report
from _servers import Served, must, serving
from instances import HARDENED

from escalade_sandbox.docker import OWNER_LABEL
from escalade_sandbox.image import build_image
from escalade_sandbox.languages import LANGUAGES
from escalade_server.problems.builtin import load_catalogue
from escalade_server.problems.definition import Definition

SLOTS = 2
INPUTS = 10
ENVIRONMENTS = 8
PYTHON, CPP = 64, 16
"""Programs in one report of each language."""
ALONE_S = 120


def chosen() -> dict[str, Definition]:
    """The environments whose references serve as programs: the first with unique answers and both languages."""
    found = {
        entry.slug: entry.definition
        for entry in sorted(load_catalogue(), key=lambda entry: entry.slug)
        if entry.definition.checker is None
        and {"cpp", "python"} <= {reference.language for reference in entry.definition.references}
    }
    return dict(list(found.items())[:ENVIRONMENTS])


def program(definition: Definition, language: str, mark: int) -> str:
    """A program that nobody has handed in before."""
    source = next(one.source for one in definition.references if one.language == language)
    return f"{source}\n{'//' if language == 'cpp' else '#'} {mark}\n"


def per_second(count: int, work: Callable[[int], None]) -> float:
    """How often work is done in a second, two at a time."""
    begun = time.perf_counter()
    with ThreadPoolExecutor(SLOTS) as threads:
        list(threads.map(work, range(count)))
    return count / (time.perf_counter() - begun)


def contained(image: str, source: str, stdin: str) -> None:
    """Run a Python program in a container of its own."""
    command = ["docker", "run", *HARDENED, image, "python3", "-c", source]
    subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=ALONE_S, check=True)


def bare(source: str, stdin: str) -> None:
    """Run a Python program in an interpreter of its own."""
    command = [sys.executable, "-I", "-c", source]
    subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=ALONE_S, check=True)


def compiled(source: str) -> None:
    """Compile a C++ program as the sandbox does, but without its precompiled header."""
    with tempfile.TemporaryDirectory() as folder:
        (command := list(LANGUAGES["cpp"].standards[0][1])).remove("-fuse-ld=gold")
        with open(f"{folder}/main.cpp", "w") as file:
            file.write(source)
        subprocess.run(command, cwd=folder, capture_output=True, timeout=ALONE_S, check=True)


def processor_s(engine: docker.DockerClient, served: Served) -> float:
    """Processor time of the server and its containers so far: others' load hardly moves it."""
    used_s = served.processor_s()
    for container in engine.containers.list(filters={"label": OWNER_LABEL}):
        if container.labels[OWNER_LABEL].split(" ")[2] == str(served.pid):
            figures = engine.api.stats(container.id, stream=False)
            used_s += figures["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9
    return used_s


class Trainer:
    """A run in program mode, and reports of right programs."""

    def __init__(self, client: httpx.Client, definitions: dict[str, Definition]) -> None:
        self.client, self.definitions = client, definitions
        body = {
            "name": "programs",
            "mode": "program",
            "groups": len(definitions),
            "rollouts": 1_024,
            "deadline_s": 86_400,
            "curriculum": {"policy": "uniform"},
            "program": {"instances": INPUTS},
            "pool": {"environments": list(definitions)},
        }
        self.run: str = must(client.post("/v1/runs", json=body))["run"]
        self.groups: list[dict[str, Any]] = must(client.put(f"/v1/runs/{self.run}/batches/0", json={}))["groups"]
        self.sent = 0

    def report(self, language: str, count: int) -> float:
        """Report so many new programs; seconds until their outcomes are there.

        Raises:
            RuntimeError: One of them was not accepted.
        """
        attempts = []
        for _ in range(count):
            group = self.groups[self.sent % len(self.groups)]
            source = program(self.definitions[group["environment"]], language, self.sent)
            completion = f"```{language}\n{source}```"
            rollout = self.sent // len(self.groups)
            attempts.append({"group": group["group"], "rollout": rollout, "completion": completion})
            self.sent += 1
        begun = time.perf_counter()
        reply = must(self.client.post(f"/v1/runs/{self.run}/attempts", json={"attempts": attempts}))
        took_s = time.perf_counter() - begun
        for outcome, attempt in zip(reply["outcomes"], attempts, strict=True):
            if outcome["score"] != 1:
                raise RuntimeError(f"{outcome} for {attempt}")
        return took_s


def measure(served: Served, rounds: int) -> list[Figure]:
    """Alternate subject and baselines."""
    definitions = chosen()
    image = build_image()
    engine = docker.from_env()
    costs: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in ("python", "cpp", "docker", "bare", "g++")}
    samples = [(one, one.samples[0].input) for one in definitions.values()]

    def sample(number: int) -> tuple[str, str]:
        definition, stdin = samples[number % len(samples)]
        return program(definition, "python", number), stdin

    with served.client() as client:
        note("making hidden inputs, measuring limits")
        trainer = Trainer(client, definitions)
        # The first report waits for the hidden inputs and warms the pool.
        trainer.report("python", 2 * len(definitions))
        trainer.report("cpp", len(definitions))
        for number in range(rounds):
            before_s = processor_s(engine, served)
            taken["python"].append(PYTHON / trainer.report("python", PYTHON))
            costs.append((processor_s(engine, served) - before_s) / PYTHON)
            taken["bare"].append(per_second(160, lambda place: bare(*sample(place))) / INPUTS)
            taken["docker"].append(per_second(10, lambda place: contained(image, *sample(place))) / INPUTS)
            taken["cpp"].append(CPP / trainer.report("cpp", CPP))
            sources = [program(one, "cpp", number) for one in definitions.values()]
            taken["g++"].append(per_second(len(sources), lambda place: compiled(sources[place])))  # noqa: B023
            note(f"round {number}: " + ", ".join(f"{name} {values[-1]:.3g}/s" for name, values in taken.items()))
    engine.close()
    middle = {name: median(values) for name, values in taken.items()}
    return [
        Figure(
            "programs-python",
            middle["python"],
            "prog/s",
            middle["docker"],
            "a docker run per input",
            Target("value", "at least", 20),
        ),
        Figure("programs-python-bare", middle["python"], "prog/s", middle["bare"], "a bare python3 per input"),
        Figure("programs-python-cpu", SLOTS / median(costs), "prog/s", 20, "wanted", Target("ratio", "at least", 1)),
        Figure("programs-cpp", middle["cpp"], "prog/s", middle["g++"], "g++ alone", Target("ratio", "at least", 0.8)),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    with serving("sqlite", ESCALADE_SANDBOX="docker", ESCALADE_SANDBOX_SLOTS=str(SLOTS)) as served:
        found = measure(served, options.rounds)
    report(found)


if __name__ == "__main__":
    main()
