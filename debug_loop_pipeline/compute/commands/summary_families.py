"""Which summaries and errors are which tool's: the families of `summaries` that a goal's verdict may be read from.

Belongs here: the tables from tools to families, and to the names under which `error_cutting` files their findings; which family's
counts of tests hold. Reading a verdict is `verdicts`.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

from debug_loop_pipeline.compute.commands.summaries import Found
from debug_loop_pipeline.compute.commands.toolbox import GoalKind

FAMILIES: dict[str, frozenset[str]] = {
    "pytest": frozenset({"pytest"}),
    "unittest": frozenset({"unittest"}),
    "django-test": frozenset({"django-error", "unittest"}),
    "manage.py check": frozenset({"django", "django-error"}),
    "manage.py makemigrations": frozenset({"django-error", "django-migrations"}),
    "go test": frozenset({"go"}),
    "ginkgo": frozenset({"go"}),
    "go build": frozenset(),
    "go vet": frozenset(),
    "golangci-lint run": frozenset({"golangci-lint"}),
    "govulncheck": frozenset({"govulncheck"}),
    "jest": frozenset({"jest"}),
    "vitest": frozenset({"vitest"}),
    "mocha": frozenset({"mocha"}),
    "bun test": frozenset({"bun"}),
    "node --test": frozenset({"node", "tap"}),
    "ava": frozenset({"ava", "node", "tap"}),
    "playwright test": frozenset({"playwright"}),
    "cypress run": frozenset({"cypress", "mocha"}),
    "deno test": frozenset({"deno"}),
    "cargo test": frozenset({"cargo", "cargo-test"}),
    "cargo nextest run": frozenset({"cargo", "cargo-test"}),
    "cargo build": frozenset({"cargo", "cargo-build"}),
    "cargo check": frozenset({"cargo", "cargo-build"}),
    "cargo clippy": frozenset({"cargo", "cargo-build"}),
    "cargo fmt": frozenset({"rustfmt"}),
    "tsc": frozenset({"tsc"}),
    "eslint": frozenset({"eslint"}),
    "biome check": frozenset({"biome"}),
    "biome lint": frozenset({"biome"}),
    "biome ci": frozenset({"biome"}),
    "biome format": frozenset({"biome"}),
    "prettier": frozenset({"prettier"}),
    "oxlint": frozenset({"oxlint"}),
    "oxfmt": frozenset({"oxfmt"}),
    "vp check": frozenset({"oxfmt", "oxlint"}),
    "ruff check": frozenset({"all-checks", "ruff"}),
    "ruff format": frozenset({"ruff"}),
    "black": frozenset({"black"}),
    "isort": frozenset({"isort"}),
    "mypy": frozenset({"mypy"}),
    "ty check": frozenset({"all-checks", "ty", "ty-line"}),
    "pyright": frozenset({"pyright"}),
    "rspec": frozenset({"rspec"}),
    "rails test": frozenset({"minitest"}),
    "rubocop": frozenset({"rubocop"}),
    "phpunit": frozenset({"phpunit"}),
    "phpcs": frozenset({"phpcs"}),
    "php -l": frozenset({"php"}),
    "phpstan": frozenset({"phpstan"}),
    "phpstan analyse": frozenset({"phpstan"}),
    "phpstan analyze": frozenset({"phpstan"}),
    "dotnet test": frozenset({"dotnet"}),
    "dotnet build": frozenset({"dotnet"}),
    "ctest": frozenset({"ctest"}),
    "swift test": frozenset({"swift", "xcsift"}),
    "swift build": frozenset({"swift", "xcsift"}),
    "mix test": frozenset({"exunit"}),
    "mix credo": frozenset({"credo"}),
    "mix dialyzer": frozenset({"dialyzer"}),
    "docker build": frozenset({"docker"}),
    "terraform validate": frozenset({"terraform"}),
    "tox": frozenset({"pytest", "tox", "unittest"}),
    "nox": frozenset({"nox", "pytest"}),
    "pre-commit run": frozenset({"pre-commit"}),
}
"""Tools whose summaries are known: only these families speak for them."""

ALWAYS = frozenset({"counts", "coverage", "missing"})
"""Families that any tool's output may have."""

TRAILING_RUNNERS = (
    "npm run",
    "yarn run",
    "pnpm run",
    "bun run",
    "make",
    "mise run",
    "just",
    "task",
    "turbo",
    "vp run",
    "nx",
    "gradle",
    "mvn",
    "cargo",
    "go test",
    "composer",
    "deno task",
    "pnpm",
    "dotnet",
    "bazel",
    "tox",
    "nox",
)
"""Tools that end their output with what failed."""

TEST_FAMILIES = frozenset(
    "ava bazel bun busted cargo cargo-test catch2 clojure ctest cypress dart deno dotnet exunit forge go gradle gtest jasmine jest julia "
    "karma maven meson minitest mocha node nox phpunit playwright prove pytest rspec sbt swift tap testthat tox "
    "unittest vitest xcsift zig".split()
)
_TYPE_FAMILIES = frozenset("mypy pyright svelte tsc ty".split())
_LINT_FAMILIES = frozenset(
    "all-checks biome black cargo-build credo dialyzer django django-error eslint golangci-lint govulncheck helm isort oxfmt oxlint php phpcs phpstan pre-commit prettier "
    "rubocop ruff rustfmt swiftlint violations".split()
)
_BUILD_FAMILIES = frozenset(
    "bazel bundler cargo cargo-build cmake dart docker dotnet forge gradle maven meson nx sbt swift terraform tsc turbo "
    "xcsift zig".split()
)
KIND_FAMILIES: dict[GoalKind, frozenset[str]] = {
    GoalKind.TEST: TEST_FAMILIES | ALWAYS,
    GoalKind.LINT: _LINT_FAMILIES | _TYPE_FAMILIES,
    GoalKind.FORMAT: _LINT_FAMILIES,
    GoalKind.TYPES: _TYPE_FAMILIES | frozenset({"cargo", "cargo-build", "dart"}),
    GoalKind.BUILD: _BUILD_FAMILIES,
    GoalKind.RUN: TEST_FAMILIES | ALWAYS,
    GoalKind.MIXED: TEST_FAMILIES | _LINT_FAMILIES | _TYPE_FAMILIES | _BUILD_FAMILIES | ALWAYS,
}
"""Families that speak for a script of that kind where the line has several goals."""

_ERROR_TOOLS: dict[str, frozenset[str]] = {
    "tsc": frozenset({"tsc"}),
    "eslint": frozenset({"eslint"}),
    "go build": frozenset({"go build"}),
    "go vet": frozenset({"go build", "go vet"}),
    "go test": frozenset({"go test", "go build"}),
    "golangci-lint run": frozenset({"golangci-lint", "go build"}),
    "vitest": frozenset({"vitest"}),
    "jest": frozenset({"jest"}),
    "mocha": frozenset({"mocha"}),
    "bun test": frozenset({"bun test"}),
    "ava": frozenset({"ava", "node", "tap"}),
    "playwright test": frozenset({"playwright"}),
    "pytest": frozenset({"pytest"}),
    "unittest": frozenset({"unittest"}),
    "django-test": frozenset({"unittest"}),
    "mypy": frozenset({"mypy"}),
    "pyright": frozenset({"pyright"}),
    "manage.py check": frozenset({"manage.py check"}),
    "manage.py makemigrations": frozenset({"manage.py makemigrations", "manage.py check"}),
    "biome check": frozenset({"biome"}),
    "biome ci": frozenset({"biome"}),
    "prettier": frozenset({"prettier"}),
    "black": frozenset({"black"}),
    "ruff format": frozenset({"ruff format"}),
    "isort": frozenset({"isort"}),
    "cargo test": frozenset({"cargo test", "rustc", "cargo"}),
    "cargo build": frozenset({"rustc", "cargo"}),
    "cargo check": frozenset({"rustc", "cargo"}),
    "cargo clippy": frozenset({"clippy", "rustc", "cargo"}),
    "cargo fmt": frozenset({"cargo fmt"}),
    "ctest": frozenset(
        "ctest gtest catch2 doctest unity libcheck cmocka boost.test qtest assert sanitizer valgrind shell".split()
    ),
    "meson test": frozenset({"meson test", "gtest", "assert", "sanitizer"}),
    "dotnet test": frozenset({"dotnet test", "dotnet build"}),
    "dotnet build": frozenset({"dotnet build"}),
    "rspec": frozenset({"rspec", "ruby"}),
    "phpunit": frozenset({"phpunit", "php"}),
    "phpstan": frozenset({"phpstan", "php"}),
    "phpstan analyse": frozenset({"phpstan", "php"}),
    "phpstan analyze": frozenset({"phpstan", "php"}),
    "phpcs": frozenset({"phpcs"}),
    "mix test": frozenset({"mix test", "mix compile", "mix"}),
}


def error_tools(tool: str) -> frozenset[str]:
    """Names under which the errors of a goal's tool are filed; empty where they cannot be told from others'."""
    return _ERROR_TOOLS.get(tool, frozenset())


def test_counts(found: list[Found]) -> tuple[int | None, int | None]:
    """Passed and failed tests, of the family that tells both where there is one."""
    tests = [f for f in found if f.family in TEST_FAMILIES]
    both = [f for f in tests if f.passed is not None and f.failed is not None and f.passed + f.failed]
    if both:
        return both[0].passed, both[0].failed
    passed = next((f.passed for f in tests if f.passed is not None), None)
    failures = [f.failed for f in tests if f.failed is not None]
    return passed, max(failures) if failures else None
