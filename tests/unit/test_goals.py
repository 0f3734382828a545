"""What commands are to a task."""

from __future__ import annotations

import time

import pytest

from debug_loop_pipeline.compute.commands.command_meaning import meaning_of
from debug_loop_pipeline.compute.commands.goals import Checked, Goal, GoalRun, checks_again, covers, speaks_for
from debug_loop_pipeline.compute.commands.meanings import Action, Meaning
from debug_loop_pipeline.compute.commands.shell_status import commands_of
from debug_loop_pipeline.compute.commands.task_files import TaskFiles
from debug_loop_pipeline.compute.commands.toolbox import GoalKind

V, C, N = Action.VERIFY, Action.CHANGE, Action.NEITHER


def meanings(line: str, files: TaskFiles | None = None, cwd: str = "/repo") -> list[Meaning]:
    return [meaning_of(ran, files or TaskFiles(), "/repo") for ran in commands_of(line, cwd)]


def goals(line: str, files: TaskFiles | None = None) -> list[Goal]:
    return [m.goal for m in meanings(line, files) if m.goal is not None]


def goal(line: str, files: TaskFiles | None = None) -> Goal:
    (only,) = goals(line, files)
    return only


@pytest.mark.parametrize(
    ("line", "text", "kind"),
    [
        ("python -m pytest tests/test_x.py -xvs -k foo", "pytest tests/test_x.py -k foo", GoalKind.TEST),
        (".venv/bin/pytest -q", "pytest", GoalKind.TEST),
        ("uv run pytest tests --cov=src -n 4", "pytest tests", GoalKind.TEST),
        ("python3.12 -m unittest discover -s tests", "unittest", GoalKind.TEST),
        ("python manage.py test app.tests --settings=x", "django-test app.tests", GoalKind.TEST),
        ("./tests/runtests.py --verbosity 2 model_forms", "django-test model_forms", GoalKind.TEST),
        ("tox -e py311", "tox -e py311", GoalKind.TEST),
        ("swiftc -typecheck -swift-version 6 -sdk /S.sdk a.swift", "swift build a.swift", GoalKind.BUILD),
        ("mypy --strict src", "mypy src", GoalKind.TYPES),
        ("pyright", "pyright", GoalKind.TYPES),
        ("ruff check .", "ruff check .", GoalKind.LINT),
        ("ruff format --check .", "ruff format .", GoalKind.FORMAT),
        ("black --check .", "black .", GoalKind.FORMAT),
        ("python -m py_compile a.py", "py_compile a.py", GoalKind.BUILD),
        ("npx jest src/a.test.ts -t 'adds'", "jest src/a.test.ts -t adds", GoalKind.TEST),
        ("npx vitest run", "vitest", GoalKind.TEST),
        ("pnpm --filter web test", "pnpm run test [web]", GoalKind.TEST),
        ("npm test -- a.test.ts", "npm run test a.test.ts", GoalKind.TEST),
        ("yarn lint", "yarn run lint", GoalKind.LINT),
        ("bun test src/", "bun test src/", GoalKind.TEST),
        ("bun run typecheck", "bun run typecheck", GoalKind.TYPES),
        ("npx tsc --noEmit -p tsconfig.json", "tsc tsconfig.json", GoalKind.TYPES),
        ("eslint src --ext .ts,.tsx", "eslint src", GoalKind.LINT),
        ("npx prettier --check .", "prettier .", GoalKind.FORMAT),
        ("npx @biomejs/biome check", "biome check", GoalKind.LINT),
        ("npx playwright test e2e/a.spec.ts", "playwright test e2e/a.spec.ts", GoalKind.TEST),
        ("npx next build", "next build", GoalKind.BUILD),
        ("npx turbo run test", "turbo run test", GoalKind.TEST),
        ("nx test app", "nx run test [app]", GoalKind.TEST),
        ("node --test", "node --test", GoalKind.TEST),
        ("deno test", "deno test", GoalKind.TEST),
        ("go test ./... -race -count=1 -run TestA", "go test ./... -run TestA", GoalKind.TEST),
        ("go vet ./...", "go vet ./...", GoalKind.LINT),
        ("gofmt -l .", "gofmt .", GoalKind.FORMAT),
        ("golangci-lint run --timeout 5m", "golangci-lint run", GoalKind.LINT),
        ("cargo test -p core parser", "cargo test core parser", GoalKind.TEST),
        ("cargo test --lib -q", "cargo test --lib", GoalKind.TEST),
        ("cargo +nightly clippy --all-targets -- -D warnings", "cargo clippy", GoalKind.LINT),
        ("cargo fmt --all -- --check", "cargo fmt", GoalKind.FORMAT),
        ("cargo check --workspace", "cargo check", GoalKind.TYPES),
        ("./gradlew test --tests FooTest", "gradle test --tests FooTest", GoalKind.TEST),
        ("mvn -q clean verify", "mvn verify", GoalKind.TEST),
        ("mvn clean install", "mvn install", GoalKind.TEST),
        ("mvn -q -DskipTests package", "mvn package skip=test", GoalKind.BUILD),
        ("./gradlew installDebug", "gradle installDebug", GoalKind.BUILD),
        ("./gradlew build -x test", "gradle build skip=test", GoalKind.BUILD),
        ("xcodebuild clean build -scheme A", "xcodebuild build A", GoalKind.BUILD),
        (
            "xcodebuild test -scheme A -only-testing:AT/CartTests",
            "xcodebuild test A -only-testing AT/CartTests",
            GoalKind.TEST,
        ),
        ("mvn test -Dtest=FooTest", "mvn test --tests FooTest", GoalKind.TEST),
        ("dotnet test --filter Name~Foo", "dotnet test --filter Name~Foo", GoalKind.TEST),
        ("bundle exec rspec spec/a_spec.rb", "rspec spec/a_spec.rb", GoalKind.TEST),
        ("bin/rails test", "rails test", GoalKind.TEST),
        ("vendor/bin/phpunit --filter testX", "phpunit --filter testX", GoalKind.TEST),
        ("php artisan test", "artisan test", GoalKind.TEST),
        ("mix test test/a_test.exs", "mix test test/a_test.exs", GoalKind.TEST),
        ("swift test", "swift test", GoalKind.TEST),
        ("cmake --build build -j 8", "cmake --build build", GoalKind.BUILD),
        ("ctest --test-dir build -R foo", "ctest -R foo (in build)", GoalKind.TEST),
        ("make -j4 test", "make test", GoalKind.TEST),
        ("make", "make", GoalKind.BUILD),
        ("gcc -Wall a.c -o a", "cc a.c", GoalKind.BUILD),
        ("bazel test //...", "bazel test //...", GoalKind.TEST),
        ("docker build -t x .", "docker build .", GoalKind.BUILD),
        ("terraform validate", "terraform validate", GoalKind.LINT),
        ("shellcheck a.sh", "shellcheck a.sh", GoalKind.LINT),
        ("bash -n a.sh", "bash -n a.sh", GoalKind.LINT),
        ("mise run test:ci", "mise run test:ci", GoalKind.TEST),
        ("just check", "just check", GoalKind.LINT),
        ("composer deptrac", "composer deptrac", GoalKind.LINT),
        ("composer size-guard", "composer size-guard", GoalKind.LINT),
        ("hatch run test:cov", "hatch run test:cov", GoalKind.TEST),
        ("poetry run pytest tests", "pytest tests", GoalKind.TEST),
        ("pdm run check", "pdm run check", GoalKind.LINT),
        ("rye test", "rye test", GoalKind.TEST),
        ("mix precommit", "mix precommit", GoalKind.LINT),
        ("pnpm check", "pnpm run check", GoalKind.LINT),
        ("xcrun swift test", "swift test", GoalKind.TEST),
        ("opam exec -- dune runtest", "dune runtest", GoalKind.TEST),
        ("npx ng test --watch=false", "ng test", GoalKind.TEST),
        ("npx tsc --noEmit --pretty false", "tsc", GoalKind.TYPES),
        ("vendor/bin/rector process --dry-run src", "rector process src", GoalKind.LINT),
        ("R -e 'devtools::test()'", "R -e devtools::test", GoalKind.TEST),
        ("julia --project -e 'using Pkg; Pkg.test()'", "julia -e Pkg.test", GoalKind.TEST),
        (
            "./gradlew :app:testDebugUnitTest --tests ATest",
            "gradle :app:testDebugUnitTest [:app] --tests ATest",
            GoalKind.TEST,
        ),
        ("./gradlew assembleRelease", "gradle assembleRelease", GoalKind.BUILD),
        ("npx nx run-many -t lint test build --parallel=3", "nx run-many lint test build", GoalKind.TEST),
        ("nx affected --targets=lint,test", "nx affected lint test", GoalKind.TEST),
        ("nx run-many -t test -p api,web", "nx run-many test [api,web]", GoalKind.TEST),
        (
            "nx run-many --target=test --projects=api -- --testFile a.spec.ts",
            "nx run test [api] --testFile a.spec.ts",
            GoalKind.TEST,
        ),
        (
            "npx nx test api --testFile=a.spec.ts --skip-nx-cache",
            "nx run test [api] --testFile a.spec.ts",
            GoalKind.TEST,
        ),
        ("nx run api:test -t 'adds two'", "nx run test [api] -t adds two", GoalKind.TEST),
        ("npm test -- --testPathPattern=a.spec", "npm run test --testPathPattern a.spec", GoalKind.TEST),
        ("make test TESTS=tests/test_a.py", "make test TESTS=tests/test_a.py", GoalKind.TEST),
        ("make -j4 test VERBOSE=1", "make test", GoalKind.TEST),
        ("yarn workspace @a/e2e playwright test login", "playwright test login (in [@a/e2e])", GoalKind.TEST),
        ("pnpm turbo run lint test", "turbo run lint test", GoalKind.TEST),
        ("yarn nx test app", "nx run test [app]", GoalKind.TEST),
        ("bundle exec rake", "rake", GoalKind.TEST),
        ("pnpm vp run test:api", "vp run test:api", GoalKind.TEST),
        ("vp test src/a.test.ts -t adds", "vitest src/a.test.ts -t adds", GoalKind.TEST),
        ("vpx eslint src", "eslint src", GoalKind.LINT),
        ("devbox run -- just lint-docs", "just lint-docs", GoalKind.LINT),
        ("devbox run -- cargo test -p shelf", "cargo test shelf", GoalKind.TEST),
        ("devbox run test", "devbox run test", GoalKind.TEST),
        ("vp lint src", "oxlint src", GoalKind.LINT),
        ("vp fmt --check", "oxfmt", GoalKind.FORMAT),
        ("./scripts/run_tests.sh", "./scripts/run_tests.sh", GoalKind.TEST),
        ("./tools/bin/uv.exe run --script tests/open/02_row-format.py", "tests/open/02_row-format.py", GoalKind.TEST),
        ("node tests/cli/prints-usage.js", "node tests/cli/prints-usage.js", GoalKind.TEST),
        (".venv/Scripts/python.exe -m pytest -q", "pytest", GoalKind.TEST),
        (r'"C:\\src\\shop\\.venv\\Scripts\\pytest.exe" tests', "pytest tests", GoalKind.TEST),
        ("./gradlew.bat test", "gradle test", GoalKind.TEST),
        ("./node_modules/.bin/tsc.cmd --noEmit", "tsc", GoalKind.TYPES),
        ("cd packages/a && npm test", "npm run test (in packages/a)", GoalKind.TEST),
    ],
)
def test_verifying_commands_name_their_goal(line: str, text: str, kind: GoalKind) -> None:
    found = goal(line)
    assert (found.text, found.kind) == (text, kind)


@pytest.mark.parametrize(
    "line",
    [
        "npm install", "npm ci", "poetry install", "vendor/bin/rector process src", "yarn", "pip install -e .", "uv sync", "go mod tidy", "go generate ./...", "cargo add serde",
        "eslint --fix src", "npm run lint:fix", "bun run format", "ruff check --fix .", "ruff format .", "black .", "gofmt -w .", "phpcbf --standard=PSR12 src",
        "cargo fmt", "mise run fmt", "make generate", "npx prettier --write .", "npx biome check --write src", "prettier -w src",
        "sed -i 's/a/b/' x.py", "git checkout -- x.py", "git restore x.py", "git stash", "rm -rf dist", "mv a b", "cp a b",
        "cat > x.py <<'EOF'\nprint(1)\nEOF", "echo x >> .env", "alembic upgrade head", "npx prisma migrate dev", "docker compose up -d db",
        "python manage.py migrate", "npx jest -u", "cargo clippy --fix", "golangci-lint run --fix", "patch -p1 < x.diff",
        "python -c \"open('a.py', 'w').write('x')\"", "perl -pi -e 's/a/b/' x.txt", "chmod +x run.sh", "mix deps.get", "vp fmt", "vp check --fix", "vp add zod", "bin/rails db:test:prepare", "bundle exec rake db:rollback",
        "initdb -D /tmp/pg", "python -m black .", "python3 -m isort src", "/opt/pg/bin/pg_ctl -D /tmp/pg -l log start", "createuser -s ci",
    ],
)  # fmt: skip
def test_fixers_installs_and_writes_are_changes(line: str) -> None:
    assert [m.action for m in meanings(line)] == [C]


@pytest.mark.parametrize(
    "line",
    [
        "ls -la", "cat x.py", "grep -rn foo .", "git status", "git diff", "git log --oneline -5", "git commit -m 'run tests'", "git push",
        "find . -name '*.py'", "sed -n '1,20p' x.py", "npm run dev", "npm start", "curl localhost:3000", "go version", "pytest --version",
        "pytest --collect-only -q", "cargo --help", "npx tsc --init", "python -c 'import sys; print(sys.path)'", "which go", "gh run view 1",
        "docker ps", "node -e 'console.log(1)'", "npm ls", "pip list", "command -v pytest", "gofmt x.go", "echo 'npm test'", "pg_ctl -D /tmp/pg status", "python -m pytest --collect-only -q", "python -m mypy --version", "python -m django test --help",
        "xcodebuild -list", "xcodebuild -scheme A -showBuildSettings", "xcodebuild clean -scheme A",
        "node tests/mock-server.js", "python tests/fixtures/people.py", "python tests/inspect_output.py", "./tools/open.exe a.txt",
    ],
)  # fmt: skip
def test_reading_git_and_help_verify_nothing(line: str) -> None:
    assert {m.action for m in meanings(line)} == {N}


def test_files_of_changes_are_named() -> None:
    (change,) = meanings("sed -i '' -e 's/a/b/' src/x.ts src/y.ts")
    assert change.files == ("src/x.ts", "src/y.ts")
    (write,) = meanings("cat > a/b.py <<EOF\nx = 1\nEOF")
    assert (write.files, write.content) == (("a/b.py",), "x = 1\n")


def test_a_script_that_the_task_wrote_is_verified_by_running_it() -> None:
    files = TaskFiles()
    assert goals("python repro_it.py", files) == goals("python show.py", files) == []
    files.record_edit("/repo/show.py", "print(1)")
    assert goal("python show.py", files).text == "python show.py"
    assert goal("cd /repo && python3 ./show.py --fast", files).text == "python ./show.py --fast"
    assert goals("python show.py --help", files) == []


def test_reading_a_data_file_that_the_task_edited_is_no_run_of_it() -> None:
    files = TaskFiles()
    files.record_edit("/repo/conf/app.json")
    files.record_edit("/repo/lib/app.js")
    assert goals("node -p \"require('./conf/app.json').name\"", files) == []
    assert goals("node -p \"require('./lib/app.js').name\"", files) != []


def test_a_script_that_writes_files_is_a_change_and_no_verification() -> None:
    files = TaskFiles()
    files.record_edit("/repo/fix_imports.py", "text = open('a.py').read()\nopen('a.py', 'w').write(text)\n")
    assert [m.action for m in meanings("python fix_imports.py", files)] == [C]


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("open('src/a.py', 'w').write(text)", ("src/a.py",)),
        ("p = 'src/a.py'\ns = open(p).read()\nopen(p, 'w').write(s.replace('a', 'b'))", ("src/a.py",)),
        ("from pathlib import Path\np = Path('src/a.py')\np.write_text(p.read_text())", ("src/a.py",)),
        ("for name in ['a.py', \"b.py\"]:\n    with open(name, 'w') as f:\n        f.write('')", ("a.py", "b.py")),
        ("const file = 'src/a.ts';\nfs.writeFileSync(file, text);", ("src/a.ts",)),
        ("import sys\nopen(sys.argv[1], 'w').write('')", ()),
        (
            "from pathlib import Path\nROOT = Path('/r/src')\np = ROOT / 'desk/lamp.py'\np.write_text(p.read_text())",
            ("/r/src/desk/lamp.py",),
        ),
        ("root = '/r/src/'\npath = root + 'lamp.py'\nopen(path, 'w').write('')", ("/r/src/lamp.py",)),
        ("path = root + 'lamp.py'\nopen(path, 'w').write('')", ()),
    ],
)
def test_a_script_tells_the_files_it_writes_where_their_names_are_in_it(code: str, written: tuple[str, ...]) -> None:
    files = TaskFiles()
    files.record_edit("/tmp/fix_it.py", code)
    (run,) = meanings("python3 /tmp/fix_it.py", files)
    assert (run.action, run.files) == (C, written)
    (inline,) = meanings(f"python3 - <<'EOF'\n{code}\nEOF")
    assert (inline.action, inline.files) == (C, written)


@pytest.mark.parametrize(
    ("script", "code", "written"),
    [
        (
            "php /tmp/widen.php",
            "<?php\n$path = 'conf/layers.yaml';\nfile_put_contents($path, file_get_contents($path) . 'x');",
            ("conf/layers.yaml",),
        ),
        (
            "php /tmp/widen.php",
            "<?php\n$root = '/r/src';\n$files = [$root . '/Desk.php', $root . '/Lamp.php'];\n"
            "foreach ($files as $file) {\n    file_put_contents($file, '');\n}",
            ("/r/src/Desk.php", "/r/src/Lamp.php"),
        ),
        (
            "php /tmp/widen.php",
            "<?php\n$root = '/r/src';\n$file = $root . '/Desk.php';\nfile_put_contents($file, '');",
            ("/r/src/Desk.php",),
        ),
        ("php /tmp/widen.php", "<?php\nforeach ($argv as $name) {\n    file_put_contents($name, '');\n}", ()),
        ("ruby /tmp/widen.rb", "File.write('lib/cart.rb', File.read('lib/cart.rb').sub('a', 'b'))", ("lib/cart.rb",)),
    ],
)
def test_a_php_or_ruby_script_that_writes_files_is_a_change(script: str, code: str, written: tuple[str, ...]) -> None:
    files = TaskFiles()
    files.record_edit(script.split(" ")[1], code)
    (run,) = meanings(script, files)
    assert (run.action, run.files) == (C, written)
    (inline,) = meanings(f"{script.split(' ')[0]} - <<'EOF'\n{code}\nEOF")
    assert (inline.action, inline.files) == (C, written)


@pytest.mark.parametrize(
    "code",
    [
        "file_put_contents($p, $q);" + " " * 15_000 + "$p = " + " " * 15_000,
        "file_put_contents($p, 1); foreach ($l as $p) {} $l = [" + "a" * 19_000 + "]",
    ],
)
def test_reading_a_long_script_for_the_files_it_writes_takes_no_time(code: str) -> None:
    started = time.process_time()
    assert meanings(f"php - <<'EOF'\n{code}\nEOF")[0].action == C
    assert time.process_time() - started < 0.5


def test_a_built_program_is_verified_by_running_it() -> None:
    files = TaskFiles()
    files.record_build("/tmp/app")
    assert goal("/tmp/app unknown", files).text == "/tmp/app unknown"
    assert goals("/tmp/app --help | head", files) == []
    assert goals("/tmp/other x", files) == []


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("GO=/opt/go/bin/go; $GO test ./pkg", ["go test ./pkg"]),
        ("export PY=.venv/bin/python\n$PY -m pytest tests", ["pytest tests"]),
        ("T=tests/a.py && pytest ${T}", ["pytest tests/a.py"]),
        ("CARGO='cargo +nightly'; $CARGO check -p core", ["cargo check core"]),
        ("D=web; A=$D/app; cd $A && npm test", ["npm run test (in web/app)"]),
        ("F=$(ls tests | head -1); pytest $F", ["pytest $F"]),
        ("F=a.py; read F; pytest $F", ["pytest $F"]),
        ("test -d a && F=a.py || F=b.py; pytest $F", ["pytest $F"]),
        ("for T in a.py b.py; do X=$T; pytest $X; done", ["pytest $X"]),
        ("(F=a.py; pytest $F); pytest $F", ["pytest a.py", "pytest $F"]),
    ],
)
def test_a_variable_holds_what_the_line_certainly_gave_it_last(line: str, texts: list[str]) -> None:
    assert [found.text for found in goals(line)] == texts


def test_inline_code_verifies_where_it_imports_what_was_edited() -> None:
    files = TaskFiles()
    line = "python -c 'from shop.cart import total; print(total([]))'"
    assert goals(line, files) == []
    files.record_edit("/repo/shop/cart.py")
    assert goal(line, files).kind is GoalKind.RUN


def test_a_program_of_the_project_is_verified_once_its_source_was_edited() -> None:
    files = TaskFiles()
    assert goals("go run ./cmd/x", files) == []
    files.record_edit("/repo/cmd/x/main.go")
    assert goal("go run ./cmd/x", files).text == "go run ./cmd/x"


def test_compound_commands_have_a_goal_each() -> None:
    assert [g.text for g in goals("mise run fmt && mise run lint && mise run test")] == [
        "mise run lint",
        "mise run test",
    ]


@pytest.mark.parametrize(
    ("wider", "narrower", "expected"),
    [
        ("go test ./...", "go test ./a/b", True),
        ("go test ./a/...", "go test ./a/b/...", True),
        ("go test ./a", "go test ./a/b", False),
        ("go test ./a/b", "go test ./...", False),
        ("go test ./... -run A", "go test ./...", False),
        ("go test ./...", "go test -tags=slow ./it/...", False),
        ("go test -tags slow,db ./...", "go test -tags=slow ./it/...", True),
        ("go test -tags slow ./...", "go test ./it -run TestAdd", True),
        ("golangci-lint run", "golangci-lint run --build-tags slow", False),
        ("nx run-many -t lint test", "nx test api", True),
        ("nx run-many -t test -p api,web", "nx test api", True),
        ("nx run-many -t test -p api,web", "nx test app", False),
        ("nx run-many -t lint", "nx test api", False),
        ("nx affected -t test", "nx test api", False),
        ("nx test api", "nx run-many -t test", False),
        ("nx test api --testFile=a.spec.ts", "nx test api", False),
        ("go test ./... -run 'A|B'", "go test ./a -run A", True),
        ("go test ./...", "go vet ./...", False),
        ("pytest", "pytest tests/a.py::test_x -k y", True),
        ("pytest tests", "pytest tests/a.py", True),
        ("pytest tests/a.py", "pytest tests/a.py::test_x", True),
        ("pytest tests/a.py -k x", "pytest tests/a.py", False),
        ("pytest tests/a.py", "pytest tests/ab.py", False),
        ("npm test", "npm test -- a.test.ts", True),
        ("npm test", "yarn test", True),
        ("npm test", "npm run lint", False),
        ("npm test", "cd sub && npm test", True),
        ("cd sub && npm test", "npm test", False),
        ("cd a && pytest", "pytest a/test_x.py", False),
        ("pytest a/test_x.py", "cd a && pytest test_x.py", True),
        ("make lint test", "make test", True),
        ("ruff check .", "ruff check src", True),
        ("/tmp/app x", "/tmp/app y", False),
    ],
)
def test_a_goal_covers_another_of_its_tool_whose_target_it_contains(wider: str, narrower: str, expected: bool) -> None:
    files = TaskFiles()
    files.record_build("/tmp/app")
    assert covers(goal(wider, files), goal(narrower, files)) is expected


def test_the_unit_tests_of_a_crate_are_not_all_of_its_tests() -> None:
    assert covers(goal("cargo test"), goal("cargo test --lib"))
    assert not covers(goal("cargo test --lib"), goal("cargo test --no-fail-fast"))
    assert not covers(goal("cargo test --lib check::"), goal("cargo test --lib"))


def test_build_errors_do_not_depend_on_test_filters() -> None:
    wider, narrower = goal("go test ./a -run B"), goal("go test ./a -run A")
    assert not covers(wider, narrower)
    assert covers(wider, narrower, ignore_filters=True)


def test_a_directory_as_target_covers_a_run_inside_it() -> None:
    inside = goal("cd tools && pytest -q")
    assert covers(goal("pytest tools"), inside)
    assert not covers(goal("pytest docs"), inside)
    assert not covers(goal("pytest tools"), goal("pytest"))


@pytest.mark.parametrize(
    ("narrower", "shown", "test", "files", "known"),
    [
        ("go test ./q/ -run TestLease", "go test ./q/...", "TestLease/expired", ("a_test.go",), True),
        ("go test ./q/ -run TestLease/renew", "go test ./q/...", "TestLease/expired", ("a_test.go",), False),
        ("pytest tests/test_a.py::test_x", "pytest", "tests/test_a.py::test_x", ("tests/test_a.py",), True),
        ("pytest tests/test_b.py", "pytest", "tests/test_a.py::test_x", ("tests/test_a.py",), False),
        ("pytest -k 'x and not y'", "pytest", "tests/test_a.py::test_x", ("tests/test_a.py",), False),
        ("npx eslint src/a.ts", "npx eslint .", "", ("/r/src/a.ts",), True),
        ("npx eslint src/a.ts", "npx eslint .", "", ("/r/src/b.ts",), False),
        ("./gradlew test --tests '*ATest*'", "./gradlew test", "ATest.adds()", ("ATest.java",), True),
        ("make test TESTS=tests/test_a.py", "make test", "tests/test_a.py::test_x", ("tests/test_a.py",), True),
        ("npx jest a", "pytest", "a", (), False),
        ("cargo test --lib", "cargo test", "parse::tests::empty", ("src/parse.rs",), True),
        ("cargo test -p core --lib", "cargo test -p core", "parse::tests::empty", ("crates/core/src/parse.rs",), True),
        ("cargo test --lib", "cargo test", "serves", ("tests/api.rs",), False),
        ("cargo test --lib", "cargo test", "main_works", ("src/main.rs",), False),
        ("cargo test --test api", "cargo test", "serves", ("tests/api.rs",), True),
        ("cargo test --test cli", "cargo test", "serves", ("tests/api.rs",), False),
        ("pytest", "pytest", "tests/test_a.py::test_x", (), False),
    ],
)
def test_a_narrower_run_checks_again_what_it_picks(
    narrower: str, shown: str, test: str, files: tuple[str, ...], known: bool
) -> None:
    assert checks_again(goal(narrower), goal(shown), test, files) is known


def test_inline_code_verifies_where_it_imports_a_package_called_app() -> None:
    files = TaskFiles()
    files.record_edit("/repo/app/routers/items.py")
    assert [m.action for m in meanings("python -c 'import app.main'", files)] == [V]
    assert [m.action for m in meanings("python -c 'import httpx'", files)] == [N]


def test_a_script_seen_to_run_a_tool_and_the_tool_itself_check_the_same() -> None:
    """`npm test` printed the summary of vitest: its pass is vitest's, and vitest's pass is of what vitest found inside it."""
    script = Goal("npm run test", GoalKind.TEST, runners=("vitest",))
    one_file = Goal("vitest", GoalKind.TEST, ("src/a.test.ts",))
    assert covers(script, one_file)
    assert not covers(Goal("npm run test", GoalKind.TEST), one_file)
    assert covers(Goal("vitest", GoalKind.TEST), script, error_tool="vitest")
    more = Goal("npm run test", GoalKind.TEST, runners=("jest", "vitest"))
    assert not covers(Goal("vitest", GoalKind.TEST), more, error_tool="eslint")
    assert checks_again(one_file, script, "a works", ("src/a.test.ts",), error_tool="vitest")


def test_a_compiler_does_not_speak_for_a_script_that_may_compile_more() -> None:
    script = Goal("mise run test", GoalKind.TEST)
    assert not covers(Goal("go build", GoalKind.BUILD, ("./...",)), script, error_tool="go build")


@pytest.mark.parametrize(
    "line",
    ["perl -Ilib t/a.t", "ruby -Ilib a_test.rb", "perl -MList::Util t/a.t"],
)
def test_include_paths_and_modules_are_no_edits_in_place(line: str) -> None:
    files = TaskFiles()
    files.record_edit("/repo/t/a.t")
    files.record_edit("/repo/a_test.rb")
    assert [m.action for m in meanings(line, files)] == [V]
    assert [m.action for m in meanings("perl -pi -e 's/a/b/' t/a.t", files)] == [C]


def test_a_program_that_a_build_printed_it_wrote_is_verified_by_running_it() -> None:
    files = TaskFiles()
    assert [m.action for m in meanings("./app -n 1", files)] == [N]
    files.record_linked(
        "gcc -Wall -c main.c -o main.o\ngcc -Wall -o app main.o\n[ 50%] Linking CXX executable ring_test\n"
    )
    assert files.built == {"app", "ring_test"}
    assert [m.action for m in meanings("./app -n 1", files)] == [V]


def test_the_arguments_of_a_program_are_compared_in_their_order() -> None:
    one, two = (Goal("cargo run", GoalKind.RUN, filters=args) for args in (("--", "3"), ("--", "3", "3")))
    assert covers(one, one)
    assert not covers(two, one)


def test_a_script_that_only_runs_one_tool_is_that_tool() -> None:
    """ts-jest files a type error as the compiler's; jest alone speaks for `npm test` all the same."""
    assert covers(Goal("jest", GoalKind.TEST), Goal("npm run test", GoalKind.TEST, runners=("jest",)), error_tool="tsc")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("npm t", "npm run test"),
        ("pnpm -C web t", "pnpm run test (in web)"),
        ("npm --prefix web run build", "npm run build (in web)"),
        ("npm --prefix /repo/web run build", "npm run build (in web)"),
        ("cd web && npm --prefix ../api test", "npm run test (in api)"),
        ("yarn --cwd web build", "yarn run build (in web)"),
        ("pnpm -C web exec vitest run", "vitest (in web)"),
        ("pnpm --filter a vitest run", "vitest (in [a])"),
        ("npx --prefix web vitest run", "vitest (in web)"),
        ("uv run --directory api pytest", "pytest (in api)"),
        ("env -C api pytest", "pytest (in api)"),
        ("cargo test --manifest-path api/Cargo.toml", "cargo test (in api)"),
        ("git ls-files '*.ts' | xargs npx eslint", "eslint (files)"),
        ("git ls-files '*.ts' | xargs npx eslint src", "eslint src"),
    ],
)
def test_a_goal_has_the_place_that_its_options_name(line: str, text: str) -> None:
    assert goal(line).text == text


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("CARGO=~/.cargo/bin/cargo\n$CARGO test -p core", ["cargo test core"]),
        ('PY="uv run python"; ${PY} -m pytest tests', ["pytest tests"]),
        ("export T=tests/test_a.py && pytest $T", ["pytest tests/test_a.py"]),
        ("RUFF=$(which ruff); $RUFF check src", ["ruff check src"]),
        ("D=web; cd $D && npx vitest run", ["vitest (in web)"]),
        ("BIN=$HOME/.venv/bin; $BIN/pytest; $BIN/mypy src", ["pytest", "mypy src"]),
        ("L=/tmp/o.log; pytest > $L; tail -3 $L", ["pytest"]),
        ("RUN=$(cat runner); $RUN test", []),
        ("CARGO=cargo make; $CARGO test", ["make"]),
        ("RUN=pytest; RUN=$(pick); $RUN tests", []),
    ],
)
def test_a_variable_that_the_line_gives_a_value_is_read_as_its_value(line: str, texts: list[str]) -> None:
    assert [goal.text for goal in goals(line)] == texts


@pytest.mark.parametrize("path", ["~/.cargo/bin/cargo", "/home/me/.rustup/toolchains/x/bin/cargo", "/usr/bin/cargo"])
def test_an_installed_tool_is_none_of_the_programs_that_the_task_built(path: str) -> None:
    files = TaskFiles()
    files.record_build(None)
    assert goal(f"{path} test", files).text == "cargo test"
    assert goal("./target/debug/cargo test", files).kind is GoalKind.RUN


@pytest.mark.parametrize(
    ("wider", "narrower", "expected"),
    [
        ("go test -run TestAdd ./a", "go test -run 'TestAdd_Twice|TestAddAll' ./a", True),
        ("go test -run 'TestAdd|TestSub' ./a", "go test -run TestSub_Zero ./a", True),
        ("go test -run TestAdd_Twice ./a", "go test -run TestAdd ./a", False),
        ("go test -run 'TestAdd$' ./a", "go test -run TestAdd_Twice ./a", False),
        ("go test -run TestAdd/one ./a", "go test -run TestAdd/one_more ./a", False),
        ("go test -run TestAdd ./a", "go test -run '^(TestAdd|TestAdd_Twice)$' ./a", True),
        ("go test -run 'TestAdd(One|Two)' ./a", "go test -run 'TestAddTwo|TestAddOne' ./a", True),
        ("go test -run '^TestAdd' ./a", "go test -run '^TestAdd_Twice$' ./a", True),
        ("go test -run '^TestAdd' ./a", "go test -run TestAdd_Twice ./a", False),
        ("go test -run '^(TestAdd|TestSub)$' ./a", "go test -run '^TestAdd_Twice$' ./a", False),
        ("go test -run 'Test(Add|Sub(Zero))' ./a", "go test -run TestAddOne ./a", False),
        ("npx jest -t adds", "npx jest -t adds_twice", True),
        ("mvn test -Dtest=Add", "mvn test -Dtest=AddTwice", False),
    ],
)
def test_a_part_of_a_tests_name_picks_it_too(wider: str, narrower: str, expected: bool) -> None:
    assert covers(goal(wider), goal(narrower)) is expected


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("mypy . --exclude a.py", "mypy . --exclude a.py"),
        ("ruff check --ignore F401 src", "ruff check src --ignore F401"),
        ("eslint . --ignore-pattern dist", "eslint . --ignore-pattern dist"),
        ("golangci-lint run --disable errcheck ./...", "golangci-lint run ./... --disable errcheck"),
        ("vitest run --exclude src/a.test.ts", "vitest --exclude src/a.test.ts"),
        ("cargo test -- --skip slow --test-threads 1", "cargo test --skip slow"),
        ("cargo test adds -- --nocapture", "cargo test adds"),
        ("cargo clippy -- -A clippy::todo -D warnings", "cargo clippy -A clippy::todo"),
        ("shellcheck -e SC1091 a.sh", "shellcheck a.sh -e SC1091"),
    ],
)
def test_what_a_check_is_told_to_leave_out_is_part_of_its_goal(line: str, text: str) -> None:
    """Else its pass would settle what it left out."""
    assert goal(line).text == text


@pytest.mark.parametrize(
    ("wider", "narrower", "expected"),
    [
        ("python manage.py test shop", "python manage.py test shop.tests.CartTests.test_adds", True),
        ("python manage.py test shop.tests.CartTests", "python manage.py test shop.tests", False),
        ("python -m unittest tests.test_a", "python -m unittest tests/test_a.py", True),
        ("python manage.py test shop", "python manage.py test shopping.tests", False),
    ],
)
def test_a_dotted_name_holds_what_is_below_it(wider: str, narrower: str, expected: bool) -> None:
    assert covers(goal(wider), goal(narrower)) is expected


def test_a_folder_that_a_script_is_called_for_holds_its_files() -> None:
    wider, narrower = (
        goal("node scripts/run-tests.mjs unit src/cart/"),
        goal("node scripts/run-tests.mjs unit src/cart/a.test.ts"),
    )
    assert covers(wider, narrower)
    assert not covers(narrower, wider)


def test_of_a_script_whose_checks_are_not_known_a_tool_answers_for_its_own_findings() -> None:
    shown = Checked(goal("make check"), (GoalRun(goal("make test"), failed=True),))
    assert speaks_for(Checked(goal("pytest")), shown, failed=True, tool="pytest")
    assert not speaks_for(Checked(goal("pytest")), shown, failed=True, tool="mypy")
    known = Checked(
        goal("make check"), (GoalRun(goal("make test"), failed=True), GoalRun(goal("pytest unit"), failed=True))
    )
    assert not speaks_for(Checked(goal("pytest e2e")), known, failed=True, tool="pytest")


def test_a_copy_of_what_a_check_says_is_no_change() -> None:
    assert [m.action for m in meanings("pytest 2>&1 | tee log | tail -3")][:2] == [V, N]
    assert [m.action for m in meanings("echo x | tee a.cfg")][1] == C


def test_what_gotestsum_hands_on_is_a_call_of_go_test() -> None:
    assert goal("gotestsum -- -run TestA ./a") == goal("go test -run TestA ./a")


def test_a_narrower_run_of_a_go_package_speaks_for_its_tests_by_the_package() -> None:
    files = ("a_test.go", "example.com/m/pkg/a/_test.go")
    assert checks_again(goal("go test ./pkg/a"), goal("go test ./..."), "TestA", files)
    assert not checks_again(goal("go test ./pkg/b"), goal("go test ./..."), "TestA", files)


def test_a_target_called_it_runs_integration_tests() -> None:
    assert goal("make it").kind is GoalKind.TEST
    assert not goals("make do-it")
