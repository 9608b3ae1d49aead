"""What every language does, where the sandbox has it: run this with ESCALADE_TEST_IMAGE=extra for Java and Go."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
import typer
from typer.testing import CliRunner

from escalade_sandbox.commands import register
from escalade_sandbox.docker import DockerSandbox
from escalade_sandbox.image import extra_image, is_built
from escalade_sandbox.inspection import list_languages, run_each_language
from escalade_sandbox.languages import LANGUAGES
from escalade_sandbox.types import Input, Job, Limits, Program, Sandbox, Status, UnknownLanguage

MIB = 1 << 20
LIMITS = Limits(cpu_s=3, wall_s=30, memory_bytes=256 * MIB, output_bytes=MIB)
pytestmark = pytest.mark.docker


@dataclass(frozen=True)
class Texts:
    """The same program in one language."""

    behave: str
    """Reads n: 0 spins, 1 takes memory without end, 2 fails; else prints the square of n."""
    broken: str


TEXTS = {
    "cpp": Texts(
        """
#include <bits/stdc++.h>
int main() {
    long long n; std::cin >> n;
    volatile bool spin = n == 0; while (spin) {}
    if (n == 1) for (;;) memset(malloc(MIB), 1, MIB);
    if (n == 2) return 3;
    std::cout << n * n << std::endl;
}
""".replace("MIB", "(1 << 20)"),
        "int main() { return nothing; }",
    ),
    "python": Texts(
        """
n = int(input())
while n == 0: pass
kept = []
while n == 1: kept.append(bytearray(1 << 20))
if n == 2: raise SystemExit(3)
print(n * n)
""",
        "",
    ),
    "java": Texts(
        """
import java.util.*;
public class Main {
    public static void main(String[] arguments) {
        long n = new Scanner(System.in).nextLong();
        while (n == 0) {}
        List<byte[]> kept = new ArrayList<>();
        while (n == 1) { byte[] more = new byte[1 << 20]; Arrays.fill(more, (byte) 1); kept.add(more); }
        if (n == 2) System.exit(3);
        System.out.println(n * n);
    }
}
""",
        "public class Main { int nothing() { return missing; } }",
    ),
    "go": Texts(
        """
package main

import (
    "fmt"
    "os"
)

func main() {
    var n int64
    fmt.Scan(&n)
    for n == 0 {
    }
    var kept [][]byte
    for n == 1 {
        more := make([]byte, 1<<20)
        for i := range more {
            more[i] = 1
        }
        kept = append(kept, more)
    }
    if n == 2 {
        os.Exit(3)
    }
    fmt.Println(n * n)
}
""",
        "package main\nfunc main() { nothing() }",
    ),
}


@pytest.fixture(scope="module")
async def images() -> AsyncIterator[Sandbox]:
    image = os.environ.get("ESCALADE_TEST_IMAGE")
    sandbox = DockerSandbox(image=image, slots=1)
    await sandbox.start()
    yield sandbox
    await sandbox.close()


async def test_each_language_of_the_image_keeps_results_and_limits_apart(images):
    for name in sorted(images.launcher.languages):
        inputs = [Input(str(n).encode()) for n in (7, 0, 8, 1, 9, 2, 10)]
        limits = LIMITS if LANGUAGES[name].extra else replace(LIMITS, cpu_s=1)
        results = (await images.run(Job(Program(name, TEXTS[name].behave), inputs, limits))).results
        assert [one.status for one in results] == [
            Status.OK, Status.TIME_LIMIT, Status.OK, Status.MEMORY_LIMIT, Status.OK, Status.NONZERO_EXIT, Status.OK,
        ], (name, results)  # fmt: skip
        assert [one.stdout.split() for one in results[::2]] == [[b"49"], [b"64"], [b"81"], [b"100"]], name
        assert results[5].exit_code == 3


async def test_each_compiled_language_tells_what_does_not_compile(images):
    for name in sorted(images.launcher.languages):
        if LANGUAGES[name].kind == "compiled":
            result = await images.run(Job(Program(name, TEXTS[name].broken), [Input(b"1")]))
            assert result.results[0].status is Status.COMPILE_ERROR, name
            assert result.compilation is not None
            assert result.compilation.diagnostics, name


async def test_the_versions_that_are_listed_are_those_of_the_image(images):
    listed = {report.name for report in await list_languages(images) if report.version}
    assert listed == images.launcher.languages
    outcomes = await run_each_language(images)
    assert len(outcomes) == 2 * len(listed)
    assert [words for _, words in outcomes if words] == []


async def test_a_language_that_the_image_lacks_is_refused_with_the_remedy(images):
    for name in sorted(set(LANGUAGES) - images.launcher.languages):
        with pytest.raises(UnknownLanguage, match="ESCALADE_SANDBOX_IMAGE=extra"):
            await images.run(Job(Program(name, ""), [Input()]))


def test_the_command_lists_each_image_that_is_built_with_its_versions():
    app = typer.Typer()
    register(app)
    shown = CliRunner().invoke(app, ["sandbox", "languages"], env={"ESCALADE_SANDBOX": "docker"})
    assert shown.exit_code == 0, shown.output
    rows = [line.split("\t") for line in shown.stdout.splitlines()]
    versions = {(image, language): version for image, language, version, _ in rows}
    assert versions["default", "python"].startswith("Python 3.")
    assert versions["default", "go"] == "not installed"
    if is_built(extra_image()):
        assert versions["extra", "go"].startswith("go version go1.")
        assert versions["extra", "java"].startswith("openjdk 17.")
    else:
        assert "escalade sandbox build --extra" in shown.stderr
