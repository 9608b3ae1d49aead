"""Asks a sandbox what it can do, through jobs like any other.

Guarantee: the answers come from inside the sandbox, whatever its backend, and not from what was configured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from escalade_sandbox.languages import LANGUAGES
from escalade_sandbox.types import Input, Job, Limits, Program, Sandbox, SandboxError, Status, Trust, UnknownLanguage

_VERSION_LIMITS = Limits(cpu_s=10, wall_s=20)
_ASK = """
import json, os, subprocess, sys
command, requires = json.loads(sys.argv[1])
if missing := [path for path in requires if not os.path.exists(path)]:
    raise SystemExit(f"missing: {missing}")
shown = subprocess.run(command, capture_output=True, text=True, timeout=10)
print(shown.stdout.splitlines()[0])
"""
_HELLO = {
    "cpp": "#include <bits/stdc++.h>\nint main() { int n; std::cin >> n; std::cout << 2 * n << '\\n'; }",
    "python": "print(2 * int(input()))",
    "java": (
        "public class Main { public static void main(String[] arguments) {"
        " System.out.println(2 * new java.util.Scanner(System.in).nextInt()); } }"
    ),
    "go": 'package main\nimport "fmt"\nfunc main() { var n int; fmt.Scan(&n); fmt.Println(2 * n) }',
}


@dataclass(frozen=True, slots=True)
class LanguageReport:
    """One language as it is installed."""

    name: str
    version: str
    """Of the toolchain; empty where it is missing."""
    summary: str


async def list_languages(sandbox: Sandbox) -> list[LanguageReport]:
    """Ask for the version of every language.

    Raises:
        SandboxUnavailable: The sandbox does not run jobs.
    """
    reports = []
    for language in LANGUAGES.values():
        asked = Input(arguments=(json.dumps([language.version_command, language.requires]),))
        job = Job(Program("python", _ASK), [asked], _VERSION_LIMITS, trust=Trust.TRUSTED)
        result = (await sandbox.run(job)).results[0]
        version = result.stdout.decode("utf-8", "replace").strip() if result.status is Status.OK else ""
        reports.append(LanguageReport(language.name, version, language.summary))
    return reports


async def run_each_language(sandbox: Sandbox) -> list[tuple[str, str | None]]:
    """Run a small program in every language, for each trust; return names and what went wrong, if anything did."""
    outcomes: list[tuple[str, str | None]] = []
    for trust in Trust:
        for name, source in _HELLO.items():
            try:
                job = Job(Program(name, source), [Input(b"21\n")], trust=trust, owner="check")
                result = (await sandbox.run(job)).results[0]
            except UnknownLanguage as error:
                if not LANGUAGES[name].extra:
                    outcomes.append((f"{name}, {trust.value}", str(error)))
                continue
            except SandboxError as error:
                outcomes.append((f"{name}, {trust.value}", str(error)))
                continue
            worked = (result.status, result.stdout) == (Status.OK, b"42\n")
            complaint = f"{result.status.value}: {result.stderr.decode('utf-8', 'replace')[:500]}"
            outcomes.append((f"{name}, {trust.value}", None if worked else complaint))
    return outcomes
