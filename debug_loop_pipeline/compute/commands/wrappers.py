"""Programs that only run another program: what is left when they are taken off.

Belongs here: `time`, `env`, `timeout`, `npx`, `uv run`, `bundle exec`, `docker exec`, `bash -c` and their kind. Task runners with
names of their own for work (`npm run X`, `make X`, `mise run X`) are no wrappers: their task is the goal (`toolbox`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_VERSION = re.compile(r"(?<=.)@[\w.^~-]+\Z")
_SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh", "fish", "ash"})
_REMOTE = frozenset({"ssh", "docker", "podman", "xargs", "watchexec", "parallel"})
_CAPTURED = re.compile(r"\$\((?P<command>[^()|;&<>\"'`$]+)\)")
_DIRECTORY = re.compile(r"\A.*/|\A[A-Za-z]:\\.*\\|\A\.\.?\\(?:.*\\)?", re.DOTALL)
_WINDOWS_ENDING = re.compile(r"\.(?:exe|cmd|bat|ps1)\Z", re.IGNORECASE)
_MAX_LAYERS = 12


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """Words that start it, its options that take a value, and how many words of its own follow them."""

    words: tuple[str, ...]
    values: frozenset[str] = frozenset()
    skip: int = 0
    dashes_only: bool = False
    """The program stands behind `--` only."""


def _wrappers(*rows: tuple[str, str, int] | tuple[str, str, int, bool]) -> dict[str, list[_Wrapper]]:
    table: dict[str, list[_Wrapper]] = {}
    for row in rows:
        words = tuple(row[0].split())
        dashes_only = len(row) > 3 and bool(row[3])
        table.setdefault(words[0], []).append(_Wrapper(words, frozenset(row[1].split()), row[2], dashes_only))
    for same in table.values():
        same.sort(key=lambda wrapper: -len(wrapper.words))
    return table


_TABLE = _wrappers(
    ("time", "-f -o --format --output", 0),
    ("env", "-u --unset -C --chdir -S", 0),
    ("cross-env", "", 0),
    ("dotenv", "-e -f", 0),
    ("dotenvx run", "-f", 0),
    ("sudo", "-u -g -C -h -p", 0),
    ("doas", "-u", 0),
    ("nice", "-n --adjustment", 0),
    ("ionice", "-c -n", 0),
    ("nohup", "", 0),
    ("setsid", "", 0),
    ("timeout", "-s -k --signal --kill-after", 1),
    ("gtimeout", "-s -k --signal --kill-after", 1),
    ("stdbuf", "-i -o -e", 0),
    ("unbuffer", "", 0),
    ("chronic", "", 0),
    ("caffeinate", "-t -w", 0),
    ("arch", "", 0),
    ("command", "", 0),
    ("builtin", "", 0),
    ("exec", "-a", 0),
    ("xvfb-run", "-s -n -e --server-args", 0),
    ("strace", "-e -o -p", 0),
    ("valgrind", "", 0),
    ("npx", "-p --package -w --workspace --prefix", 0),
    ("npm exec", "-p --package -w --workspace --prefix -C", 0),
    ("bunx", "-p --package", 0),
    ("bun x", "", 0),
    ("pnpx", "", 0),
    ("pnpm exec", "--filter -F -C --dir", 0),
    ("pnpm dlx", "--package", 0),
    ("yarn exec", "--cwd", 0),
    ("yarn dlx", "-p --package", 0),
    ("corepack", "", 0),
    ("vp exec", "", 0),
    ("vp dlx", "-p --package", 0),
    ("vpx", "-p --package", 0),
    (
        "uv run",
        "--with --python -p --extra --group --package --directory --project --env-file --index --with-requirements",
        0,
    ),
    ("uvx", "--from --with --python -p", 0),
    ("uv tool run", "--from --with --python -p", 0),
    ("pipx run", "--spec", 0),
    ("poetry run", "-C --directory", 0),
    ("pipenv run", "", 0),
    ("pdm run", "-p", 0),
    ("rye run", "", 0),
    ("hatch run", "-e", 0),
    ("conda run", "-n -p --name --prefix --cwd", 0),
    ("mamba run", "-n -p --name --prefix", 0),
    ("micromamba run", "-n -p --name --prefix", 0),
    ("mise exec", "", 0, True),
    ("mise x", "", 0, True),
    ("asdf exec", "", 0),
    ("opam exec", "--switch", 0),
    ("xcrun", "--sdk -sdk --toolchain", 0),
    ("rbenv exec", "", 0),
    ("pyenv exec", "", 0),
    ("volta run", "--node --npm --yarn", 0),
    ("fnm exec", "--using", 0),
    ("bundle exec", "", 0),
    ("direnv exec", "", 1),
    ("nix develop", "-c --command", 0, True),
    ("doppler run", "-p -c --project --config", 0, True),
    ("op run", "--env-file", 0, True),
    ("aws-vault exec", "", 1, True),
    ("docker exec", "-e -u -w --env --user --workdir --env-file", 1),
    ("docker compose exec", "-e -u -w --env --user --workdir --index", 1),
    ("docker compose run", "-e -u -w -v -p --env --user --workdir --volume --entrypoint --name", 1),
    ("docker-compose exec", "-e -u -w", 1),
    ("docker-compose run", "-e -u -w -v -p --entrypoint --name", 1),
    (
        "docker run",
        "-e -u -w -v -p -m --env --user --workdir --volume --name --network --platform --mount --entrypoint --env-file --memory --cpus",
        1,
    ),
    ("podman exec", "-e -u -w", 1),
    ("podman run", "-e -u -w -v -p --name --entrypoint", 1),
    ("kubectl exec", "-n -c --namespace --container", 1, True),
    ("ssh", "-i -p -l -o -F -J", 1),
    ("xargs", "-n -P -I -L -d -E -s -a", 0),
    ("parallel", "-j", 0),
    ("rtk proxy", "", 0),
    ("rtk test", "", 0),
    ("rtk err", "", 0),
    ("rtk summary", "", 0),
    ("rtk", "", 0),
    ("watchexec", "-w -e -i", 0, True),
    ("coverage run", "--source --omit --include --rcfile --data-file --branch --parallel-mode", 0),
    ("reattach-to-user-namespace", "", 0),
    ("script", "", 1),
)
_RTK_LINTED = frozenset(
    {"bun", "npm", "pnpm", "yarn", "npx", "bunx", "eslint", "biome", "ruff", "mypy", "pylint", "make", "mise"}
)


_GO_VALUES = frozenset({"-C", "-mod", "-modfile", "-tags", "-overlay", "-exec", "-p"})
_GO_OWN_TOOLS = re.compile(
    r"addr2line|asm|buildid|cgo|compile|covdata|cover|dist|doc|fix|link|nm|objdump|pack|pprof|test2json|trace|vet"
)
_MAJOR = re.compile(r"v\d+")


def unwrap(words: list[str]) -> tuple[list[str], str | None]:
    """The program that runs in the end, and the text of a nested command line (`bash -c TEXT`, `eval TEXT`) where there is one.

    The result is ([], text) for a nested line and (words, None) else; words may be empty.
    """
    for _ in range(_MAX_LAYERS):
        words = _tested_for_output(_without_assignments(words))
        if not words:
            return [], None
        nested = _nested_text(words)
        if nested is not None:
            return [], nested
        inner = _one_layer(words)
        if inner is None:
            return words, None
        if len(inner) == 1 and " " in inner[0].strip() and _program(words[0]) in _REMOTE:
            return [], inner[0]
        words = inner
    return words, None


def _tested_for_output(words: list[str]) -> list[str]:
    """`test -z "$(gofmt -l .)"` asks whether the command inside prints anything: it is that command in check mode."""
    if words[:2] == ["[", "-z"] and words[3:] == ["]"]:
        words = ["test", *words[1:3]]
    captured = _CAPTURED.fullmatch(words[2]) if words[:2] == ["test", "-z"] and len(words) == 3 else None
    return captured["command"].split() if captured is not None else words


_ONE_DIRECTORY = frozenset({"-C", "--directory"})
_POINTED: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "npx": (frozenset({"--prefix"}), frozenset({"-w", "--workspace"})),
    "npm": (frozenset({"--prefix", "-C"}), frozenset({"-w", "--workspace"})),
    "pnpm": (frozenset({"-C", "--dir"}), frozenset({"-F", "--filter"})),
    "yarn": (frozenset({"--cwd"}), frozenset({"workspace"})),
    "bun": (frozenset({"--cwd"}), frozenset({"-F", "--filter"})),
    "uv": (frozenset({"--directory"}), frozenset()),
    "poetry": (_ONE_DIRECTORY, frozenset()),
    "env": (frozenset({"-C", "--chdir"}), frozenset()),
}
"""Programs that run others elsewhere: options whose value is a directory, and words whose value is a package."""
_POINTERS_OWN = frozenset({"exec", "run", "x", "dlx"})


def pointed_at(words: list[str]) -> str:
    """Where the programs around a tool run it: a directory, a `[package]`, "" for here (`pnpm -C web exec vitest`, `yarn workspace web jest`)."""
    if _POINTED.keys().isdisjoint(map(_program, words)):
        return ""
    where = ""
    program = ""
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        flag, equals, value = word.partition("=")
        directories, packages = _POINTED.get(program, (frozenset[str](), frozenset[str]()))
        if flag in directories or flag in packages:
            if not equals and at < len(words):
                value = words[at]
                at += 1
            where = value if flag in directories else f"[{value}]"
        elif _program(word) in _POINTED:
            program = _program(word)
        elif not word.startswith("-") and program and word not in _POINTERS_OWN and not _ASSIGNMENT.match(word):
            break
    return where


def _without_assignments(words: list[str]) -> list[str]:
    at = 0
    while at < len(words) and _ASSIGNMENT.match(words[at]):
        at += 1
    return words[at:] if at else words


def _program(word: str) -> str:
    return program_name(word) if not word.startswith("@") else word


def program_name(path: str) -> str:
    """The name of a program without its directory and without what Windows adds to it.

    >>> program_name("./tools/bin/uv.exe"), program_name("gradlew.bat"), program_name("eslint")
    ('uv', 'gradlew', 'eslint')
    """
    name = _DIRECTORY.sub("", path)
    return _WINDOWS_ENDING.sub("", name) or name


def _nested_text(words: list[str]) -> str | None:
    name = _program(words[0])
    if name == "eval":
        return " ".join(words[1:])
    if name in _SHELLS:
        for at, word in enumerate(words[1:], 1):
            if word.startswith("-") and not word.startswith("--") and word.endswith("c") and at + 1 < len(words):
                return words[at + 1]
            if not word.startswith(("-", "+")):
                return None
    if name == "nix-shell" and "--run" in words[:-1]:
        return words[words.index("--run") + 1]
    if name == "su" and "-c" in words[:-1]:
        return words[words.index("-c") + 1]
    return None


def _one_layer(words: list[str]) -> list[str] | None:
    """`words` without its outermost wrapper, None where there is none."""
    name = _program(words[0])
    if name == "find":
        return _find_exec(words)
    if name == "go" and words[1:2] in (["run"], ["tool"]):
        return _go_tool(words)
    if name == "rtk" and len(words) > 2 and words[1] == "lint" and words[2] in _RTK_LINTED:
        return words[2:]
    if name == "devbox" and words[1:3] == ["run", "--"]:
        return words[3:] or None
    for wrapper in _TABLE.get(name, ()):
        rest = _after_words(words, wrapper)
        if rest is not None:
            inner = _after_options(rest, wrapper)
            if inner is None or (inner and inner == words):
                return None
            return _clean_program(inner) if inner else None
    return None


def _after_words(words: list[str], wrapper: _Wrapper) -> list[str] | None:
    """What stands behind the wrapper's own words; options may stand between them (`pnpm --filter x exec`)."""
    at = 1
    for wanted in wrapper.words[1:]:
        while at < len(words) and words[at].startswith("-"):
            at += 2 if words[at] in wrapper.values and "=" not in words[at] else 1
        if at >= len(words) or words[at] != wanted:
            return None
        at += 1
    return words[at:]


def _after_options(words: list[str], wrapper: _Wrapper) -> list[str] | None:
    if wrapper.dashes_only:
        for marker in ("--", "-c", "--command"):
            if marker in words:
                return words[words.index(marker) + 1 :]
        return None
    at, skipped = 0, 0
    while at < len(words):
        word = words[at]
        if word == "--":
            at += 1
            if skipped >= wrapper.skip:
                break
        elif word.startswith("-") and len(word) > 1:
            if wrapper.words == ("command",) and word in ("-v", "-V"):
                return None
            at += 2 if word in wrapper.values else 1
        elif _ASSIGNMENT.match(word):
            at += 1
        elif skipped < wrapper.skip:
            skipped += 1
            at += 1
        else:
            break
    return words[at:]


def _go_tool(words: list[str]) -> list[str] | None:
    """A program of another module (`go run PATH@VERSION`), or one that the module lists as its tool (`go tool NAME`)."""
    at = 2
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _GO_VALUES else 1
    if at >= len(words):
        return None
    path, _, version = words[at].partition("@")
    if not version and (words[1] == "run" or _GO_OWN_TOOLS.fullmatch(path)):
        return None
    parts = [part for part in path.split("/") if part]
    if len(parts) > 1 and _MAJOR.fullmatch(parts[-1]):
        parts.pop()
    return [parts[-1], *words[at + 1 :]] if parts else None


def _clean_program(words: list[str]) -> list[str]:
    """The package's version dropped from its name: `eslint@8` is eslint."""
    return [_VERSION.sub("", words[0]), *words[1:]]


def _find_exec(words: list[str]) -> list[str] | None:
    for flag in ("-exec", "-execdir", "-ok"):
        if flag in words:
            inner = words[words.index(flag) + 1 :]
            return [w for w in inner if w not in ("{}", ";", "+")] or None
    return None
