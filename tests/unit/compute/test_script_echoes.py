"""What runners say that they run."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.commands.command_meaning import meaning_of
from debug_loop_pipeline.compute.commands.error_cutting import CutError
from debug_loop_pipeline.compute.commands.goals import Goal, GoalRun
from debug_loop_pipeline.compute.commands.script_echoes import Echo, echoes_in, failed_script, goal_runs, may_echo
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.toolbox import GoalKind


def script(tool: str, target: tuple[str, ...] = (), cwd: str = "") -> Goal:
    return Goal(tool, GoalKind.MIXED, target, cwd=cwd)


def runs(goal: Goal, output: str, *error_tools: str, passed: bool | None = None) -> tuple[GoalRun, ...]:
    errors = [CutError("x", tool=tool) for tool in error_tools]
    return goal_runs(
        goal,
        echoes_in(output, goal),
        errors,
        passed=not errors if passed is None else passed,
        base="/repo",
        meaning_of=lambda ran, base: meaning_of(ran, TaskFiles(), base),
        failed_as=failed_script(goal, output),
    )


def told(found: tuple[GoalRun, ...]) -> list[tuple[int, bool, str]]:
    return [(run.part, run.failed, run.goal.text) for run in found]


@pytest.mark.parametrize(
    ("tool", "output", "echo"),
    [
        ("npm run test", "> app@1.0.0 test\n> jest src\n", Echo("jest src", "test", "app")),
        ("npm run test", "> test\n> jest\n", Echo("jest", "test")),
        ("pnpm run test", "> @app/a@ test /repo/a\n> jest\n", Echo("jest", "test", "@app/a", "/repo/a")),
        ("pnpm run test", "packages/a test$ jest\n", Echo("jest", "test", place="packages/a")),
        ("yarn run test", "yarn run v1.22.19\n$ jest\n", Echo("jest", nameless=True)),
        ("nx run test", "> nx run web:test\n\n> jest\n", Echo("jest", "test", "web")),
        ("task test", "task: [test] pytest -q\n", Echo("pytest -q", "test")),
        ("mise run test", "[test] $ pytest -q\n", Echo("pytest -q", "test")),
        ("tox", "py311: commands[0] /repo/a> pytest tests\n", Echo("pytest tests", place="/repo/a")),
        ("tox", "py311 run-test: commands[0] | pytest tests\n", Echo("pytest tests")),
        (
            "tox",
            "py311: exit 1 (3.06 seconds) /repo/a> pytest -q tests pid=89\n",
            Echo("pytest -q tests", place="/repo/a", environment="py311"),
        ),
        ("deno task test", "Task test deno test -A\n", Echo("deno test -A", "test")),
        ("pixi test", "✨ Pixi task (test): pytest\n", Echo("pytest", "test")),
        ("composer test", "> phpunit\n", Echo("phpunit")),
        ("make test", "CGO_ENABLED=0 go test ./...\n", Echo("CGO_ENABLED=0 go test ./...")),
        ("make", "make[1]: Entering directory '/repo/a'\ngo vet ./...\n", Echo("go vet ./...", place="/repo/a")),
    ],
)
def test_each_runner_has_its_form(tool: str, output: str, echo: Echo) -> None:
    assert may_echo(script(tool))
    assert echoes_in(output, script(tool)) == (echo,)


@pytest.mark.parametrize(
    "output",
    [
        "go test failed in three packages\nmake: *** [test] Error 1\n",
        "bun test v1.1.0 (abc)\n",
        "tests passed.\npytest: error: unrecognized arguments\n",
        "bun test v1.2.3\n",
        "cargo test failed.\n",
    ],
)
def test_a_line_that_is_no_command_is_no_echo_of_make(output: str) -> None:
    assert echoes_in(f"echo start\n{output}", script("make test")) == ()


def test_a_tool_that_is_no_runner_is_not_asked() -> None:
    assert not may_echo(script("vitest"))


def test_nested_scripts_are_one_check_under_several_names() -> None:
    output = "npm test\n\n> app@1.0.0 test\n> vitest run\n\n"
    assert told(runs(script("make check"), output)) == [(0, False, "npm run test"), (0, False, "vitest")]


def test_of_several_checks_those_are_known_that_ran_up_to_the_one_whose_errors_show() -> None:
    output = "> a@1.0.0 check\n> eslint . && tsc && vitest run\n\n"
    check = script("npm run check")
    names = [run.goal.tool for run in runs(check, output, "tsc") if run.goal.tool != "npm run check"]
    assert names == ["eslint", "tsc"]
    assert [run.part for run in runs(check, output, "tsc") if run.failed] == [1, 1]
    assert {run.goal.tool for run in runs(check, output)} == {"npm run check", "eslint", "tsc", "vitest"}
    assert runs(check, output, "npm run check") == ()


def test_many_packages_at_once_tell_nothing_of_what_stands_before_the_failure() -> None:
    output = "a:lint: > a@1.0.0 lint\na:lint: > eslint .\nb:test: > b@1.0.0 test\nb:test: > vitest run\n Tasks:    1 successful, 2 total\n"
    assert told(runs(script("turbo run lint test"), output, "vitest")) == [(1, True, "vitest (in [b])")]


def test_a_check_whose_failure_the_script_hides_is_left_out() -> None:
    output = "> a@1.0.0 check\n> eslint . || true; vitest run\n\n"
    assert {run.goal.tool for run in runs(script("npm run check"), output)} == {"npm run check", "vitest"}


def test_the_banner_names_the_package_and_the_place_of_the_script_itself() -> None:
    output = "> @app/a@1.0.0 test /repo/packages/a\n> vitest run\n"
    found = told(runs(script("pnpm run test", ("[@app/a]",)), output))
    assert [text for _, _, text in found] == [
        "pnpm run test [@app/a]",
        "pnpm run test (in packages/a)",
        "vitest (in packages/a)",
    ]


def test_a_task_that_is_looked_for_upwards_ran_where_its_file_lies() -> None:
    output = "[test] $ go test ./...\n"
    assert told(runs(script("mise run test"), output)) == [(0, False, "go test ./...")]
    assert runs(script("mise run test", cwd="api"), output) == ()


def test_echoes_are_bounded() -> None:
    output = "".join(f"> a@1.0.0 s{n}\n> eslint dir{n}\n\n" for n in range(500))
    assert len(echoes_in(output, script("npm run test"))) == 24
    assert len(runs(script("npm run test"), output)) <= 24


@pytest.mark.parametrize(
    ("tool", "output", "name"),
    [
        ("make check", "a.py:1:1: E501\nmake: *** [Makefile:7: lint] Error 1\n", "make lint"),
        ("make", "make: *** [lint] Error 1\n", "make lint"),
        (
            "bun run check",
            'error: script "lint" exited with code 1\nerror: script "check" exited with code 1\n',
            "bun run lint",
        ),
        ("npm run check", "npm error Lifecycle script `types` failed with error:\n", "npm run types"),
        ("mise run ci", "[lint] ERROR task failed\n", "mise run lint"),
        ("just ci", "error: Recipe `lint` failed on line 4 with exit code 1\n", "just lint"),
        ("make check", "make: *** [Makefile:7: check] Error 1\n", None),
        ("make check", "make[1]: *** [Makefile:2: lint] Error 1\nmake: *** [Makefile:7: check] Error 2\n", None),
        ("npm run check", "npm error Lifecycle script `lint` failed\nnpm error workspace @x/a@1.0.0\n", None),
        ("mise run ci", "[lint] ERROR task failed\n[test] ERROR task failed\n", None),
        ("pytest", "make: *** [Makefile:7: lint] Error 1\n", None),
    ],
)
def test_the_runners_last_words_name_the_script_inside_that_failed(tool: str, output: str, name: str | None) -> None:
    found = failed_script(script(tool), output)
    assert (found and found.tool) == name
    assert told(runs(script(tool), output, "ruff")) == ([(0, True, name)] if name else [])


def test_a_task_in_a_subdirectory_is_not_named_where_its_file_may_lie_above() -> None:
    assert failed_script(script("mise run ci", cwd="api"), "[lint] ERROR task failed\n") is None


def test_the_script_that_failed_is_one_more_name_of_the_check_whose_errors_show() -> None:
    output = "eslint .\nmake: *** [Makefile:7: lint] Error 1\n"
    assert told(runs(script("make check"), output, "eslint")) == [(0, True, "make lint"), (0, True, "eslint .")]
