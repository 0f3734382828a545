"""One check called in two ways: a script and what it runs, one place named in two ways, a compiler and the tests that it compiles."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from debug_loop_pipeline.compute.fixes.explain import explain_session
from debug_loop_pipeline.importers.segmenter import segment
from debug_loop_pipeline.models.trajectory import (
    FileEdit,
    Step,
    StepSource,
    ToolCall,
    ToolKind,
    ToolResult,
    Trajectory,
)

Printed = Callable[[bool], str]
"""What a command prints, by whether it fails."""
Call = tuple[str, Printed]


def vitest(fails: bool) -> str:
    if not fails:
        return " ✓ src/x.test.ts (2 tests) 3ms\n\n Test Files  1 passed (1)\n      Tests  2 passed (2)\n"
    return (
        " FAIL  src/x.test.ts > adds\nAssertionError: expected 3 to be 4 // Object.is equality\n ❯ src/x.test.ts:5:20\n\n"
        " Test Files  1 failed (1)\n      Tests  1 failed | 1 passed (2)\n"
    )


def eslint(fails: bool) -> str:
    return (
        "\n/repo/src/x.ts\n  3:7  error  'a' is never used  no-unused-vars\n\n✖ 1 problem (1 error, 0 warnings)\n"
        * fails
    )


def ruff(fails: bool) -> str:
    return "tools/x.py:1:8: F401 `os` imported but unused\nFound 1 error.\n" if fails else "All checks passed!\n"


def tsc(fails: bool) -> str:
    return "src/x.ts(3,5): error TS2322: Type 'string' is not assignable to type 'number'.\n" * fails


def go_test(fails: bool) -> str:
    if not fails:
        return "ok  \tm/pkg\t0.003s\n"
    return "--- FAIL: TestAdd (0.00s)\n    x_test.go:8: got 3, want 4\nFAIL\nFAIL\tm/pkg\t0.003s\nFAIL\n"


def go_build(fails: bool) -> str:
    return "# m/pkg\npkg/x.go:5:9: undefined: foo\n" * fails


def go_vet(fails: bool) -> str:
    return "# m/pkg\npkg/x.go:5:2: fmt.Printf format %d has arg s of wrong type string\n" * fails


def pytest_says(fails: bool) -> str:
    if not fails:
        return "tests/test_x.py ..\n============ 2 passed in 0.02s ============\n"
    return (
        "=== FAILURES ===\n___ test_add ___\n\n    def test_add():\n>       assert add(1, 2) == 4\nE       assert 3 == 4\n\n"
        "tests/test_x.py:5: AssertionError\n=== short test summary info ===\nFAILED tests/test_x.py::test_add - assert 3 == 4\n"
        "=== 1 failed, 1 passed in 0.02s ===\n"
    )


def kotlinc(fails: bool) -> str:
    """What Gradle or Maven print where Kotlin does not compile, or of a success."""
    if not fails:
        return "BUILD SUCCESSFUL in 3s\n[INFO] BUILD SUCCESS\n"
    return "e: file:///r/app/src/main/kotlin/Cart.kt:12:9 Unresolved reference 'total'.\n\nBUILD FAILED in 3s\n[INFO] BUILD FAILURE\n"


def csc(fails: bool) -> str:
    if not fails:
        return (
            "Build succeeded.\n    0 Error(s)\nPassed!  - Failed:     0, Passed:     2, Skipped:     0, Total:     2\n"
        )
    return "/r/src/Cart.cs(12,9): error CS0103: The name 'Total' does not exist in the current context [/r/src/Shop.csproj]\n\nBuild FAILED.\n    1 Error(s)\n"


def swiftc(fails: bool) -> str:
    if not fails:
        return "Build complete! (1.2s)\n** BUILD SUCCEEDED **\n"
    return "/r/Sources/Cart/Cart.swift:12:9: error: cannot find 'total' in scope\n"


def elixirc(fails: bool) -> str:
    if not fails:
        return "Generated shop app\n...\nFinished in 0.03 seconds\n3 tests, 0 failures\n"
    return (
        '    error: undefined variable "total"\n    │\n 12 │     total\n    │     ^^^^^\n    │\n    └─ lib/cart.ex:12:5: Cart.sum/1\n\n\n'
        "== Compilation error in file lib/cart.ex ==\n"
    )


def cargo_check(fails: bool) -> str:
    if not fails:
        return "    Finished `dev` profile [unoptimized + debuginfo] target(s) in 0.5s\n"
    return (
        'error[E0308]: mismatched types\n --> src/lib.rs:3:5\n  |\n3 |     "a"\n  |     ^^^ expected `i32`, found `&str`\n\n'
        "error: could not compile `app` (lib) due to 1 previous error\n"
    )


def cargo_test(fails: bool) -> str:
    assert not fails
    return "running 1 test\ntest tests::adds ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n"


def npm(script: str, line: str, then: Printed, package: str = "app", place: str = "") -> Printed:
    return lambda fails: f"\n> {package}@1.0.0 {script}{place}\n> {line}\n\n{then(fails)}"


def after(head: str, then: Printed, trailer: str = "") -> Printed:
    return lambda fails: head + then(fails) + trailer * fails


def prefixed(prefix: str, then: Printed) -> Printed:
    return lambda fails: "".join(f"{prefix}{line}\n" for line in then(fails).split("\n"))


VITEST = ("npx vitest run", vitest)
IN_A = ("cd packages/a && npx vitest run", vitest)
GO_TEST = ("go test ./...", go_test)
GO_BROKEN = ("go test ./...", lambda fails: go_build(fails) + "FAIL\tm/pkg [build failed]\nFAIL\n" * fails)
MAKE_FAILED = "make: *** [Makefile:3: test] Error 1\n"


def credited(first: Call, second: Call) -> bool:
    """Whether an edit is credited between `first`, which fails, and `second`, which passes."""
    return bool(fixes((*first, True), None, (*second, False)))


def fixes(*told: tuple[str, Printed, bool] | str | None) -> list[tuple[str, str]]:
    """(failed, gone at) of each fix; None stands for an edit of the code, a text for one of that file."""
    steps = [Step("m0", StepSource.HUMAN, text="mend it")]
    for n, one in enumerate(told):
        if one is None or isinstance(one, str):
            edit = FileEdit(one or "/repo/src/x.ts", "a = 3", "a = 4", None)
            call = ToolCall(f"c{n}", "Edit", ToolKind.EDIT, edits=[edit])
            result = ToolResult(call.id, "ok", False)
        else:
            command, printed, fails = one
            call = ToolCall(f"c{n}", "Bash", ToolKind.SHELL, command=command)
            result = ToolResult(call.id, printed(fails), fails, int(fails))
        steps += [
            Step(f"m{n}a", StepSource.AGENT, calls=[call]),
            Step(f"m{n}b", StepSource.TOOL, results=[result]),
        ]
    run = Trajectory(format="test", session_id="s", run_key="s", agent_name="agent", cwd="/repo", steps=iter(steps))
    return [(fix["failed"], fix["gone_at"]) for fix in explain_session("s", segment(run))["fixes"]]


SAME: list[tuple[str, Call, Call]] = [
    ("npm banner", ("npm test", npm("test", "vitest run", vitest)), VITEST),
    ("pnpm banner with its place", ("pnpm test", npm("test", "vitest run", vitest, "app", " /repo")), VITEST),
    ("a lint script", ("npm run lint", npm("lint", "eslint .", eslint)), ("npx eslint .", eslint)),
    ("a type check", ("npm run typecheck", npm("typecheck", "tsc --noEmit", tsc)), ("npx tsc --noEmit", tsc)),
    ("the project's settings", ("npm run build", npm("build", "tsc -p tsconfig.json", tsc)), ("npx tsc --noEmit", tsc)),
    ("yarn 1", ("yarn test", after("yarn run v1.22.19\n$ /repo/node_modules/.bin/vitest run\n", vitest)), VITEST),
    ("bun", ("bun run test", after("$ vitest run\n", vitest)), ("bunx vitest run", vitest)),
    ("make", ("make test", after("go test ./...\n", go_test, MAKE_FAILED)), GO_TEST),
    ("plain words", ("make check", after("pytest --version\nruff check tools\n", ruff, MAKE_FAILED)), ("ruff check tools", ruff)),
    ("just", ("just test", after("go test ./...\n", go_test)), GO_TEST),
    ("task", ("task test", after("task: [test] go test ./...\n", go_test)), GO_TEST),
    ("mise", ("mise run test", after("[test] $ go test ./...\n", go_test)), GO_TEST),
    ("tox", ("tox -e py", after("py: commands[0]> pytest tests\n", pytest_says)), ("pytest tests", pytest_says)),
    (
        "nox",
        ("nox -s tests", after("nox > Running session tests\nnox > python -m pytest tests\n", pytest_says)),
        ("pytest tests", pytest_says),
    ),
    ("poe", ("poe test", after("Poe => pytest tests\n", pytest_says)), ("pytest tests", pytest_says)),
    ("poetry", ("python -m pytest", pytest_says), ("poetry run pytest", pytest_says)),
    ("nx", ("npx nx test a", after("\n> nx run a:test\n\n> vitest run\n\n", vitest)), IN_A),
    (
        "turbo",
        (
            "npx turbo run test",
            after(
                "• Packages in scope: a\na:test: > a@1.0.0 test\na:test: > vitest run\n", prefixed("a:test: ", vitest)
            ),
        ),
        IN_A,
    ),
    (
        "pnpm in every package",
        (
            "pnpm -r test",
            after(
                "Scope: 2 of 3 workspace projects\npackages/a test$ vitest run\n", prefixed("packages/a test: ", vitest)
            ),
        ),
        IN_A,
    ),
    ("make that calls npm", ("make test", after("cd a && npm test\n", npm("test", "vitest run", vitest, "a"))), ("cd a && npx vitest run", vitest)),
    (
        "make in a directory",
        ("make -C a test", after("make: Entering directory '/repo/a'\nnpx vitest run\n", vitest)),
        ("cd a && npx vitest run", vitest),
    ),
    ("the tool that failed of two", ("npm run check", npm("check", "eslint . && vitest run", vitest)), VITEST),
    (
        "the script that failed of two",
        ("npm run check", after("\n> app@1.0.0 check\n> npm run lint && npm test\n\n> app@1.0.0 lint\n> eslint .\n\n", npm("test", "vitest run", vitest))),
        ("npm test", vitest),
    ),
    ("a script before the test", ("npm test", after("\n> app@1.0.0 pretest\n> eslint .\n\n", npm("test", "vitest run", vitest))), VITEST),
    ("a directory for npm", ("cd web && npm run build", tsc), ("npm --prefix web run build", tsc)),
    ("an absolute one", ("cd web && npm run build", tsc), ("npm --prefix /repo/web run build", tsc)),
    ("a directory for pnpm", ("cd web && pnpm build", tsc), ("pnpm -C web build", tsc)),
    ("a directory for yarn", ("cd web && yarn build", tsc), ("yarn --cwd web build", tsc)),
    ("a directory for a binary", ("cd web && npx vitest run", vitest), ("pnpm -C web exec vitest run", vitest)),
    ("a directory for uv", ("cd api && pytest", pytest_says), ("uv run --directory api pytest", pytest_says)),
    ("a workspace of yarn", ("cd packages/a && yarn test", vitest), ("yarn workspace a test", vitest)),
    ("a filter of pnpm", ("cd packages/a && pnpm test", vitest), ("pnpm --filter @app/a test", vitest)),
    ("a workspace of npm", ("cd packages/a && npm test", vitest), ("npm test -w packages/a", vitest)),
    ("a package by its banner", ("cd apps/site && npm test", npm("test", "vitest run", vitest, "@app/web")), ("npm test -w @app/web", npm("test", "vitest run", vitest, "@app/web"))),
    ("a module of Gradle", ("./gradlew :app:test", tsc), ("gradle -p app test", tsc)),
    ("short names", ("npm t", vitest), ("npm run test", vitest)),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_a_fix_is_credited_from_one_call_of_a_check_to_the_other_and_back(first: Call, second: Call) -> None:
    assert credited(first, second)
    assert credited(second, first)


OTHER: list[tuple[str, Call, Call]] = [
    ("a lint script is no test", ("npm run lint", npm("lint", "eslint .", eslint)), VITEST),
    ("another runner", ("npm test", npm("test", "jest", vitest)), VITEST),
    ("a silent recipe", ("make test", after("", lambda f: "it broke\n" * f, MAKE_FAILED)), GO_TEST),
    ("a name alone", ("npm run lint", lambda f: "it broke\n" * f), ("npx eslint .", eslint)),
    ("another package", ("pnpm --filter a test", npm("test", "vitest run", vitest, "a")), ("cd packages/b && npx vitest run", vitest)),
    ("a part of the tests", ("npm test", npm("test", "vitest run", vitest)), ("npx vitest run src/y.test.ts", vitest)),
    ("a script of a part", VITEST, ("npm test", npm("test", "vitest run src/unit", vitest))),
    ("one package of all", VITEST, ("pnpm --filter a vitest run", vitest)),
    ("the half that passed", ("npm run check", npm("check", "eslint . && vitest run", vitest)), ("npx eslint .", eslint)),
    ("a failure that does not count", ("npx eslint .", eslint), ("npm run check", npm("check", "eslint . || true; vitest run", vitest))),
    ("files without the project's settings", ("npx tsc --noEmit src/x.ts", tsc), ("npm run build", npm("build", "tsc", tsc))),
    ("files that are not known", ("npm run lint", npm("lint", "eslint .", eslint)), ("git ls-files | xargs npx eslint", eslint)),
    ("a report of plain words", ("make check", after("pytest --version\nruff check passed here\n", ruff, MAKE_FAILED)), ("ruff check passed here", ruff)),
    ("a sentence that begins like a command", ("make test", after("pytest tests\n", lambda f: "go test failed\n" + pytest_says(f))), ("go test failed", go_test)),
    ("types for tests", ("npx tsc --noEmit", tsc), VITEST),
    ("another platform", ("GOOS=windows go build ./...", go_build), GO_TEST),
    ("a test that does not compile", ("go vet ./...", lambda f: go_build(f).replace("x.go", "x_test.go")), ("go build ./...", go_build)),
    ("files that a tag adds", ("go vet -tags slow ./...", go_build), ("go vet ./...", go_build)),
    ("other packages", ("go build ./...", go_build), ("go test ./other", go_test)),
    ("what only vet finds", ("go vet ./...", go_vet), GO_TEST),
    ("tests that the check leaves out", ("cargo test", cargo_check), ("cargo check", cargo_check)),
    ("a linker's error", ("cargo build", lambda f: "error: linking with `cc` failed: exit status: 1\n" * f), ("cargo check", cargo_check)),
    ("another variant", ("./gradlew assembleDebug", kotlinc), ("./gradlew assembleRelease", kotlinc)),
    ("the tests' code", ("./gradlew test", lambda f: kotlinc(f).replace("main", "test")), ("./gradlew compileKotlin", kotlinc)),
    ("another scheme", ("xcodebuild build -scheme A", swiftc), ("xcodebuild build -scheme B", swiftc)),
    ("code of tests", ("swift test", lambda f: swiftc(f).replace("Sources", "Tests")), ("swift build", swiftc)),
    ("a phase before", ("mvn test", lambda f: kotlinc(f).replace("main", "test")), ("mvn compile", kotlinc)),
    ("another crate", ("cargo check -p a", cargo_check), ("cargo test -p b", cargo_test)),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [case[1:] for case in OTHER], ids=[case[0] for case in OTHER])
def test_without_evidence_another_call_credits_nothing(first: Call, second: Call) -> None:
    assert not credited(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("go build ./...", go_build), GO_TEST),
        (("go vet ./...", go_build), GO_TEST),
        (("make build", after("go build ./...\n", go_build)), GO_TEST),
        (("go vet ./...", go_build), ("go build ./...", go_build)),
        (GO_BROKEN, ("go build ./...", go_build)),
        (("cargo check", cargo_check), ("cargo test", cargo_test)),
        (("cargo check --workspace", cargo_check), ("cargo clippy --workspace", cargo_check)),
        (("cargo build", cargo_check), ("cargo test parser", cargo_test)),
        (("cargo build", cargo_check), ("cargo clippy", cargo_check)),
        (("cargo check", cargo_check), ("cargo clippy --all-targets", cargo_check)),
        (("cargo check --all-targets", cargo_check), ("cargo test", cargo_test)),
        (("cargo test", cargo_check), ("cargo nextest run", cargo_test)),
        (("./gradlew build", kotlinc), ("./gradlew test --tests CartTest", kotlinc)),
        (("./gradlew assembleDebug", kotlinc), ("./gradlew compileDebugKotlin", kotlinc)),
        (("./gradlew :app:test", kotlinc), ("./gradlew :app:compileKotlin", kotlinc)),
        (("mvn clean install", kotlinc), ("mvn -q -DskipTests package", kotlinc)),
        (("dotnet build", csc), ("dotnet test Shop.sln", csc)),
        (("swift test", swiftc), ("swift build", swiftc)),
        (("xcodebuild test -scheme A", swiftc), ("xcodebuild build -scheme A", swiftc)),
        (("mix compile", elixirc), ("mix test test/cart_test.exs", elixirc)),
    ],
)
def test_an_error_of_the_build_is_gone_where_the_same_compiler_took_the_same_packages(
    first: Call, second: Call
) -> None:
    assert credited(first, second)


def test_running_the_program_compiles_what_was_checked() -> None:
    check = ("cargo check", cargo_check, True)
    assert fixes(check, "/repo/src/lib.rs", ("cargo run -q", cargo_check, False)) == [("c0", "c2")]
    assert fixes(check, "/repo/src/lib.rs", ("cargo run --bin other", cargo_check, False)) == []


@pytest.mark.parametrize(
    ("picked", "credit"),
    [("TestAdd", True), ("Test", True), ("^TestAdd$", False), ("TestAdd_Twice", False), ("TestSub", False)],
)
def test_of_tests_that_were_picked_by_several_names_the_one_that_failed_counts(picked: str, credit: bool) -> None:
    assert (
        credited(("go test ./pkg -run 'TestAdd|TestSub'", go_test), (f"go test ./pkg -run '{picked}'", go_test))
        is credit
    )


def test_nx_names_the_one_task_of_many_that_failed() -> None:
    def many(fails: bool) -> str:
        return vitest(fails) + " NX   Ran target test for 3 projects (2s)\n\nFailed tasks:\n\n- a:test\n" * fails

    assert credited(("npx nx run-many -t test", many), ("npx nx test a", vitest))
    assert not credited(("npx nx run-many -t test", many), ("npx nx test b", vitest))


def test_a_script_that_failed_before_it_came_to_a_check_says_nothing_of_it() -> None:
    """`eslint . && vitest run` stopped at eslint: the failing test was not looked at."""
    check = "npm run check"
    stopped = npm("check", "eslint . && vitest run", eslint)
    passed = npm("check", "eslint . && vitest run", vitest)
    found = fixes(("npx vitest run", vitest, True), None, (check, stopped, True), None, (check, passed, False))
    assert ("c0", "c4") in found
    assert ("c0", "c2") not in found


def test_what_a_script_ran_is_remembered_for_calls_that_cut_the_banner_off() -> None:
    whole = npm("test", "vitest run src", vitest)
    cut = ("npm test 2>&1 | tail -20", vitest, True)
    same = ("npx vitest run src", vitest, False)
    assert fixes(("npm test", whole, False), cut, None, same) == [("c1", "c3")]
    assert fixes(("npm test", whole, False), "/repo/package.json", cut, None, same) == []
    assert fixes(cut, None, same) == []


def test_where_no_banner_tells_the_errors_and_the_summary_tell_the_tool() -> None:
    cut = ("npm test 2>&1 | tail -20", vitest)
    assert credited(cut, VITEST)
    assert credited(VITEST, cut)
    assert not credited(cut, IN_A)


def test_of_two_calls_that_showed_an_error_the_one_that_is_called_as_before_is_the_one_that_failed() -> None:
    script = npm("test", "vitest run", vitest)
    found = fixes(("npm test", script, True), ("npx vitest run", vitest, True), None, ("npm test", script, False))
    assert found == [("c0", "c3")]


def test_two_scripts_of_one_line_are_told_apart_by_their_banners() -> None:
    both = after("\n> app@1.0.0 lint\n> eslint .\n\n", npm("test", "vitest run", vitest))
    line = ("npm run lint && npm test", both)
    assert credited(line, VITEST)
    assert not credited(line, ("npx eslint .", eslint))


def test_of_two_calls_with_a_change_between_the_later_one_is_the_one_that_failed() -> None:
    script = npm("test", "vitest run", vitest)
    told = (("npm test", script, True), None, ("npx vitest run", vitest, True), None, ("npm test", script, False))
    assert fixes(*told) == [("c2", "c4")]


def test_the_directory_that_the_compiler_is_given_is_where_it_checks() -> None:
    of_package = ("npm run types -w @shop/api", npm("types", "tsc --noEmit", tsc, "@shop/api"))
    assert credited(of_package, ("npx tsc --noEmit -p apps/api", tsc))
    assert credited(of_package, ("npx tsc -p apps/api/tsconfig.json", tsc))
    assert not credited(of_package, ("npx tsc -p apps/web", tsc))
    assert not credited(of_package, ("npx tsc -p apps/api/tsconfig.build.json", tsc))


def test_an_option_behind_build_is_no_project() -> None:
    assert credited(("npx tsc -b", tsc), ("npx tsc -b --verbose", tsc))


def test_the_line_of_a_script_tells_all_that_it_runs_though_it_failed_half_way() -> None:
    chain = after("$ bun run types && bun run lint\n$ tsc --noEmit\n", tsc)
    cut = ("bun run ci 2>&1 | tail -3", vitest, False)
    lint = ("bun run lint", after("$ eslint .\n", eslint), True)
    assert ("c1", "c3") in fixes(("bun run ci", chain, True), lint, None, cut)
    assert ("c1", "c3") not in fixes(("bun run check", chain, True), lint, None, cut)


def test_a_script_that_is_called_by_its_name_goes_by_that_name() -> None:
    types = after("\n> ci\n> run-s types lint\n\n", lambda fails: f"\n> types\n> tsc --noEmit\n\n{tsc(fails)}")
    assert fixes(("npm run ci", types, True), None, ("npm run types --silent", tsc, False)) == [("c0", "c2")]


def test_a_script_of_the_same_line_that_failed_was_not_called_by_the_other() -> None:
    text = "$ bun test src\n(fail) adds [1.00ms]\n 0 pass\n 1 fail\nerror: script \"unit\" exited with code 1\n$ tsc --noEmit\nsrc/x.ts(3,5): error TS2304: Cannot find name 'A'.\n"
    line = ("bun run unit; bun run types", lambda fails: text if fails else "$ bun test src\n 1 pass\n 0 fail\n$ tsc\n")
    assert ("c0", "c2") in fixes((*line, True), None, (*line, False))


COVERAGE = 'Jest: "global" coverage threshold for branches (90%) not met: 87.5%\n'


def test_coverage_that_is_too_low_is_gone_only_where_it_is_asked_for_again() -> None:
    counts = "Tests:       7 passed, 7 total\n"
    low = ("npx jest --coverage", lambda fails: COVERAGE * fails + counts)
    assert credited(low, low)
    assert not credited(low, ("npx jest", lambda fails: counts))
