"""Verdicts of goals out of output and exit code."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.commands.command_meaning import meaning_of
from debug_loop_pipeline.compute.commands.error_cutting import without_task_prefixes
from debug_loop_pipeline.compute.commands.runner_words import nameless_banners
from debug_loop_pipeline.compute.commands.shell_status import Told, commands_of
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.verdicts import Judged, Others, Output, call_verdict, exit_code_in, judge
from debug_loop_pipeline.models.base import Verdict


def judged(
    line: str, text: str, code: int | None = None, files: TaskFiles | None = None, **state: bool
) -> list[Judged]:
    goals = []
    changes = others = False
    for ran in commands_of(line, "/repo", code, text):
        meaning = meaning_of(ran, files or TaskFiles(), "/repo")
        if meaning.goal is not None:
            goals.append((ran, meaning.goal))
        elif meaning.action == "change" and not goals:
            changes = True
        elif ran.may_have_failed:
            others = True
    return judge(goals, Output(text, code, **state), Others(changes, others))


def verdict(line: str, text: str, code: int | None = None, files: TaskFiles | None = None) -> str:
    found = call_verdict([one.verdict for one in judged(line, text, code, files)])
    return found.value if found else "none"


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        ("go test", 0, "passed"),
        ("go test", 1, "failed"),
        ("cd a && go test", 1, "failed"),
        ("go test | tail", 0, "hidden"),
        ("set -o pipefail; go test | tail", 1, "failed"),
        ("go test || true", 0, "hidden"),
        ("go test || exit 1", 0, "passed"),
        ("go test; echo done", 0, "hidden"),
        ("go test && echo OK", 0, "passed"),
        ("go vet && go test", 1, "suspect"),
        ("(cd a && go test)", 2, "failed"),
        ("bash -lc 'go test'", 1, "failed"),
        ("time go test", 1, "failed"),
        ("! go test", 0, "hidden"),
        ("go test > log 2>&1; rc=$?; cat log; exit $rc", 1, "failed"),
        ("set -e\ngo vet\ngo test", 0, "passed"),
        ("cd a; go test | tail; exit ${PIPESTATUS[0]}", 1, "failed"),
        ("go vet && go test | tail", 1, "unreached"),
        ("go vet && go generate && go test 2>&1 | tail -3", 1, "unreached"),
        ("go test | tail && go vet", 1, "hidden"),
        ("set -o pipefail && go vet && go test | tail", 1, "suspect"),
        ("cd a && go test | tail", 1, "hidden"),
    ],
)
def test_the_exit_code_of_a_line_is_told_apart_from_that_of_its_commands(line: str, code: int, told: str) -> None:
    (ran,) = [r for r in commands_of(line, "", code) if r.words[:2] == ["go", "test"]]
    assert ran.told is Told(told)


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ('pytest; echo "exit: $?"', "...\nexit: 1\n", "fail"),
        ("pytest -q; echo EXIT=$?", "...\nEXIT=0\n", "pass"),
        ("npx tsc --noEmit 2>&1 | tail -5; echo ${PIPESTATUS[0]}", "0\n", "pass"),
        ("cd web; npx tsc --noEmit | head -5; echo rc=${PIPESTATUS[0]}", "rc=2\n", "fail"),
        ("make build | tee log | tail -5; echo rc=${PIPESTATUS[1]}", "rc=0\n", "pass"),
        ("make build | tail -5; echo rc=$pipestatus[1]", "error-free\nrc=1\n", "fail"),
        ("pytest -q | tail -5; rc=${PIPESTATUS[0]}; echo rc=$rc", "F\nrc=1\n", "fail"),
        ("pytest -q > log 2>&1; rc=$?; echo rc=$rc", "rc=1\n", "fail"),
        ("set -o pipefail; make build | tail -5; echo rc=$?", "x\nrc=1\n", "fail"),
        ("set -o pipefail; make build | tail -5; echo rc=$?", "x\nrc=0\n", "pass"),
        ("go vet ./... && echo VET_OK || echo VET_BAD", "x.go: bad\nVET_BAD\n", "fail"),
        ("go vet ./... && echo VET_OK", "VET_OK\n", "pass"),
        ('out=$(npm test 2>&1); echo "rc=$?"; echo "$out" | tail -3', "rc=1\nfoo\n", "fail"),
    ],
)
def test_exit_codes_that_the_line_prints_are_read(line: str, text: str, expected: str) -> None:
    assert verdict(line, text, 0 if "&&" not in line or "OK" in text else None) == expected


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("tsc --noEmit && echo TYPES OK; eslint . && echo LINT OK; ls", "TYPES OK\na.ts\n", ["pass", "fail"]),
        ("make lint >/dev/null 2>&1 && echo 'clean so far'\nmake build && echo built", "built\n", ["fail", "pass"]),
        ("pytest -q >/dev/null 2>&1 || echo BROKEN; git status --short", " M a.py\n", ["pass"]),
        # the word may be in what was left out, or have gone elsewhere
        ("make lint >/dev/null && echo LINTED; cat log", "a\n[12 lines truncated]\nb\n", ["unclear"]),
        ("make lint >/dev/null && echo LINTED > log; cat a", "a\n", ["unclear"]),
        ("(make lint >/dev/null && echo LINTED; cat a) | tail -1", "a\n", ["unclear"]),
        ('make lint >/dev/null && echo "LINTED $PWD"; cat a', "a\n", ["unclear"]),
    ],
)
def test_a_word_that_stands_for_success_and_was_not_printed_tells_a_failure(
    line: str, text: str, expected: list[str]
) -> None:
    assert [one.verdict.value for one in judged(line, text, 0)] == expected


@pytest.mark.parametrize(
    ("line", "text", "code", "expected"),
    [
        # a failure summary wins over the exit code
        ("npm test || true", "Tests:       1 failed, 3 passed, 4 total\n", 0, "fail"),
        ("pytest | tee log", "=== 1 failed, 2 passed in 0.10s ===\n", 0, "fail"),
        ("go test ./... 2>&1 | grep -v 'no test files' | grep -v '^ok' | head", "", None, "pass"),
        ("go test ./... 2>&1 | grep -vE '^ok|no test files'", "(Bash completed with no output)", 1, "pass"),
        ("go test ./... 2>&1 | grep -v '^ok'", "FAIL\tm/a [build failed]\nFAIL\n", 0, "fail"),
        ("go test ./... 2>&1 | grep -vE 'ok|FAIL'", "", 1, "unclear"),
        ("pytest -q | grep -v passed", "", 1, "unclear"),
        ("npx tsc --noEmit | grep -E 'src/(cart|price)'", "", 1, "pass"),
        ("npx tsc --noEmit | grep cart.ts", "src/cart.ts(1,2): error TS2322: no\n", 0, "fail"),
        ("npx tsc --noEmit | grep Cart", "", 1, "unclear"),
        ("npm test | grep src/cart.test.ts", "", 1, "unclear"),
        ("govulncheck ./... | grep affected", "Your code is affected by 2 vulnerabilities from 1 module.\n", 0, "fail"),
        ("govulncheck ./... | tail -2", "Your code is affected by 0 vulnerabilities.\nmore in modules you require\n", 0, "pass"),
        ("go run example.com/sniff/cmd/actionlint@v1 a.yml | head", "a.yml:2:9: unexpected key [syntax-check]\n", 0, "fail"),
        ("vendor/bin/phpunit --testdox | head -3", "Cart (App\\CartTest)\n ✔ Starts empty\n ✘ Adds a line\n", 0, "fail"),
        ("vendor/bin/phpunit --testdox | head -3", "Cart (App\\CartTest)\n ✔ Starts empty\n ✔ Adds a line\n", 0, "unclear"),
        ("php -l src/a.php | tail -1", "No syntax errors detected in src/a.php\n", 0, "pass"),
        ("for f in a b; do php -l $f; done", "No syntax errors detected in a\nErrors parsing b\n", 0, "fail"),
        ("make test | tail -4", "status: failed\nsummary:\n  errors: 0\n  failed_tests: 2\n", 0, "fail"),
        ("swift test | grep -A2 status", "status: success\n  errors: 0\n  passed_tests: 9\n", 0, "pass"),
        ("make | grep -A3 'errors.3'", "errors[3]{file,line,message}:\n  null,null,fatalError\n", 0, "fail"),
        ("swift build --target App | tail -2", "[9/9] Linking\nBuild of target: 'App' complete! (2.1s)\n", 0, "pass"),
        ("curl -s /status; make test | tail -3", "status: success\nbusy: 1\nmake: *** [test] Error 1\n", 0, "fail"),
        ("L=/tmp/l.txt; go build ./... > $L 2>&1; tail -5 $L", "a.go:3:1: undefined: x\n", 0, "fail"),
        ("go test ./... | tail -3", "--- FAIL: TestA (0.00s)\nFAIL\nFAIL\tx\t0.1s\n", 0, "fail"),
        ("make test; true", "make: *** [Makefile:3: test] Error 2\n", 0, "fail"),
        # the exit code over a pass summary
        ("npm test", "Tests:       4 passed, 4 total\nerror: coverage below threshold\n", 1, "fail"),
        ("cargo test", "test result: ok. 3 passed; 0 failed; 0 ignored\nerror: test failed\n", 101, "fail"),
        # a hidden exit code and a summary
        ("pytest 2>&1 | tail -3", "5 passed in 0.50s\n", 0, "pass"),
        ("bun test | tail -5", " 12 pass\n 0 fail\nRan 12 tests across 2 files.\n", 0, "pass"),
        ("cargo test 2>&1 | grep 'test result'", "test result: ok. 3 passed; 0 failed; 0 ignored\n", 0, "pass"),
        ("npm run lint | tail -3", "✖ 3 problems (1 error, 2 warnings)\n", 0, "fail"),
        ("npx eslint . | tail -3", "✖ 2 problems (0 errors, 2 warnings)\n", 0, "pass"),
        ("mvn test | tail -20", "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0\n[INFO] BUILD SUCCESS\n", 0, "pass"),
        ("./gradlew test | tail", "BUILD FAILED in 3s\n", 0, "fail"),
        ("dotnet test | tail -3", "Failed!  - Failed:     1, Passed:     2, Skipped:     0, Total:     3\n", 0, "fail"),
        ("dotnet test | tail -2", "Fehler!      : Fehler:     1, erfolgreich:     5, übersprungen:     0, gesamt:     6, Dauer: 9 ms - A.dll (net8.0)\r\n", 0, "fail"),
        ("dotnet test | tail -2", "Réussi! - échec : 0, réussite : 5, ignorée(s) : 0, total : 5, durée : 9 ms - A.dll (net8.0)\n", 0, "pass"),
        ("dotnet test | tail -2", "成功!   -失敗:     0、合格:     5、スキップ:     0、合計:     5、期間: 9 ms - A.dll (net8.0)\n", 0, "pass"),
        ("uvx ty check . | tail -2", "Found 2 diagnostics\n", 0, "fail"),
        ("ty check | tail -2", "All checks passed!\n", 0, "pass"),
        ("ty check | tail -20", "warning[possibly-unbound-attribute]: maybe\n --> a.py:1:8\n\nFound 1 diagnostic\n", 0, "pass"),
        ("ty check | tail -2", "a.py:3:1: warning[unused-ignore] maybe\nFound 5 diagnostics\n", 0, "unclear"),
        # a hidden exit code, no summary: complete output counts, cut output does not
        ("npx tsc --noEmit 2>&1 | head -20", "", 0, "pass"),
        ("npx tsc --noEmit 2>&1 | head -20", "src/a.ts(1,2): error TS2345: no\n", 0, "fail"),
        ("go build ./... 2>&1 | head -5", "", 0, "pass"),
        ("go vet ./... 2>&1 | head -3", "# x\nx/a.go:1:2: undefined: y\n", 0, "fail"),
        ("npm test 2>&1 | head -3", "> test\n> jest\nrunning\n", 0, "unclear"),
        ("npm run build 2>&1 | tail -3", "> a@1 build\n> tsc\n\n", 0, "pass"),
        ("pytest 2>/dev/null | head -100", "", 0, "unclear"),
        ("npm run lint | grep -A5 'a.tsx'", "", 0, "unclear"),
        ("npm run check 2>&1 | grep 'error TS'", "", 1, "pass"),
        ("npm run check 2>&1 | grep 'error TS' | wc -l", "       0\n", 0, "pass"),
        ("npx tsc --noEmit | grep -c error", "3\n", 0, "fail"),
        ("mise run lint 2>&1 | grep -v '^$'", "0 issues.\n", 0, "pass"),
        ("cargo build 2>&1 | grep -E '^(warning|error)' | head -20", "warning: unused variable\n", 0, "pass"),
        ("cargo build 2>&1 | grep -E '^(warning|error)' | head -20", "error[E0308]: mismatched types\n", 0, "fail"),
        ("go test ./... 2>&1 | grep -E '^(FAIL|---)'", "", 1, "pass"),
        ("go test ./... 2>&1 | grep -E 'FAIL|ok'", "", 1, "unclear"),
        ("go test ./... 2>&1 | grep -v 'no test files'", "ok  \tm/y\t0.1s\n", 0, "pass"),
        ("npx jest --watchAll=false", "Tests:       4 passed, 4 total\n", 0, "pass"),
        ("pnpm vitest run | tail -4", " Test Files  1 passed (1)\n      Tests  3 passed (3)\n", 0, "pass"),
        ("timeout 60 npm test", "> jest\nrunning\n", 124, "fail"),
        ("(no output)", "", 0, "none"),
        ("npm run check 2>&1 | grep error", "(no output)", 0, "pass"),
        ("go build ./... && go test ./... 2>&1 | tail -5", "a.go:1:2: undefined: x\n", 1, "fail"),
        ("git add -A && git commit -m x && npm run lint", "nothing to commit, working tree clean\n", 1, "unclear"),
        ("make 2>&1 | tail -30", "a.c:3:5: warning: unused variable 'x' [-Wunused-variable]\ncc -o a a.c\n", 0, "pass"),
        ("cmake --build build 2>&1 | tail -2", "[ 87%] Linking CXX executable t\n[100%] Built target t\n", 0, "pass"),
        ("mix credo | tail -2", "66 mods/funs, found no issues.\n\n", 0, "pass"),
        ("mix credo | tail -2", "66 mods/funs, found 1 refactoring opportunity.\n\n", 0, "fail"),
        ("nox -s tests | tail -1", "nox > Session tests was successful.\n", 0, "pass"),
        ("./scripts/test.sh | tail -4", "ok  \tm/a\t0.1s\n==> 1 failed, 12 passed\n", 0, "fail"),
        ("pytest --cov-fail-under=90 | tail -3", "FAIL Required test coverage of 90% not reached. Total coverage: 89.10%\n54 passed in 3.40s\n", 0, "fail"),
        ("npx nx run-many -t lint test | tail -3", " NX   Ran targets lint, test for 6 projects (21s)\n\n   ✖  1/14 targets failed, including the following:\n", 0, "fail"),
        ("npx tsc --noEmit && npm run build 2>&1 | tail -3", "Route (app)     Size\n┌ ○ /           5 kB\n└ ○ /calendar   3 kB\n", 0, "pass"),
        ("./gradlew assembleDebug 2>&1 | grep -E '^e:|BUILD' | head", "e: file:///r/A.kt:22:5 Unresolved reference: B\nBUILD FAILED in 4s\n", 0, "fail"),
        ("npx jasmine | tail -2", "3 specs, 1 failure\nFinished in 0.01 seconds\n", 0, "fail"),
        ("docker compose exec -T app rspec | tail", 'service "app" is not running\n', 0, "fail"),
        # formatters that exit 0
        ("gofmt -l .", "a.go\n", 0, "fail"),
        ("gofmt -l .", "", 0, "pass"),
        ("gofmt -d a.go", "diff a.go.orig a.go\n--- a.go.orig\n+++ a.go\n", 0, "fail"),
        # nothing was checked
        ("go test ./x", "?   \tm/x\t[no test files]\n", 0, "unclear"),
        ("go test ./x -run Y", "ok  \tm/x\t0.1s [no tests to run]\n", 0, "unclear"),
        ("go test ./...", "?   \tm/x\t[no test files]\nok  \tm/y\t0.1s\n", 0, "pass"),
        ("pytest -k nothing", "=== 5 deselected in 0.01s ===\n", 5, "unclear"),
        ("npx jest x", "No tests found, exiting with code 1\n", 1, "unclear"),
        # passing tests print errors too
        ("bun test", "error: boom\n      at x.ts:1:2\n 5 pass\n 0 fail\n", 0, "pass"),
        ("go test ./...", "2024/01/01 error: retrying\nok  \tm/y\t0.1s\n", 0, "pass"),
        # wrappers and missing programs
        ("rtk bun run test 2>&1 | tail -20", "error: unrecognized subcommand 'bun'\n", 0, "fail"),
        ("npm run test:x 2>&1 | tail", 'npm error Missing script: "test:x"\n', 0, "fail"),
        ("pytest -q | tail", "bash: pytest: command not found\n", 0, "fail"),
    ],
)  # fmt: skip
def test_verdicts_follow_summary_exit_code_and_what_is_seen(line: str, text: str, code: int, expected: str) -> None:
    assert verdict(line, text, code) == expected


def test_the_name_that_mise_puts_before_what_a_task_prints_is_no_part_of_it() -> None:
    text = (
        "[check:go] $ golangci-lint run\n[check:sh] Finished in 3ms\n[check:go] a.go:3:5: bad thing (revive)\n"
        "[check:go] 1 issues:\n[check:go] * revive: 1\n[note] kept\n[check:go] ERROR task failed\n"
    )
    (one,) = judged("mise run check", text, 1)
    assert [(e.message, e.path, e.line) for e in one.errors] == [("bad thing (revive)", "a.go", 3)]
    assert without_task_prefixes(text).count("[") == 4


def test_a_failed_and_list_blames_the_goal_whose_errors_show() -> None:
    text = "a.go:1:2: bad thing (revive)\n1 issues:\n* revive: 1\n"
    (lint,) = judged("mise run lint && mise run test", text, 1)
    assert (lint.goal.tool, lint.verdict) == ("mise run lint", Verdict.FAIL)
    tests = judged(
        "npx tsc --noEmit && npx vitest run",
        " FAIL  a.test.ts > x\nAssertionError: no\n Test Files  1 failed (1)\n      Tests  1 failed (1)\n",
        1,
    )
    assert [(j.goal.tool, j.verdict.value) for j in tests] == [("tsc", "pass"), ("vitest", "fail")]


def test_a_failed_and_list_whose_summaries_all_pass_has_failed_where_it_ended() -> None:
    text = "ok  \tm/a\t0.1s\n==> integration\nconnection refused\n"
    found = judged("go vet ./... && ./scripts/test.sh", text, 1)
    assert [(j.goal.tool, j.verdict.value) for j in found] == [("go vet", "pass"), ("./scripts/test.sh", "fail")]


def test_a_build_before_the_tests_is_not_blamed_for_their_failures() -> None:
    text = (
        "[100%] Built target t\n[ RUN      ] A.b\n/r/t.cpp:3: Failure\nno\n[  FAILED  ] A.b (0 ms)\n\n"
        "0% tests passed, 1 tests failed out of 1\n"
    )
    found = judged("cmake --build build 2>&1 | tail -5 && ctest --test-dir build", text, 8)
    assert [(j.goal.tool, j.verdict.value) for j in found] == [("cmake --build", "pass"), ("ctest", "fail")]


def test_a_failing_build_is_not_blamed_on_the_tests_behind_it() -> None:
    (build,) = judged("go build ./... && go test ./... 2>&1 | tail -5", "a.go:1:2: undefined: x\n", 1)
    assert (build.goal.tool, build.verdict) == ("go build", Verdict.FAIL)


def test_a_runner_that_names_the_failed_script_decides() -> None:
    text = "> eslint .\n\n> tsc --noEmit\n\nsrc/a.ts(1,2): error TS2304: no\nnpm error Lifecycle script `typecheck` failed with error:\n"
    found = judged("npm run lint && npm run typecheck && npm test", text, 2)
    assert [(j.goal.tool, j.verdict.value) for j in found] == [("npm run lint", "pass"), ("npm run typecheck", "fail")]


def test_tools_in_a_row_each_have_their_own_errors() -> None:
    text = "All checks passed!\n12 files already formatted\nsrc/a.py:1: error: no  [misc]\nFound 1 error in 1 file (checked 2 source files)\n"
    found = judged("ruff check . && ruff format --check . && mypy src && pytest -q", text, 1)
    assert [(j.goal.tool, j.verdict.value) for j in found] == [
        ("ruff check", "pass"),
        ("ruff format", "pass"),
        ("mypy", "fail"),
    ]
    both = judged(
        "npx tsc --noEmit; npx eslint .", "/r/a.ts\n  1:2  error  no  semi\n\n✖ 1 problem (1 error, 0 warnings)\n", 1
    )
    assert [(j.goal.tool, j.verdict.value) for j in both] == [("tsc", "pass"), ("eslint", "fail")]


def test_what_two_checkers_say_when_all_is_well_speaks_for_each_where_it_shows_no_error() -> None:
    line = "ruff check . | tail -3; uvx ty check . | tail -3"
    found = judged(line, "All checks passed!\nFound 1 diagnostic\n", 0)
    assert [(j.goal.tool, j.verdict.value) for j in found] == [("ruff check", "pass"), ("ty check", "fail")]
    shown = judged("ruff check .; ty check . | grep error", "All checks passed!\na.py:1:8: error[bad-call] no\n", 0)
    assert [(j.goal.tool, j.verdict.value) for j in shown] == [("ruff check", "pass"), ("ty check", "fail")]
    well = judged(line, "All checks passed!\nAll checks passed!\n", 0)
    assert [(j.goal.tool, j.verdict.value) for j in well] == [("ruff check", "pass"), ("ty check", "pass")]


def test_a_build_whose_lines_stand_behind_checks_that_passed_has_its_own_verdict() -> None:
    found = judged("npx tsc --noEmit && npx eslint . && npm run build 2>&1 | tail -2", "a 5 kB\nb 3 kB\n", 0)
    assert [(j.goal.tool, j.verdict.value) for j in found] == [
        ("tsc", "pass"),
        ("eslint", "pass"),
        ("npm run build", "pass"),
    ]


def test_errors_picked_by_the_form_of_the_compiler_are_all_of_them() -> None:
    text = "e: file:///r/A.kt:22:5 Unresolved reference: B\nBUILD FAILED in 4s\n"
    (one,) = judged("./gradlew assembleDebug 2>&1 | grep -E '^e:|BUILD' | head", text, 0)
    assert not one.cut


def test_the_prefix_of_a_monorepo_runner_hides_nothing() -> None:
    text = "• Packages in scope: web\nweb:build: src/a.ts(1,2): error TS2304: no\n Tasks:    0 successful, 1 total\n"
    (one,) = judged("npx turbo run build", text, 1)
    assert [(e.message, e.path) for e in one.errors] == [("TS2304: no", "src/a.ts")]
    (end,) = judged("pnpm turbo run build | tail -3", text.split("\n", 1)[1], 0)
    assert [(e.message, e.path) for e in end.errors] == [("TS2304: no", "src/a.ts")]


def test_the_prefix_of_a_script_that_was_run_hides_nothing_where_grep_left_none_of_the_runners_words() -> None:
    text = "web:typecheck: src/desk.ts(35,33): error TS2304: no\n"
    (one,) = judged("bun run typecheck 2>&1 | grep error | head", text, 0)
    assert [(e.message, e.path, e.line) for e in one.errors] == [("TS2304: no", "src/desk.ts", 35)]


@pytest.mark.parametrize("head", ["libs/web test: ", "@me/web test: "])
def test_the_package_and_script_before_each_line_that_grep_left_hide_nothing(head: str) -> None:
    text = f"{head} ✓ src/a.test.ts (1 test) 4ms\n{head}      Tests  1 passed (1)\n"
    assert verdict("pnpm -r test 2>&1 | grep -E 'Tests|✓'", text, 0) == "pass"


def test_a_build_that_only_checks_types_and_named_nothing_has_passed_before_tests_that_failed() -> None:
    text = "> a@1.0.0 build\n> tsc -p .\n\nFAIL src/a.test.ts\n  ● x\n\n    boom\n\nTests:       1 failed, 1 total\n"
    line = "npm run build 2>&1 | tail -9 && npx jest src/a.test.ts 2>&1 | tail -90"
    assert [one.verdict for one in judged(line, text, 0)] == [Verdict.PASS, Verdict.FAIL]
    packed = judged(line, text.replace("tsc -p .", "webpack"), 0)
    assert [one.goal.tool for one in packed] == ["jest"]


def test_a_line_that_zsh_ended_at_a_word_it_could_not_expand_went_no_further() -> None:
    line = "ruff check . ; echo ==== ; npm run lint 2>&1 | tail -3; npm run audit 2>&1 | tail -2"
    found = judged(line, "All checks passed!\n(eval):1: === not found\n", 1)
    assert [(one.goal.tool, one.verdict.value) for one in found] == [("ruff check", "pass")]
    assert verdict("ls; echo ====; npm run audit 2>&1 | tail -2", "src\n(eval):1: === not found\n", 1) == "unclear"


def test_goals_behind_one_mark_share_their_part_and_words_that_were_not_printed_part_nothing() -> None:
    line = (
        "echo; echo '=== all ==='; go build ./... 2>&1 | head && echo BUILT; go vet ./... 2>&1 | grep -v '^#' | head && echo VETTED\n"
        "go test ./... 2>/dev/null | grep -E '^FAIL' | head || echo 'none failed'\n"
        "go test ./... 2>/dev/null | grep -c '^ok' | xargs echo 'ok:'"
    )
    found = judged(line, "\n=== all ===\nBUILT\nVETTED\nok: 20\n", 0)
    assert [one.verdict.value for one in found] == ["pass", "pass", "pass", "unclear"]
    broken = "\n=== all ===\n./a.go:3:5: undefined: x\nBUILT\nVETTED\nFAIL\tm/a [build failed]\nok: 0\n"
    assert [one.verdict.value for one in judged(line, broken, 0)][:3] == ["fail", "pass", "fail"]
    failed = judged(
        "ruff check . && echo CLEAN; pytest -q; echo ---; mypy src",
        "a.py:1:1: F401 x\nFound 1 error.\n1 passed in 0.1s\n---\n",
        1,
    )
    assert [one.verdict.value for one in failed] == ["fail", "pass", "fail"]


def test_an_and_list_that_succeeds_passes_every_goal() -> None:
    assert [j.verdict.value for j in judged("gofmt -l . && go vet ./... && go test ./...", "ok  \tm\t0.1s\n", 0)] == [
        "pass"
    ] * 3


def test_a_change_that_fails_before_the_goal_leaves_it_not_reached() -> None:
    (one,) = judged("mise run fmt && mise run test", "x.go:1:2: expected ';', found y\n[fmt] ERROR task failed\n", 2)
    assert (one.verdict, one.reached) == (Verdict.FAIL, False)
    assert one.errors[0].message == "expected ';', found y"


def test_a_broken_build_does_not_reach_the_tests() -> None:
    (one,) = judged("go test ./...", "# m/a\na/a.go:3:4: undefined: x\nFAIL\tm/a [build failed]\nFAIL\n", 1)
    assert not one.reached
    (ran,) = judged("go test ./...", "--- FAIL: TestA (0.00s)\n    a_test.go:3: want 1\nFAIL\nFAIL\tm/a\t0.1s\n", 1)
    assert ran.reached


def test_a_cut_output_shows_nothing_gone() -> None:
    text = "src/a.ts(1,2): error TS2345: no\n" * 5
    (cut,) = judged("npx tsc --noEmit | head -5", text, 0)
    (whole,) = judged("npx tsc --noEmit | head -50", text, 0)
    assert (cut.verdict, cut.reached, whole.reached) == (Verdict.FAIL, False, True)


@pytest.mark.parametrize(
    "end",
    [
        "npm error Lifecycle script `check` failed with error:\nnpm error code 2",
        'error: script "check" exited with code 2',
        " ELIFECYCLE  Command failed with exit code 2.",
    ],
)
def test_what_head_cut_off_behind_the_last_word_of_the_runner_hides_no_errors(end: str) -> None:
    text = f"src/a.ts(1,2): error TS2345: no\n{end}"
    lines = text.count("\n") + 1
    (seen,) = judged(f"npm run check 2>&1 | grep error | head -{lines}", text, 0)
    assert (seen.verdict, seen.reached, seen.cut) == (Verdict.FAIL, True, False)
    (cut,) = judged("npm run check 2>&1 | grep error | head -1", text.split("\n")[0], 0)
    assert (cut.verdict, cut.reached, cut.cut) == (Verdict.FAIL, False, True)


def test_a_program_that_turns_down_a_wrong_argument_works() -> None:
    files = TaskFiles()
    files.record_build("/tmp/app")
    assert verdict("/tmp/app frobnicate", "Error: unknown command: frobnicate\n", 1, files) == "pass"
    assert verdict("/tmp/app run", "panic: runtime error: index out of range\n", 2, files) == "fail"
    assert verdict("/tmp/app run", "connection refused\n", 1, files) == "fail"


def test_denials_timeouts_and_background_work_are_no_verdict_on_the_code() -> None:
    assert [j.verdict for j in judged("go test && go vet", "", None, cancelled=True)] == [Verdict.CANCELLED] * 2
    assert [j.verdict for j in judged("go test", "", None, pending=True)] == [Verdict.UNCLEAR]
    (late,) = judged("go test", "", None, timed_out=True)
    assert (late.verdict, late.reached, late.errors[0].type) == (Verdict.FAIL, False, "Timeout")


def test_migrations_that_were_just_made_are_not_missing() -> None:
    line = "python manage.py makemigrations shop && python manage.py makemigrations --check"
    assert verdict(line, "Migrations for 'shop':\n    + Add field a\nNo changes detected\n", 0) == "pass"


def test_a_race_is_a_failure_though_the_rest_is_cut() -> None:
    assert (
        verdict("go test -race ./a | head -3", "=====\nWARNING: DATA RACE\nRead at 0x00c0 by goroutine 9:\n", 0)
        == "fail"
    )


@pytest.mark.parametrize(("total", "cut"), [(1, False), (2, True)])
def test_a_linter_that_counts_its_findings_tells_whether_a_grep_took_some_off(total: int, cut: bool) -> None:
    text = f"a/a.go:3:1: Error return value of `f.Close` is not checked (errcheck)\n{total} issues:\n"
    (one,) = judged("golangci-lint run ./... 2>&1 | grep -E '^a|issues'", text, 0)
    assert (one.verdict, one.cut) == (Verdict.FAIL, cut)


@pytest.mark.parametrize(
    ("line", "text", "passed", "failed"),
    [
        ("pytest", "=== 2 failed, 7 passed, 1 skipped in 1.0s ===", 7, 2),
        ("npx vitest run", " Test Files  1 failed | 3 passed (4)\n      Tests  2 failed | 8 passed (10)\n", 8, 2),
        ("cargo test", "test result: ok. 3 passed; 0 failed; 0\ntest result: FAILED. 1 passed; 2 failed; 0\n", 4, 2),
        ("bun test", " 12 pass\n 3 fail\n", 12, 3),
        ("bundle exec rspec", "12 examples, 1 failure\n", 11, 1),
        ("python -m unittest", "Ran 9 tests in 0.1s\n\nFAILED (failures=1, errors=2)\n", 6, 3),
    ],
)
def test_counts_come_from_the_summary(line: str, text: str, passed: int, failed: int) -> None:
    (one,) = judged(line, text, 1)
    assert (one.passed, one.failed) == (passed, failed)


def test_the_exit_code_at_the_head_of_an_output_is_read() -> None:
    assert exit_code_in("Exit code 2\nfoo") == (2, "foo")
    assert exit_code_in("foo") == (None, "foo")


def test_the_options_of_an_echoed_command_are_no_failure() -> None:
    assert verdict("make check 2>&1 | tail -2", "gcc -Wall -Werror --fail-fast -o a a.c\nok - counts\n", 0) == "pass"


def test_of_a_line_of_goals_whose_exit_codes_are_hidden_the_last_has_the_end_of_the_output() -> None:
    line = "make -j2 2>&1 | tail -8; make check 2>&1 | tail -3"
    assert verdict(line, "gcc -o a a.c\n./run.sh\nok - counts\nok - empty\n", 0) == "pass"
    assert verdict(line, "cc1: all warnings\nmake: *** [Makefile:11: a.o] Error 1\n", 0) == "fail"


def test_a_tail_that_still_shows_the_runners_first_words_took_nothing_off() -> None:
    shown = "> lint\n> eslint . && prettier --check .\n\nChecking formatting...\n[warn] a.js\n[warn] Code style issues found in the above file.\n"
    (one,) = judged("npm run lint 2>&1 | tail -6", shown, 0)
    assert (one.verdict, one.reached, one.cut) == (Verdict.FAIL, True, False)
    (one,) = judged("npm run lint 2>&1 | tail -4", shown.split("\n", 2)[2], 0)
    assert one.cut


def test_a_missing_file_that_a_program_was_asked_for_is_not_the_builds_error() -> None:
    files = TaskFiles()
    files.record_linked("gcc -o app main.o\n")
    line = 'make 2>&1 | tail -2 && ./app nosuchfile; echo "exit $?"'
    assert verdict(line, "gcc -o app main.o\nexit 1\nnosuchfile: No such file or directory\n", 0, files) == "pass"


def test_a_formatter_that_lists_a_file_fails_also_before_a_silent_goal() -> None:
    assert verdict("gofmt -l . && go vet ./...", "store/store.go\n", 0) == "fail"
    assert verdict("gofmt -l . && go test ./...", "ok  \tm/a\t0.1s\n", 0) == "pass"
    assert verdict("gofmt -l . ; go vet ./...", "store/store.go\nstore/fake.go\n", 0) == "fail"
    assert verdict("gofmt -l . ; go vet ./...", "", 0) == "pass"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("ok  \tm/cart\t0.1s\n", [("gofmt", "pass"), ("go test", "pass")]),
        ("cart/cart.go\nok  \tm/cart\t0.1s\n", [("gofmt", "fail"), ("go test", "pass")]),
        ("open cart/a.go: no such file or directory\nok  \tm/cart\t0.1s\n", [("go test", "pass")]),
        ("--- FAIL: TestAdd (0.00s)\nFAIL\tm/cart\t0.1s\nFAIL\n", [("go test", "fail")]),
    ],
)
def test_a_formatter_that_lists_nothing_has_passed_where_all_else_in_its_line_has(
    text: str, told: list[tuple[str, str]]
) -> None:
    line = "gofmt -w cart/a.go && gofmt -l cart; go test ./cart 2>&1 | tail -5"
    assert [(one.goal.tool, one.verdict.value) for one in judged(line, text, 0)] == told


def test_what_a_grep_would_have_taken_off_is_not_of_the_check_before_it() -> None:
    line = "make lint 2>&1 | grep -E 'issues|ERROR' | tail -2 && go test ./cart 2>&1 | tail -3"
    told = judged(line, "0 issues.\nFAIL\tm/cart\t0.1s\nFAIL\n", 0)
    assert [(one.goal.tool, one.verdict.value) for one in told] == [("make lint", "pass"), ("go test", "fail")]


@pytest.mark.parametrize("grep", ["grep -A3 issues", "grep -n issues", "grep issues | wc -l"])
def test_a_grep_that_shows_other_lines_too_parts_nothing(grep: str) -> None:
    text = "FAIL\tm/cart\t0.1s\nFAIL\n"
    assert judged(f"make test 2>&1 | {grep}; go vet ./...", text, 0)[0].verdict is not Verdict.PASS


def test_the_table_of_phpcs_is_a_failure_behind_a_pipe() -> None:
    table = "\nFILE: /r/a.php\n----\nFOUND 1 ERROR AFFECTING 1 LINE\n----\n 9 | ERROR | Each class must be in a namespace\n----\n"
    assert verdict("phpcs --standard=PSR12 src | head -30", table, 0) == "fail"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[offsetAccess.notFound] 3 occurrences:\n", "fail"),
        ("[offsetAccess.notFound] 0 occurrences:\n", "unclear"),
        ("", "unclear"),
    ],
)
def test_the_rules_that_a_formatter_of_phpstan_lists_are_a_failure(text: str, expected: str) -> None:
    line = "vendor/bin/phpstan analyse > /tmp/s.txt 2>&1; grep -E '^\\[' /tmp/s.txt"
    found = judged(line, text, 0)
    assert [one.verdict.value for one in found] == [expected]
    assert all(not one.cut for one in found if one.errors)


def test_of_composers_scripts_the_one_that_it_names_has_failed() -> None:
    text = (
        "- violations: 1\nScript check-sizes --max=9 handling the size-guard event returned with error code 1\n"
        "- files: 3\n- violations: 0\n"
    )
    found = judged("composer size-guard 2>&1 | tail -20; composer name-guard 2>&1 | tail -9", text, 0)
    assert [(one.goal.tool, one.verdict.value) for one in found] == [
        ("composer size-guard", "fail"),
        ("composer name-guard", "pass"),
    ]


@pytest.mark.parametrize(("count", "expected"), [(2, "fail"), (0, "pass")])
def test_the_report_of_deptrac_counts_violations(count: int, expected: str) -> None:
    text = f" ---------- ---\n  Report\n ---------- ---\n  Violations           {count}\n  Errors               0\n"
    assert verdict("composer deptrac 2>&1 | tail -18", text, 0) == expected


_TURBO = " Tasks:    {0} successful, 3 total\nCached:    1 cached, 3 total\n  Time:    1.5s \n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{_TURBO.format(3)}\n{_TURBO.format(3)}", ["pass", "pass"]),
        (f"{_TURBO.format(2)}Failed:    web#typecheck\n\n ERROR  run failed: command  exited (2)\n{_TURBO.format(3)}", ["fail", "pass"]),
        (f"{_TURBO.format(3)}\n{_TURBO.format(2)}Failed:    web#lint\n\n ERROR  run failed: command  exited (1)\n", ["pass", "fail"]),
    ],
)  # fmt: skip
def test_goals_that_each_end_with_turborepos_last_words_each_have_their_part(text: str, expected: list[str]) -> None:
    found = judged("bun run typecheck 2>&1 | tail -6; bun run lint 2>&1 | tail -6", text, 0)
    assert [one.verdict.value for one in found] == expected


def test_turborepos_last_words_part_nothing_where_other_words_stand_behind_them() -> None:
    text = f"{_TURBO.format(3)}{_TURBO.format(3)}12 tests of the browser: fine\n"
    found = judged("bun run check 2>&1 | tail -9; bun run e2e 2>&1 | tail -1", text, 0)
    assert {one.verdict.value for one in found} == {"pass"}  # no word of failure stands in the last lines of either
    text = text.replace(_TURBO.format(3), _TURBO.format(2) + "Failed:    web#lint\n", 1)
    found = judged("bun run check 2>&1 | tail -9; bun run e2e 2>&1 | tail -1", text, 0)
    assert "bun run check" not in [one.goal.tool for one in found if one.verdict.value == "pass"]


def test_what_rustfmt_prints_is_not_clippys_failure() -> None:
    clippy, fmt = judged(
        "cargo clippy -- -D warnings && cargo fmt --all -- --check",
        "Diff in /r/src/main.rs:1:\n-a\n+b\n    Finished `dev` profile target(s) in 1s\n",
        1,
    )
    assert (clippy.verdict, fmt.verdict) == (Verdict.PASS, Verdict.FAIL)


@pytest.mark.parametrize("line", ['test -z "$(gofmt -l .)"', '[ -z "$(gofmt -l .)" ]'])
def test_asking_whether_a_formatter_prints_anything_is_its_check(line: str) -> None:
    assert [(one.goal.text, one.verdict.value) for one in judged(line, "", 0)] == [("gofmt .", "pass")]
    assert verdict(line, "", 1) == "fail"


def test_a_failed_go_test_tells_which_packages_were_built() -> None:
    text = (
        "ok  \tx.io/m/a\t0.01s\nok  \tx.io/m/b\t(cached)\n?   \tx.io/m/c\t[no test files]\n# x.io/m/d [x.io/m/d.test]\n"
        "d/d_test.go:3:2: undefined: y\nFAIL\tx.io/m/d [build failed]\n--- FAIL: TestE (0.00s)\nFAIL\nFAIL\tx.io/m/e\t0.06s\nFAIL\n"
    )
    (found,) = judged("go test ./... 2>&1 | tail -60", text, 0)
    assert found.packages == (("x.io/m/a", "x.io/m/b", "x.io/m/e"), ("x.io/m/d",), ("x.io/m/e",))


def test_a_script_of_a_failed_line_that_has_begun_says_that_those_before_it_passed() -> None:
    lint = "\n> app@1.0.0 lint\n> eslint .\n\n"
    build = (
        "\n> app@1.0.0 build\n> tsc -p .\n\nsrc/a.ts(1,5): error TS2345: Argument of type 'string' is not assignable.\n"
    )
    found = judged("npm run lint && npm run build", lint + build, 2)
    assert [(one.goal.tool, one.verdict) for one in found] == [("npm run lint", "pass"), ("npm run build", "fail")]
    # A script that calls the other one itself: that it was called says nothing.
    nested = "\n> app@1.0.0 ci\n> npm run build && npm run docs\n\n"
    found = judged("npm run ci && npm run build", nested + build, 2)
    assert [(one.goal.tool, one.verdict) for one in found] == [("npm run ci", "fail")]


def test_what_stands_behind_the_command_that_failed_and_a_pipe_was_not_reached() -> None:
    line, refused = "npm ci && npm test 2>&1 | tail -20", "npm error code ENOTFOUND"
    (one,) = judged(line, refused, 1)
    assert (one.verdict, one.reached) == (Verdict.FAIL, False)
    assert verdict("./start_db && npm test 2>&1 | tail -20", "could not start", 1) == "unclear"
    assert verdict("./start_db && npx vitest run 2>&1 | tail -20", "      Tests  1 failed | 2 passed (3)", 1) == "fail"


def test_of_a_line_that_ends_in_a_tail_only_the_last_lines_are_the_goals() -> None:
    line = "git diff && npm run typecheck 2>&1 | tail -2"
    diff = "+  throw new Error('no such key')\n+  // an error of the server\n"
    assert verdict(line, f"{diff}> tsc --noEmit\nDone in 2.1s", 0) == "pass"
    assert verdict(line, f"{diff}src/a.ts(1,2): error TS2304: Cannot find name 'b'.\nFound 1 error.", 0) == "fail"
    # What goes to the other stream is not counted by tail.
    assert verdict("git diff && npm run typecheck | tail -2", f"{diff}> tsc --noEmit\nDone in 2.1s", 0) == "unclear"


def test_an_exception_that_ended_node_fails_the_goal_whose_exit_code_is_hidden() -> None:
    end = "    at run (/app/seed.mjs:4:9) {\n  code: 'ECONNREFUSED',\n  syscall: 'connect',\n  address: '127.0.0.1',\n  port: 6379\n}\n\nNode.js v22.3.0"
    (one,) = judged("npm run test:e2e 2>&1 | tail -8", end, 0)
    assert one.verdict is Verdict.FAIL
    assert [(e.message, e.type) for e in one.errors] == [("connect ECONNREFUSED 127.0.0.1:6379", "ECONNREFUSED")]
    assert verdict("npm run test:e2e 2>&1 | tail -8", "using Node.js v22.3.0\nall done", 0) == "pass"


def test_the_dots_of_a_quiet_pytest_say_passed_where_nothing_stands_below_them() -> None:
    line, dots = "pytest -q 2>&1 | tail -20", "......s........ [ 62%]\n.........x      [100%]"
    assert verdict(line, dots, 0) == "pass"
    assert verdict(line, dots.replace("s", "F"), 0) == "unclear"
    assert verdict(line, dots.replace("100", " 98"), 0) == "unclear"
    assert verdict("pytest -q -rN --tb=no 2>&1 | tail -1", ".........       [100%]", 0) == "unclear"


def test_the_dots_of_a_pytest_that_stopped_count_what_passed() -> None:
    output = "..s.. [ 50%]\n..F\n=== FAILURES ===\n___ test_x ___\nE   assert 1 == 2\nFAILED tests/test_a.py::test_x\n"
    (one,) = judged("pytest -x -qq", output, 1)
    assert (one.verdict, one.passed) == (Verdict.FAIL, 6)
    (cut,) = judged("pytest -x -qq 2>&1 | tail -4", output, 1)
    assert cut.passed is None
    (other,) = judged("pytest -x", f"{output}1 failed, 3 passed in 0.1s", 1)
    assert other.passed == 3


def test_warnings_of_oxlint_fail_nothing() -> None:
    warned = "src/a.ts:4:2: warning eslint(no-console): Unexpected console statement."
    line = "npx oxlint --format=unix 2>&1 | tail -3 && npm test 2>&1 | tail -3"
    assert [one.verdict for one in judged(line, f"{warned}\n\nTests: 4 passed, 4 total", 0)] == [Verdict.PASS]
    (failed,) = judged("vp lint --format=unix", warned.replace("warning", "error"), 1)
    assert [(e.tool, e.type, e.path) for e in failed.errors] == [("oxlint", "eslint(no-console)", "src/a.ts")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("All matched files use the correct format.\nFound 0 warnings and 0 errors.", "pass"),
        ("All matched files use the correct format.\nFound 2 warnings and 1 error.", "fail"),
        ("src/a.ts (3ms)\n\nFormat issues found in above 1 files. Run without `--check` to fix.", "fail"),
    ],
)
def test_vite_plus_tells_what_its_formatter_and_linter_found(text: str, expected: str) -> None:
    assert verdict("vp check 2>&1 | cat", text, 0) == expected


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        (
            "npm run lint 2>&1 | tail -5; npm run typecheck 2>&1 | tail -5",
            "src/a.ts(1,2): error TS2322: no\n",
            [("npm run typecheck", "fail")],
        ),
        (
            "make lint | tail -5; make test | tail -5",
            "--- FAIL: TestA (0.00s)\n    a_test.go:3: got 1, want 2\nFAIL\nFAIL\tm/a\t0.1s\n",
            [("make test", "fail")],
        ),
        (
            "npm run typecheck | tail -9; npm run lint | tail -9",
            "/r/a.ts\n  3:5  error  no  no-x\n\n✖ 1 problem (1 error, 0 warnings)\n",
            [("npm run lint", "fail")],
        ),
    ],
)
def test_what_one_kind_of_tool_finds_is_not_put_down_to_a_script_of_another_kind(
    line: str, text: str, expected: list[tuple[str, str]]
) -> None:
    assert [(one.goal.text, one.verdict.value) for one in judged(line, text, 0)] == expected


_PYTEST_FAILS = "F\nFAILED tests/test_a.py::test_x - assert 1 == 2\n1 failed, 4 passed in 0.1s\n"
_CARGO_FAILS = (
    "test a ... FAILED\ntest result: FAILED. 1 passed; 1 failed; 0 ignored\nerror: test failed, to rerun pass `--lib`\n"
)


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("mypy . && pytest -q", "Success: no issues found in 40 source files\n" + _PYTEST_FAILS, ["pass", "fail"]),
        ("ruff check . && pytest -q", "All checks passed!\n" + _PYTEST_FAILS, ["pass", "fail"]),
        ("tsc --noEmit && pytest -q", _PYTEST_FAILS, ["pass", "fail"]),
        (
            "eslint . && vitest run",
            " Test Files  1 failed (1)\n      Tests  1 failed | 2 passed (3)\n",
            ["pass", "fail"],
        ),
        ("vitest run && pytest -q", "      Tests  3 passed (3)\n" + _PYTEST_FAILS, ["pass", "fail"]),
        ("cargo clippy && cargo test", _CARGO_FAILS, ["pass", "fail"]),
        (
            "dotnet build && dotnet test",
            "Build succeeded.\nFailed!  - Failed:     1, Passed:     4\n",
            ["pass", "fail"],
        ),
        ("mvn compile && mvn test", "[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0\n", ["pass", "fail"]),
        ("cargo build && cargo test", "error[E0308]: mismatched types\nerror: could not compile `a`\n", ["fail"]),
    ],
)
def test_the_counts_of_failing_tests_are_not_put_down_to_the_linter_or_compiler_before_them(
    line: str, text: str, expected: list[str]
) -> None:
    assert [one.verdict.value for one in judged(line, text, 1)] == expected


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        (
            "pytest a -q | tail -2; pytest b -q | tail -2",
            "1 failed, 4 passed in 0.1s\n3 passed in 0.2s\n",
            ["fail", "pass"],
        ),
        (
            "npx vitest run a | tail -4; npx vitest run b | tail -4",
            "      Tests  3 passed (3)\n   Duration  1.2s\n      Tests  1 failed | 2 passed (3)\n   Duration  1.3s\n",
            ["pass", "fail"],
        ),
        (
            "cd api && pytest -q | tail -3; cd ../web && npm test | tail -4",
            "1 failed, 4 passed in 0.1s\nTests:       3 passed, 3 total\n",
            ["fail", "pass"],
        ),
    ],
)
def test_each_of_several_test_runs_in_a_line_has_its_own_summary(line: str, text: str, expected: list[str]) -> None:
    assert [one.verdict.value for one in judged(line, text, 0)] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mvn -q test 2>&1 | tail -20", "pass"),
        ("./gradlew test --quiet 2>&1 | tail -20", "pass"),
        ("zig build test 2>&1 | tail -5", "pass"),
        ("mvn test 2>&1 | tail -20", "unclear"),
        ("mvn -q test > log.txt; ls", "unclear"),
    ],
)
def test_a_quiet_runner_that_prints_nothing_has_passed(line: str, expected: str) -> None:
    assert verdict(line, "", 0) == expected


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("make test 2>&1 | tail -3 && make 2>&1 | tail -3 && ./app", "0 failed\ngcc -o app main.o\n2 5\n", ["pass", "pass"]),
        ("make lint; make test 2>&1 | tail -2; ls", "0 failed\nmain.c\n", ["pass", "pass"]),
        ("make test 2>&1 | tail -3; make 2>&1 | tail -3", "1 failed\nmake: *** [Makefile:9: test] Error 1\nok\n", []),
        ("make test 2>&1 | head -3; make 2>&1 | tail -3", "gcc -c a.c\ngcc -o app main.o\n", ["pass"]),
        ("make test 2>&1 | tail -1; make 2>&1 | tail -3", "\ngcc -o app main.o\n", ["pass"]),
    ],
)  # fmt: skip
def test_of_runners_that_end_with_their_failures_each_has_passed_where_all_ends_show_none(
    line: str, text: str, expected: list[str]
) -> None:
    found = judged(line, text, 0)
    assert [
        one.verdict.value for one in found if one.goal.tool.startswith("make") and one.verdict.value == "pass"
    ] == expected


_TYPES = "> shop@1.0.0 types\n> tsc --noEmit\n"
_LINT = "> shop@1.0.0 lint\n> eslint .\n"
_WRONG = "src/a.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n"
_FINDING = "/r/a.ts\n  2:9  error  'x' is never used  no-unused-vars\n\n✖ 1 problem (1 error, 0 warnings)\n"
_TEST = "\n Test Files  1 failed (1)\n      Tests  1 failed | 2 passed (3)\n"


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("npm run types 2>&1 | tail -5 && npx vitest run 2>&1 | tail", f"\n{_TYPES}{_TEST}", ["pass", "fail"]),
        ("npm run types 2>&1 | tail -5; npx vitest run 2>&1 | tail", f"\n{_TYPES}\n{_WRONG}{_TEST}", ["fail", "fail"]),
        ("npm run lint 2>&1 | tail -5; npm run types 2>&1 | tail -5", f"\n{_LINT}\n\n{_TYPES}\n{_WRONG}", ["pass", "fail"]),
        ("npm run lint 2>&1 | tail -5; npm run types 2>&1 | tail -5", f"{_FINDING}\n{_TYPES}\n", ["fail", "pass"]),
        ("pnpm lint | tail -9; pnpm types | tail -9", f"{_LINT.replace('lint', 'lint /r')}\n{_TYPES.replace('types', 'types /r')}\n{_WRONG}", ["pass", "fail"]),
        ("(npm run types && npm run lint) 2>&1 | tail -20", f"\n{_TYPES}\n{_WRONG}", ["fail"]),
        ("(npm run types && npm run lint) 2>&1 | tail -20", f"\n{_TYPES}\n\n{_LINT}\n{_FINDING}", ["pass", "fail"]),
        ("npx tsc --noEmit 2>&1 | tail -5; npx eslint . 2>&1 | tail -9", _FINDING, ["pass", "fail"]),
        ("npx tsc --noEmit 2>&1 | tail -5; npx eslint . 2>&1 | tail -9", _WRONG, ["fail", "pass"]),
        ("npx tsc --noEmit 2>&1 | grep 'error TS' | wc -l; npx vitest run 2>&1 | tail", f"0\n{_TEST}", ["pass", "fail"]),
        ("npx tsc --noEmit 2>&1 | grep 'error TS' | wc -l; npx vitest run 2>&1 | tail", f"2\n{_TEST}", ["fail", "fail"]),
        ("npm run -s types; npm run -s lint; npx vitest run 2>&1 | tail", _TEST, ["pass", "pass", "fail"]),
        ("npm run -s types; npm run -s lint; npx vitest run 2>&1 | tail", f"{_WRONG}{_TEST}", ["fail", "pass", "fail"]),
        (
            "npm run types 2>&1 | grep -E 'error TS'; npm run lint 2>&1 | grep -E 'error'",
            _WRONG,
            ["fail", "pass"],
        ),
    ],
)  # fmt: skip
def test_what_stands_behind_the_banner_of_a_script_is_its_own(line: str, text: str, expected: list[str]) -> None:
    assert [one.verdict.value for one in judged(line, text, 0)] == expected


def test_a_script_that_another_one_calls_has_no_part_of_its_own() -> None:
    text = f"> shop@1.0.0 check\n> npm run types && npm run lint\n\n{_TYPES}\n{_WRONG}"
    assert [one.verdict.value for one in judged("npm run check; npm run types", text, 2)][-1] == "fail"
    first = judged("(npm run check && npm run types) 2>&1 | tail -30", text, 0)[0]
    assert first.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("sed -n '1,3p' a.ts && npx tsc --noEmit 2>&1 | grep 'error TS' | head -3; echo DONE", "const error = 1;\nDONE", "pass"),
        ("sed -n '1,3p' a.ts && npx tsc --noEmit 2>&1 | grep 'error TS' | head -3; echo DONE", f"const a = 1;\n{_WRONG}DONE", "fail"),
        ("npx tsc --noEmit 2>&1 | grep 'error TS' || echo none; git diff --stat", "none\n a.ts | 2 +-\n", "pass"),
    ],
)  # fmt: skip
def test_lines_that_a_grep_would_have_taken_off_are_not_the_checks(line: str, text: str, expected: str) -> None:
    assert verdict(line, text, 0) == expected


_MYPY = "src/a.py:2: error: Incompatible return value type  [return-value]\nFound 1 error in 1 file (checked 3 source files)\n"
_RUFF = "src/b.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n[*] 1 fixable with `--fix`.\n"


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("mypy src && ruff check . && echo CLEAN || echo DIRTY", f"{_MYPY}DIRTY", ["fail"]),
        ("mypy src && ruff check . && echo CLEAN || echo DIRTY", f"Success: no issues found in 3 source files\n{_RUFF}DIRTY", ["pass", "fail"]),
        ("mypy src 2>&1 | grep error | head; ruff check . | tail -5", _RUFF, ["pass", "fail"]),
        ("(ruff check . && mypy src && pytest -q) 2>&1 | tail -5", "E  assert 1 == 2\nFAILED t/test_a.py::test_a - assert 1 == 2\n1 failed in 0.1s", ["pass", "pass", "fail"]),
        ("(ruff check . && mypy src && pytest -q) 2>&1 | tail -5", f"All checks passed!\n{_MYPY}", ["pass", "fail"]),
        ("ruff check . | tail -2 && pytest -q 2>&1 | tail -2", "Found 1 error.\n[*] 1 fixable with `--fix`.\n3 passed in 0.1s", ["fail", "pass"]),
        ("pytest -q 2>&1 | tail -1; ruff check . | tail -1", "3 passed in 0.1s\n[*] 1 fixable with `--fix`.", ["pass", "fail"]),
    ],
)  # fmt: skip
def test_what_an_and_list_whose_exit_code_is_hidden_tells(line: str, text: str, expected: list[str]) -> None:
    assert [one.verdict.value for one in judged(line, text, 0)] == expected


def test_a_goal_has_no_errors_of_another_one_of_the_line() -> None:
    line = "mypy src > m.txt 2>&1; tail -2 m.txt; pytest -q 2>&1 | tail -1"
    types, tests = judged(line, f"{_MYPY}2 failed, 3 passed in 0.1s", 0)
    assert [error.tool for error in types.errors] == ["mypy"]
    assert [(error.type, error.message) for error in tests.errors] == [("RunFailed", "2 failed, 3 passed in 0.1s")]


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("npx jest cart 2>&1 | head -3", "FAIL src/cart.test.ts\n  cart\n    ✓ starts empty (2 ms)\n", "fail"),
        ("npx jest 2>&1 | head -2", "PASS src/cart.test.ts\n  console.log FAIL src/cart.test.ts\n", "unclear"),
        (
            "npx vitest run 2>&1 | grep -A2 FAIL | head -2",
            " FAIL  src/cart.test.ts > cart > adds\nError: no line\n",
            "fail",
        ),
    ],
)
def test_the_head_of_a_failing_file_tells_without_a_total(line: str, text: str, expected: str) -> None:
    assert verdict(line, text, 0) == expected


_AVA = "  ✔ one value\n  ✘ [fail]: a range\n  ─\n\n  a range\n\n  test/field.js:9\n\n  Difference (- actual, + expected):\n\n  1 test failed\n"


@pytest.mark.parametrize(
    ("line", "text", "code", "expected"),
    [
        ("node --import tsx --test src/*.test.ts 2>&1 | grep '^# '", "# pass 4\n# fail 0\n", 0, "pass"),
        ("node --no-warnings --loader ts-node/esm --test", "# pass 3\n# fail 1\n", 1, "fail"),
        ("npm test 2>&1 | tail", "Could not find '/app/src/**/*.test.ts'\n", 0, "fail"),
        ("npx ava 2>&1 | tail -40", _AVA, 0, "fail"),
        ("npx ava 2>&1 | tail -40", "  ✔ a range\n  ─\n\n  2 tests passed\n", 0, "pass"),
        (
            "npx eslint . --max-warnings 0 | tail",
            "✖ 1 problem (0 errors, 1 warning)\n\nESLint found too many warnings (maximum: 0).\n",
            0,
            "fail",
        ),
        ("npm run build 2>&1 | tail -4", "  dist/app.js  1.3kb\n\n⚡ Done in 52ms\n", 0, "pass"),
        ("npm run build 2>&1 | tail -8", '✘ [ERROR] Could not resolve "./watch"\n\n1 error\n', 0, "fail"),
    ],
)
def test_what_runners_of_node_print_tells_the_verdict(line: str, text: str, code: int, expected: str) -> None:
    assert verdict(line, text, code) == expected


def test_a_script_that_only_takes_an_option_called_test_is_no_runner_of_tests() -> None:
    assert verdict("node tools/release.js --test", "done\n", 0) == "none"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("npm run build && npm test --silent 2>&1 | tail -8; rm -rf out", ["pass", "pass"]),
        ("npm run build | tee build.log && npm test --silent 2>&1 | tail -8; rm -rf out", ["pass"]),
    ],
)
def test_what_stands_before_a_check_that_ran_has_passed_where_no_pipe_of_its_own_hides_that(
    line: str, expected: list[str]
) -> None:
    assert [one.verdict.value for one in judged(line, "bundled\n# pass 8\n# fail 0\n", 0)] == expected


def test_what_the_compiler_finds_is_not_the_tests_where_the_line_has_a_type_check() -> None:
    text = (
        " FAIL  src/b.test.ts > adds\nAssertionError: expected 3 to be 4\n ❯ src/b.test.ts:5:20\n\n      Tests  1 failed | 1 passed (2)\n"
        "src/a.ts(3,10): error TS2305: Module './b' has no exported member 'B'.\n"
    )
    tests, types = judged("npm test 2>&1 | tail -50; npm run types 2>&1 | grep 'error TS'", text, 0)
    assert {error.tool for error in types.errors} == {"tsc"}
    assert {error.tool for error in tests.errors} == {"vitest"}


@pytest.mark.parametrize("runner", ["yarn", "bun run"])
def test_scripts_that_print_only_their_line_are_told_apart_where_none_calls_another(runner: str) -> None:
    text = f"$ eslint src\n{_WRONG}$ tsc --noEmit\n"
    assert [one.verdict.value for one in judged(f"{runner} lint; {runner} types", text, 0)] == ["fail", "pass"]
    assert nameless_banners(2, f"$ {runner} one && {runner} two\n$ eslint src\n{_WRONG}") == [None, None]
    assert nameless_banners(2, f"{_WRONG}$ tsc --noEmit\n") == [None, None]
