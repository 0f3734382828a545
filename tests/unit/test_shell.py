"""Command lines as structure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.commands.shell import Group, parse, simple_commands
from debug_loop_pipeline.compute.commands.wrappers import unwrap


def words(line: str) -> list[list[str]]:
    return [simple.words for simple in simple_commands(parse(line))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("go test ./...", [["go", "test", "./..."]]),
        ("cd a && npm test", [["cd", "a"], ["npm", "test"]]),
        ("npm test 2>&1 | tail -5", [["npm", "test"], ["tail", "-5"]]),
        ("(cd a && make) ; make lint", [["cd", "a"], ["make"], ["make", "lint"]]),
        ("pytest -k 'a or b' \"x y\"", [["pytest", "-k", "a or b", "x y"]]),
        ("FOO=1 BAR='b c' make", [["make"]]),
        ("a \\\n  --b", [["a", "--b"]]),
        ("a # comment\nb", [["a"], ["b"]]),
        ("if go vet; then echo ok; fi", [["go", "vet"], ["echo", "ok"]]),
        ("for f in *.py; do python $f; done", [["python", "$f"]]),
        ("run() { go test; }; run", [[], ["go", "test"], ["run"]]),
        ("a |\n tail -3\n\nb &&\nc", [["a"], ["tail", "-3"], ["b"], ["c"]]),
        ("! grep x y", [["grep", "x", "y"]]),
        ('echo "a $(date) b"', [["echo", "a $(date) b"]]),
        ("echo $'it\\'s'", [["echo", "it's"]]),
        ("x=$(npm test)", [[]]),
    ],
)
def test_commands_come_out_in_order_with_their_quotes_taken_off(line: str, expected: list[list[str]]) -> None:
    assert words(line) == expected


def test_a_here_document_is_data_and_not_a_command() -> None:
    items = parse("cat > t.py <<'EOF'\nimport os; print(\"it's\")\nrm -rf x\nEOF\npython t.py")
    commands = list(simple_commands(items))
    assert [c.words for c in commands] == [["cat"], ["python", "t.py"]]
    assert commands[0].writes() == ["t.py"]
    assert commands[0].heredoc == 'import os; print("it\'s")\nrm -rf x\n'


def test_quotes_in_a_here_document_inside_a_substitution_do_not_swallow_what_follows() -> None:
    assert words("git commit -m \"$(cat <<'EOF'\nit's (here\nEOF\n)\" && npm test")[-1] == ["npm", "test"]


def test_redirections_are_no_words() -> None:
    (simple,) = simple_commands(parse("npm test > out.txt 2>&1"))
    assert simple.words == ["npm", "test"]
    assert [(r.op, r.fd, r.target) for r in simple.redirections] == [(">", None, "out.txt"), (">&", 2, "1")]


def test_groups_keep_their_pipe() -> None:
    (item,) = parse("{ a; b; } | tail")
    assert isinstance(item.pipeline.stages[0], Group)
    assert len(item.pipeline.stages) == 2


@given(st.text(alphabet="ab '\"\\$(){}|&;<>\n`#=!EOF0", max_size=60))
def test_any_text_is_read_without_an_error(line: str) -> None:
    list(simple_commands(parse(line)))


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("time npx -y eslint@8 src", ["eslint", "src"]),
        ("env A=1 uv run --with x pytest -k a", ["pytest", "-k", "a"]),
        ("rtk lint bun run lint", ["bun", "run", "lint"]),
        ("rtk bun run test", ["bun", "run", "test"]),
        ("timeout -k 5 60 go test ./...", ["go", "test", "./..."]),
        ("docker compose exec -T web python manage.py test", ["python", "manage.py", "test"]),
        ("docker run --rm -v a:b image pytest", ["pytest"]),
        ("pnpm --filter web exec vitest run", ["vitest", "run"]),
        ("poetry run python -m pytest", ["python", "-m", "pytest"]),
        ("xargs -0 bunx biome check", ["biome", "check"]),
        ("bundle exec rspec", ["rspec"]),
        ("npm exec -- tsc --noEmit", ["tsc", "--noEmit"]),
        ("conda run -n env pytest", ["pytest"]),
        ("command -v go", ["command", "-v", "go"]),
        ("npx", ["npx"]),
        ("go run example.com/lint/cmd/sniff@v1.2.0 -v ./...", ["sniff", "-v", "./..."]),
        ("go run -mod mod example.com/lint/v2@latest run", ["lint", "run"]),
        ("go run ./cmd/x", ["go", "run", "./cmd/x"]),
        ("go tool staticcheck ./...", ["staticcheck", "./..."]),
        ("go tool cover -func c.out", ["go", "tool", "cover", "-func", "c.out"]),
    ],
)
def test_wrappers_are_taken_off(line: str, program: list[str]) -> None:
    assert unwrap(line.split()) == (program, None)


def test_a_nested_command_line_is_handed_back_as_text() -> None:
    assert unwrap(["bash", "-lc", "cd x && go test"]) == ([], "cd x && go test")
