"""What test runners, compilers and linters say at the end: a table of their summary lines.

Belongs here: which text means passed, failed or "nothing was checked", and the counts in it. How a summary, an exit code and a cut
output make a verdict is `verdicts`. One RE2 set finds the rows that occur in an output in one pass; only those are read closer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import re2

Match = re.Match[str]


class Says(StrEnum):
    """What a summary line means."""

    PASS = "pass"  # noqa: S105 - not a password
    FAIL = "fail"
    NOTHING = "nothing"
    """No test ran, no file matched: verifies nothing."""
    DOUBT = "doubt"
    """A digest of an output that counts errors without showing one: no better known than the exit code it contradicts."""


@dataclass(frozen=True, slots=True)
class Found:
    """One summary in an output; counts where it tells them."""

    family: str
    says: Says
    passed: int | None = None
    failed: int | None = None


Reading = Callable[[Match], tuple[Says, int | None, int | None]]


@dataclass(frozen=True, slots=True)
class _Row:
    family: str
    pattern: str
    reads: Reading | Says
    adds: bool = False
    """Each match counts (several summaries are one result); else the last one does."""


def _counted(*, passed: int = 0, failed: tuple[int, ...] = ()) -> Reading:
    """A row whose groups hold counts: `passed` and each of `failed` are group numbers (0 = none)."""

    def read(match: Match) -> tuple[Says, int | None, int | None]:
        bad = sum(_number(match.group(group)) for group in failed)
        good = _number(match.group(passed)) if passed else None
        return (Says.FAIL if bad else Says.PASS), good, (bad if failed else None)

    return read


def _number(text: str | None) -> int:
    if not text:
        return 0
    return int(text) if text.isdigit() else 0


_WORD_COUNTS = re.compile(
    r"(\d+) (failed|passed|pass|fail|errors?|failures?|successful|passing|failing|broken|todo|skipped)\b"
)


def _worded(match: Match) -> tuple[Says, int | None, int | None]:
    """Counts before their words, in any order: `1 failed, 3 passed, 2 errors`."""
    counts = {"failed": 0, "passed": 0}
    seen = False
    for number, word in _WORD_COUNTS.findall(match.group()):
        if word in ("passed", "pass", "passing", "successful"):
            counts["passed"] += int(number)
            seen = True
        elif word not in ("skipped", "todo"):
            counts["failed"] += int(number)
            seen = True
    if not seen:
        return Says.NOTHING, None, None
    return (Says.FAIL if counts["failed"] else Says.PASS), counts["passed"], counts["failed"]


def _word(group: int, passing: str) -> Reading:
    """A row whose `group` is `passing`, or means failure."""

    def read(match: Match) -> tuple[Says, int | None, int | None]:
        return (Says.PASS if match.group(group) == passing else Says.FAIL), None, None

    return read


def _unittest(match: Match) -> tuple[Says, int | None, int | None]:
    total, word, detail = int(match.group(1)), match.group(2), match.group(3) or ""
    bad = sum(int(n) for n in re.findall(r"(?:failures|errors|unexpected successes)=(\d+)", detail))
    if word == "FAILED":
        return Says.FAIL, max(0, total - bad), bad or None
    return (Says.NOTHING if total == 0 else Says.PASS), total, 0


def _maven(match: Match) -> tuple[Says, int | None, int | None]:
    total, failures, errors = (int(match.group(i)) for i in (1, 2, 3))
    bad = failures + errors
    return (Says.FAIL if bad else Says.PASS), max(0, total - bad), bad


def _out_of(match: Match) -> tuple[Says, int | None, int | None]:
    failed, total = int(match.group(1)), int(match.group(2))
    return (Says.FAIL if failed else Says.PASS), max(0, total - failed), failed


def _offenses(match: Match) -> tuple[Says, int | None, int | None]:
    return (Says.PASS if match.group(1) in ("no", "0") else Says.FAIL), None, None


def _total_failures(match: Match) -> tuple[Says, int | None, int | None]:
    total, bad = _number(match.group(1)), sum(_number(g) for g in match.groups()[1:])
    if total == 0 and bad == 0:
        return Says.NOTHING, 0, 0
    return (Says.FAIL if bad else Says.PASS), max(0, total - bad), bad


def _diagnostics(match: Match) -> tuple[Says, int | None, int | None]:
    """The count of ty holds warnings, which do not fail: told apart where all that is counted is shown, or no warning is."""
    warnings = len(re.findall(r"^(?:\S+:\d+:\d+: )?warning\[", match.string, re.MULTILINE))
    if not warnings or "error[" in match.string:
        return Says.FAIL, None, None
    return (Says.PASS if warnings >= int(match.group(1)) else Says.DOUBT), None, None


_WORDS_COUNT = r"[^\d,，、\n]{2,40}(\d+)[,，、]"
_VSTEST = rf"^ *[^\s\d!！]{{2,30}} ?[!！]\s*[-–—:]{_WORDS_COUNT}{_WORDS_COUNT}{_WORDS_COUNT}{_WORDS_COUNT}.* [-–—] ?[\w.+-]+\.(?:dll|exe)\b"
"""`dotnet test` speaks the language of its machine; failed, passed, skipped and total come in this order in all of them."""

P, F, N = Says.PASS, Says.FAIL, Says.NOTHING
_ROWS: tuple[_Row, ...] = (
    _Row("pytest", r"^=*\s*(?:\d+ (?:failed|passed|errors?|skipped|deselected|xfailed|xpassed|warnings?|rerun|subtests? passed)(?:, )?)+ in \d[\d.:]*\s?m?s", _worded),
    _Row("pytest", r"^=*\s*no tests (?:ran|collected)", N),
    _Row("pytest", r"^!+ .*(?:Interrupted: \d+ errors?|stopping after \d+ failures).*!+$", F),
    _Row("pytest", r"^(?:FAILED|ERROR) \S+\.py(?:::\S+.*| - .*|)$", F),
    _Row("pytest", r"^(?:(?:collecting \.\.\. )?ERROR: (?:usage|file or directory not found|not found|found no collectors)|INTERNALERROR>|ImportError while loading conftest)", F),
    _Row("unittest", r"^Ran (\d+) tests? in [\d.]+s\s+(OK|FAILED|NO TESTS RAN)(?: \(([^)\n]*)\))?", _unittest),
    _Row("unittest", r"^FAILED \((?:failures|errors|unexpected successes)=\d+", F),
    _Row("django", r"^System check identified no issues", P),
    _Row("django", r"^System check identified [1-9]\d* issues?", Says.DOUBT),
    _Row("django-error", r"^SystemCheckError: ", F),
    _Row("django-migrations", r"^No changes detected", P),
    _Row("django-migrations", r"^Migrations for '\w+':$", F),
    _Row("unittest", r"^(?:FAIL|ERROR): \w+ \([\w.]+\)", F),
    _Row("govulncheck", r"^Your code is affected by (\d+) vulnerabilit(?:y|ies)", _counted(failed=(1,))),
    _Row("govulncheck", r"^No vulnerabilities found\.", P),
    _Row("go", r"^\s*--- FAIL: \S+ \(|^FAIL\s*$|^FAIL\s+\S+\s+(?:\[(?:build|setup) failed\]|[\d.]+s)|^panic: ", F),
    _Row("go", r"^WARNING: DATA RACE$", F),
    _Row("go", r"^ok\s+\S+\s+(?:[\d.]+s|\(cached\))(?:\s+coverage: .*)?$", P, adds=True),
    _Row("go", r"^\s*--- PASS: ", P),
    _Row("go", r"\[no test files\]|\[no tests to run\]|^testing: warning: no tests to run", N),
    _Row("go", r"^DONE (\d+) tests?(?:, \d+ skipped)?(?:, (\d+) failures?)?(?:, (\d+) errors?)? in", _total_failures),
    _Row("go", r"^(?:SUCCESS|FAIL)! -- (\d+) Passed \| (\d+) Failed", _counted(passed=1, failed=(2,))),
    _Row("golangci-lint", r"^(\d+) issues?[.:]\s*$", _counted(failed=(1,))),
    _Row("golangci-lint", r"^level=error msg=|^The command is terminated due to an error: |^Error: can't load config: ", F),
    _Row("jest", r"^Tests:\s+.*\btotal", _worded),
    _Row("jest", r"^Test Suites:\s+.*\btotal", _worded),
    _Row("jest", r"^FAIL (?:[\w@/-]+ )?\S+\.[cm]?[jt]sx?(?: \([\d.]+ m?s\))?$", F),
    _Row("jest", r"^No tests found", N),
    _Row("vitest", r"^\s*Tests\s+(?:no tests|\d+ (?:failed|passed|skipped|todo).*\(\d+\))", _worded),
    _Row("vitest", r"^\s*Test Files\s+(?:no tests|\d+ (?:failed|passed|skipped).*\(\d+\))", _worded),
    _Row("vitest", r"^\s*Errors\s+\d+ errors?$|Unhandled (?:Rejections?|Errors?) ⎯", F),
    _Row("vitest", r"^ FAIL  \S+\.[cm]?[jt]sx?(?: > \S.*| \[ \S.*)?$", F),
    _Row("vitest", r"^No test files found", N),
    _Row("bun", r"^\s*(\d+) fail$", _counted(failed=(1,))),
    _Row("bun", r"^\s*(\d+) pass$", _counted(passed=1)),
    _Row("bun", r"^\s*(\d+) errors?$", _counted(failed=(1,))),
    _Row("bun", r"^\(fail\) ", F),
    _Row("mocha", r"^\s+(\d+) passing\b", _counted(passed=1)),
    _Row("mocha", r"^\s+(\d+) failing\b", _counted(failed=(1,))),
    _Row("jasmine", r"^(\d+) specs?, (\d+) failures?", _total_failures),
    _Row("node", r"^(?:#|ℹ) pass (\d+)$", _counted(passed=1)),
    _Row("node", r"^(?:#|ℹ) fail (\d+)$", _counted(failed=(1,))),
    _Row("node", r"^Could not find '[^'\n]+'$", F),
    _Row("ava", r"^\s*(\d+) tests? failed$", _counted(failed=(1,))),
    _Row("ava", r"^\s*(\d+) tests? passed$", _counted(passed=1)),
    _Row("ava", r"^\s*✘ \[fail\]: |^\s*(?:\d+ uncaught exceptions?|\d+ unhandled rejections?)$|^\s*✘ .+ exited with a non-zero exit code", F),
    _Row("tap", r"^not ok (?:\d+|-)(?: [^#\n]*)?$", F),
    _Row("tap", r"^# (?:failed|failures?|fail):?\s+(\d+)\b", _counted(failed=(1,))),
    _Row("playwright", r"^\s+(\d+) failed$", _counted(failed=(1,))),
    _Row("playwright", r"^\s+(\d+) passed \(", _counted(passed=1)),
    _Row("cypress", r"All specs passed!", P),
    _Row("cypress", r"\d+ of \d+ failed \(\d+%\)", F),
    _Row("karma", r"Executed (\d+) of \d+(?: \((\d+) FAILED\))?", _total_failures),
    _Row("deno", r"^(?:ok|FAILED) \| (\d+) passed.*\| (\d+) failed", _counted(passed=1, failed=(2,))),
    _Row("cargo-test", r"^test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed", _counted(passed=1, failed=(2,)), adds=True),
    _Row("cargo-test", r"^\s*Summary \[.*\]\s+\d+(?:/\d+)? tests? run: (\d+) passed(?:[^\n]*?, (\d+) failed)?", _counted(passed=1, failed=(2,))),
    _Row("cargo-test", r"^error: (?:test failed|\d+ targets? failed|no test target)", F),
    _Row("cargo", r"^error: (?:could not compile|aborting due to|build failed)", F),
    _Row("cargo", r"^error(?:\[E\d{4}\]): ", F),
    _Row("cargo-build", r"^\s*Finished .*(?:target\(s\)|profile)", P),
    _Row("rustfmt", r"^Diff in /?\S+", F),
    _Row("maven", r"^(?:\[INFO\] )?BUILD SUCCESS$", P),
    _Row("maven", r"^(?:\[(?:ERROR|INFO)\] )?BUILD FAILURE$", F),
    _Row("maven", r"Tests run: (\d+), Failures: (\d+), Errors: (\d+)", _maven),
    _Row("gradle", r"^BUILD SUCCESSFUL\b", P),
    _Row("gradle", r"^BUILD FAILED\b|^FAILURE: Build (?:failed|completed with)", F),
    _Row("gradle", r"^(\d+) tests? completed, (\d+) failed", _total_failures),
    _Row("sbt", r"^\[success\] ", P),
    _Row("sbt", r"^\[error\] .*(?:Compilation failed|unsuccessful|Failed tests)", F),
    _Row("sbt", r"(?:Passed|Failed|Error): Total (\d+), Failed (\d+), Errors (\d+)", _total_failures),
    _Row("dotnet", r"^\s*(?:Passed|Failed)!\s+- Failed:\s+(\d+), Passed:\s+(\d+)", _counted(passed=2, failed=(1,)), adds=True),
    _Row("dotnet", _VSTEST, _counted(passed=2, failed=(1,)), adds=True),
    _Row("dotnet", r"Test summary: total: (\d+), failed: (\d+)", _total_failures),
    _Row("dotnet", r"^\s*(?:Build succeeded|Test Run Successful|Restore complete)\b", P),
    _Row("dotnet", r"^\s*(?:Build FAILED|Build failed with|Test Run Failed)|^\s*[1-9]\d* Error\(s\)", F),
    _Row("rspec", r"^(\d+) examples?, (\d+) failures?(?:, \d+ pending)?(?:, (\d+) errors? occurred outside of examples)?", _total_failures),
    _Row("minitest", r"^(\d+) (?:runs|tests), \d+ assertions, (\d+) failures, (\d+) errors", _total_failures),
    _Row("rubocop", r"^\d+ files? inspected, (no|\d+) offenses? detected", _offenses),
    _Row("phpunit", r"^OK(?:, but .*)? ?\((\d+) tests?", _counted(passed=1)),
    _Row("phpunit", r"^(?:FAILURES|ERRORS)!$", F),
    _Row("phpunit", r"^Tests: (\d+), Assertions: \d+(?:, Errors: (\d+))?(?:, Failures: (\d+))?", _total_failures),
    _Row("phpunit", r"^\s*Tests:\s+\d+ (?:failed|passed|skipped).*\(\d+ assertions?\)", _worded),
    _Row("phpunit", r"^No tests executed!", N),
    _Row("phpunit", r"^ ✘ \S", F),
    _Row("php", r"^No syntax errors detected in ", P),
    _Row("php", r"^Errors parsing |^(?:PHP )?Parse error: ", F),
    _Row("phpstan", r"\[OK\] No errors|^No errors found!", P),
    _Row("phpcs", r"^FOUND \d+ (?:ERROR|WARNING)S?(?: AND \d+ WARNINGS?)? AFFECTING \d+ LINES?$", F),
    _Row("phpcs", r"^ *\d+ \| ERROR +\| \S", F),
    _Row("phpstan", r"\[ERROR\] Found \d+ errors?|^\d+ errors found$|^\[[a-zA-Z]\w*(?:\.\w+)+\] [1-9]\d* occurrences?:$", F),
    _Row("violations", r"^[ \t]*(?:[-*] )?[Vv]iolations:?[ \t]+(\d+)[ \t]*$", _counted(failed=(1,))),
    _Row("ctest", r"^\d+% tests passed, (\d+) tests? failed out of (\d+)", _out_of),
    _Row("ctest", r"^No tests were found!!!", N),
    _Row("cmake", r"^\[100%\] (?:Built target|Linking) ", P),
    _Row("cmake", r"^ninja: no work to do\.$", P),
    _Row("gtest", r"^\[  PASSED  \] (\d+) tests?", _counted(passed=1)),
    _Row("gtest", r"^\[  FAILED  \] (?:\S+: )?(\d+) tests?(?:\(s\))?, listed below", _counted(failed=(1,))),
    _Row("catch2", r"^All tests passed \(", P),
    _Row("catch2", r"^test cases:\s+\d+ \|.*\b(\d+) failed", _counted(failed=(1,))),
    _Row("catch2", r"^\[doctest\] Status: (SUCCESS|FAILURE)!", _word(1, "SUCCESS")),
    _Row("meson", r"^Ok:\s+(\d+)\s*$", _counted(passed=1)),
    _Row("meson", r"^(?:Fail|Timeout|Unexpected Pass):\s+(\d+)\s*$", _counted(failed=(1,))),
    _Row("swift", r"Executed (\d+) tests?, with (?:\d+ tests? skipped and )?(\d+) failures?", _total_failures),
    _Row("swift", r"Test run with \d+ tests?.* (passed|failed) after", _word(1, "passed")),
    _Row("swift", r"^\*\* (?:TEST|BUILD|ANALYZE|ARCHIVE)[A-Z ]* (SUCCEEDED|FAILED) \*\*", _word(1, "SUCCEEDED")),
    _Row("swift", r"^Build complete!|^Build of (?:target|product): '[^']+' complete!|^Compiling Swift.*complete", P),
    _Row("xcsift", r"^status: (success|failed)\n(?:summary:\n)?\s*(?:errors|warnings|failed_tests|linker_errors|passed_tests): \d", _word(1, "success")),
    _Row("xcsift", r"^(?:errors|linker_errors|failed_tests)\[[1-9]\d*\]\{[\w,]+\}:$", F),
    _Row("swiftlint", r"Done linting! Found \d+ violations?, (\d+) serious", _counted(failed=(1,))),
    _Row("exunit", r"^(?:\d+ (?:doctests?|properties|property), )*(\d+) tests?, (\d+) failures?", _total_failures),
    _Row("credo", r"^\d+ mods?/funs?, found (no issues|\d.*)\.$", _word(1, "no issues")),
    _Row("dialyzer", r"^done \((passed|warnings were emitted)", _word(1, "passed")),
    _Row("bazel", r"Build completed successfully|^Executed \d+ out of \d+ tests?: \d+ tests? pass", P),
    _Row("bazel", r"Build did NOT complete successfully|^Executed \d+ out of \d+ tests?:.* fails?\b|^\S+\s+FAILED in \d", F),
    _Row("docker", r"^ERROR: failed to (?:solve|build)|^failed to solve:|target \S+: failed to solve|returned a non-zero code: \d+", F),
    _Row("docker", r"^Successfully (?:built|tagged) |naming to \S+ (?:\S+ )?done|^\s*(?:Service|Image) \S+\s+Built", P),
    _Row("terraform", r"^Success! The configuration is valid", P),
    _Row("terraform", r"^[│╷|]\s*Error: \S", F),
    _Row("terraform", r"^Success! (\d+) passed, (\d+) failed|^Failure! (\d+) passed", _worded),
    _Row("helm", r"^(\d+) chart\(s\) linted, (\d+) chart\(s\) failed", _total_failures),
    _Row("dart", r"All tests passed!|^No issues found!", P),
    _Row("dart", r"Some tests failed\.|^\d+ issues? found\.", F),
    _Row("tsc", r"^Found (\d+) errors? in (?:\S+:\d+|\d+ files\.|the same file)|^Found (\d+) errors?\. Watching", _counted(failed=(1, 2))),
    _Row("tsc", r"(?:^|[\s:])error TS\d{4,5}:", F),
    _Row("eslint", r"✖ \d+ problems? \((\d+) errors?, \d+ warnings?\)", _counted(failed=(1,))),
    _Row("eslint", r"^ESLint found too many warnings \(maximum: \d+\)", F),
    _Row("oxlint", r"^Found \d+ warnings? and (\d+) errors?", _counted(failed=(1,))),
    _Row("oxfmt", r"^All matched files use the correct format\.", P),
    _Row("oxfmt", r"^Format issues found in above \d+ files?", F),
    _Row("biome", r"^Found (\d+) errors?\.", _counted(failed=(1,))),
    _Row("biome", r"Some (?:errors|warnings) were emitted while (?:running|applying)", F),
    _Row("biome", r"^Checked \d+ files? in ", P),
    _Row("prettier", r"All matched files use Prettier code style!", P),
    _Row("prettier", r"Code style issues found in", F),
    _Row("all-checks", r"^All checks passed!", P),
    _Row("ruff", r"^Found (\d+) errors?(?:\.$| \(\d+ fixed, (\d+) remaining\))", lambda m: (F if _number(m.group(2) if m.group(2) else m.group(1)) else P, None, None)),
    _Row("ruff", r"^\[\*\] \d+ fixable with |^No fixes available \(\d+ hidden fix", F),
    _Row("ruff", r"^\d+ files? would be reformatted", F),
    _Row("ruff", r"^\d+ files? already formatted", P),
    _Row("black", r"^\d+ files? would be left unchanged\.$", P),
    _Row("black", r"^Oh no! |^would reformat ", F),
    _Row("isort", r"^ERROR: .* Imports are incorrectly sorted", F),
    _Row("ty", r"^Found (\d+) diagnostics?$", _diagnostics),
    _Row("ty-line", r"^(?:\S+:\d+:\d+: )?error\[[a-z]+(?:-[a-z]+)+\]", F),
    _Row("mypy", r"^Success: no issues found", P),
    _Row("mypy", r"^Found (\d+) errors? in \d+ files?", _counted(failed=(1,))),
    _Row("pyright", r"^(\d+) errors?, \d+ warnings?", _counted(failed=(1,))),
    _Row("tox", r"^\s*congratulations :\)", P),
    _Row("tox", r"^\s*evaluation failed :\(|^ERROR:\s+\S+: commands failed", F),
    _Row("nox", r"nox > Session \S+ was successful", P),
    _Row("nox", r"nox > Session \S+ (?:failed|aborted)|nox > \* \S+: failed", F),
    _Row("pre-commit", r"^\S.*\.{3,}\s*(?:\([^)]*\))?Failed$", F),
    _Row("pre-commit", r"^\S.*\.{3,}\s*Passed$", P),
    _Row("turbo", r"^\s*Tasks:\s+(\d+) successful, (\d+) total", lambda m: (P if m.group(1) == m.group(2) else F, None, None)),
    _Row("turbo", r"^\s*(?:ERROR\s+run failed|Failed:\s+\S+#\S+)", F),
    _Row("nx", r"NX\s+Successfully ran target", P),
    _Row("nx", r"NX\s+(?:Running|Ran) targets? .*failed|^\s*✖\s+\d+/\d+ (?:targets? )?failed", F),
    _Row("bundler", r"^Failed to compile|error during build|^\s*[x✗✘] Build failed|Build error occurred|^Error: Build failed|bundle generation failed|compiled with \d+ errors?|^\s*(?:CLI|ESM|CJS|DTS) .*(?:Build failed|error)|Export encountered errors", F),
    _Row("bundler", r"[✓✔] built in |compiled successfully|Compiled successfully|bundle generation complete|(?:ESM|CJS|DTS|CLI) .*Build success|^created \S+ in |^Route \((?:app|pages)\) ", P),
    _Row("bundler", r"^✘ \[ERROR\] ", F),
    _Row("bundler", r"^⚡ Done in \d+m?s$", P),
    _Row("svelte", r"svelte-check found (\d+) errors?", _counted(failed=(1,))),
    _Row("svelte", r"^- (\d+) errors?$", _counted(failed=(1,))),
    _Row("prove", r"^Result: (PASS|FAIL)", _word(1, "PASS")),
    _Row("busted", r"^(\d+) success(?:es)? / (\d+) failures? / (\d+) errors?", _counted(passed=1, failed=(2, 3))),
    _Row("testthat", r"\[ FAIL (\d+) \| WARN \d+ \| SKIP \d+ \| PASS (\d+) \]", _counted(passed=2, failed=(1,))),
    _Row("julia", r"Some tests did not pass: (\d+) passed, (\d+) failed, (\d+) errored", _counted(passed=1, failed=(2, 3))),
    _Row("clojure", r"^(\d+) failures?, (\d+) errors?\.", lambda m: (F if int(m.group(1)) + int(m.group(2)) else P, None, int(m.group(1)) + int(m.group(2)))),
    _Row("zig", r"^All (\d+) tests passed", _counted(passed=1)),
    _Row("zig", r"^(\d+) passed; \d+ skipped; (\d+) failed|Build Summary: .*\bfailed", lambda m: (F if m.group(1) is None or _number(m.group(2)) else P, None, None)),
    _Row("forge", r"^Suite result: (ok|FAILED)\.", _word(1, "ok")),
    _Row("counts", r"\b(\d+) passed(?:,| and|;|/| \|)? *(\d+) failed", _counted(passed=1, failed=(2,))),
    _Row("counts", r"\b(\d+) failed(?:,| and|;|/| \|)? *(\d+) passed", _counted(passed=2, failed=(1,))),
    _Row("counts", r"\b(\d+)/(\d+) (?:tests? )?passed\b", lambda m: (P if m.group(1) == m.group(2) else F, int(m.group(1)), max(0, int(m.group(2)) - int(m.group(1))))),
    _Row("counts", r"PASS \((\d+)\) FAIL \((\d+)\)", _counted(passed=1, failed=(2,))),
    _Row("counts", r"^[A-Z][\w ]{1,20}: (?:[1-9]\d*) (?:errors?|issues?|problems?)(?:, \d+ warnings?)?$", Says.DOUBT),
    _Row("coverage", r"Required test coverage of \S+ not reached|[Cc]overage (?:threshold|for) .*\b(?:not met|does not meet)\b|^Coverage failure: ", F),
    _Row("runner", r'^error: script "[^"]+" (?:exited with code|was terminated)|^npm (?:ERR!|error) (?:Lifecycle script|code ELIFECYCLE|code \d+$|Test failed|command failed)|^error Command failed with exit code|ELIFECYCLE\s+Command failed|ERR_PNPM_RECURSIVE', F),
    _Row("runner", r"^\[[^\]\n]+\] ERROR task failed|^error: [Rr]ecipe .* failed|^task: Failed to run task|^(?:g?make|ninja|mingw32-make)(?:\[\d+\])?: (?:\*\*\* .*(?:Error|Stop)|build stopped)|^Script .+ handling the \S+ event returned with error code \d+$", F),
    _Row("missing", r"^(?:[\w./-]+: )?(?:line \d+: |\d+: )?[\w./@-]+: (?:command not found|not found|No such file or directory)$|^error: unrecognized subcommand|^npm (?:ERR!|error) Missing script|^error: Script not found|^error Command \"[^\"]+\" not found|ERR_PNPM_NO_SCRIPT|^zsh: command not found", F),
    _Row("missing", r'^service "[^"]+" is not running|^Error response from daemon: .*is not running|Cannot connect to the Docker daemon', F),
    _Row("missing", r"^\S*python[\d.]*: No module named \S+$|^\S*python[\d.]*: can't open file|^Error: Cannot find module '[^']+'$|No such file or directory: 'pytest'", F),
)  # fmt: skip


def _compiled() -> tuple[Any, tuple[tuple[_Row, re.Pattern[str]], ...]]:
    scanner = re2.Set.SearchSet()
    patterns = []
    for row in _ROWS:
        scanner.Add("(?m)" + row.pattern)
        patterns.append((row, re.compile(row.pattern, re.MULTILINE)))
    scanner.Compile()
    return scanner, tuple(patterns)


_SCANNER, _PATTERNS = _compiled()


def read_summaries(output: str) -> list[Found]:
    """Every summary in `output`, in the order of the table; a row that occurs often counts once, its last match (or the sum)."""
    if not output:
        return []
    found: list[Found] = []
    for index in sorted(_SCANNER.Match(output) or ()):
        row, pattern = _PATTERNS[index]
        if isinstance(row.reads, Says):
            found.append(Found(row.family, row.reads))
            continue
        matches = list(pattern.finditer(output))
        if not matches:
            continue
        if not row.adds:
            found.append(Found(row.family, *row.reads(matches[-1])))
            continue
        readings = [row.reads(match) for match in matches]
        says = Says.FAIL if any(reading[0] is Says.FAIL for reading in readings) else readings[-1][0]
        found.append(Found(row.family, says, _sum(r[1] for r in readings), _sum(r[2] for r in readings)))
    return found


def _sum(counts: Any) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
