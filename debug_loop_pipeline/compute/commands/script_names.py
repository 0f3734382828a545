"""Scripts and tasks that people name themselves: `npm run X`, `make X`, `mise run X`, `./scripts/X.sh`.

What such a script does is told by its name alone: the words in it are looked up, a fix weighs more than a check (`lint:fix`), and a
check more than what it checks (`format:check`). Tools with fixed names are in `toolbox`.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from debug_loop_pipeline.compute.commands.toolbox import GoalKind


class ScriptRole(StrEnum):
    """What a script of that name does."""

    VERIFY = "verify"
    CHANGE = "change"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One call of a named script.

    tool: canonical text (`bun run lint`); args: what is passed on; where: a workspace or directory the runner is pointed at.
    """

    tool: str
    script: str
    args: tuple[str, ...]
    where: str = ""


_FIX = frozenset(
    "fix fixes autofix fmt format formatting prettify write update upgrade migrate migration migrations seed generate gen codegen"
    " install setup bootstrap prepare clean release publish version deploy bump sync reset rollback init rebaseline snapshots".split()
)
_CHECK = frozenset("check checks verify validate ci dry".split())
_NEVER = frozenset(
    "dev start serve server watch preview up down logs shell console repl open docs run storybook debug tail run-dev monitor".split()
)
_KINDS = {
    GoalKind.TEST: frozenset(
        "test tests testing spec specs e2e unit integration jest vitest mocha pytest playwright cypress coverage cov smoke bench"
        " regression acceptance functional testall runtests quicktest rspec phpunit ctest".split()
    ),
    GoalKind.TYPES: frozenset("typecheck types tsc typing mypy pyright typescript tsgo".split()),
    GoalKind.LINT: frozenset(
        "lint linter linting lints eslint biome ruff flake8 clippy vet golangci rubocop phpstan stylelint check checks verify validate"
        " ci precommit quality qa audit shellcheck sanity presubmit preflight style static analyze analyse analysis doctor".split()
    ),
    GoalKind.BUILD: frozenset("build compile bundle dist package all make assemble webpack vite".split()),
    GoalKind.FORMAT: frozenset(),
}
_GUARDS = frozenset("guard guards deptrac phpcs psalm phpmd compat knip depcheck arkitect deadcode".split())
"""Names of checks that say nothing where another word of the name does (`test:compat`)."""
_TOKEN = re.compile(r"[a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def script_role(name: str) -> tuple[ScriptRole, GoalKind]:
    """What a script called `name` does, and the kind of goal where it verifies.

    >>> script_role("lint:fix")[0], script_role("format:check")[0], script_role("test:ci")[1]
    (<ScriptRole.CHANGE: 'change'>, <ScriptRole.VERIFY: 'verify'>, <GoalKind.TEST: 'test'>)
    """
    plain = _CAMEL.sub("-", name).lower().replace("type-check", "typecheck").replace("pre-commit", "precommit")
    tokens = _TOKEN.findall(plain)
    words = set(tokens)
    kind = next((k for k, known in _KINDS.items() if words & known), None)
    if words & _FIX:
        formats_checked = bool(words & _CHECK) and not words & {"fix", "write", "update"}
        if formats_checked:
            return ScriptRole.VERIFY, GoalKind.FORMAT if kind in (None, GoalKind.LINT) else kind or GoalKind.LINT
        if kind is GoalKind.TEST and not words & {
            "fix",
            "update",
            "seed",
            "migrate",
            "setup",
            "install",
            "reset",
            "clean",
            "generate",
            "gen",
        }:
            return ScriptRole.VERIFY, kind
        if kind is GoalKind.BUILD and tokens[0] in ("build", "compile"):
            return ScriptRole.VERIFY, kind
        return ScriptRole.CHANGE, GoalKind.MIXED
    if words & {"watch", "dev", "serve", "server", "preview", "start", "ui", "headed", "open", "debug"}:
        return ScriptRole.NEITHER, GoalKind.MIXED
    if kind is not None:
        return ScriptRole.VERIFY, kind
    if plain == "it":
        return ScriptRole.VERIFY, GoalKind.TEST  # Integration tests, as Maven and many makefiles call them.
    if words & {"prettier"}:
        return ScriptRole.CHANGE, GoalKind.MIXED
    if words & _GUARDS:
        return ScriptRole.VERIFY, GoalKind.LINT
    return ScriptRole.NEITHER, GoalKind.MIXED


_TEST_DIRECTORIES = frozenset("test tests testing spec specs __tests__ e2e".split())
_HELP_TESTS = frozenset(
    "fixture fixtures data testdata helper helpers util utils support mock mocks stub stubs tool tools script scripts lib common manual"
    " conftest config settings example examples client clients sandbox resources assets".split()
)
_LOOK = frozenset(
    "inspect show print list dump view explore find get count log plot query stats report summary profile".split()
)


def lies_among_tests(path: str) -> bool:
    """Whether a script is a test by where it lies, and no helper of tests and nothing that is told to do something first.

    >>> lies_among_tests("tests/failing/03_output-format.py"), lies_among_tests("tests/fixtures/03_output.py"), lies_among_tests("a.py")
    (True, False, False)
    >>> lies_among_tests("tests/format_output.py")
    False
    """
    *directories, name = path.split("/")
    tokens = [word for word in _TOKEN.findall(_CAMEL.sub("-", name.rsplit(".", 1)[0]).lower()) if not word.isdigit()]
    around = {part.lower() for part in directories}
    if not tokens or not _TEST_DIRECTORIES & around or _HELP_TESTS & around:
        return False
    return tokens[0] not in _FIX and not set(tokens) & (_HELP_TESTS | _LOOK | _NEVER)


def fixes_lint(name: str) -> bool:
    """Whether a script called `name` is a linter that fixes what it can (`lint:fix`), and not only a formatter."""
    words = set(_TOKEN.findall(_CAMEL.sub("-", name).lower()))
    return bool(words & {"fix", "autofix"} and words & {"lint", "eslint", "ruff", "biome", "stylelint", "rubocop"})


_PACKAGE_MANAGERS = frozenset({"npm", "yarn", "pnpm", "bun"})
_NPM_BUILTIN_SCRIPTS = frozenset({"test", "t", "tst", "start", "stop", "restart"})
_YARN_COMMANDS = frozenset(
    "add remove install upgrade upgrade-interactive up why info init create config cache link unlink list global import publish version"
    " pack outdated audit bin check autoclean exec dlx node workspaces set plugin dedupe login logout rebuild patch constraints".split()
)
_PNPM_COMMANDS = (_YARN_COMMANDS - {"check"}) | frozenset(
    "i it ci rm ls ln store env deploy fetch prune root recursive licenses self-update approve-builds un uninstall update".split()
)
_VALUE_OPTIONS = frozenset(
    "-w --workspace --workspaces-from --prefix -C --cwd --dir --filter -F -f --file -p --project --loglevel --reporter --directory --env-file".split()
)
_WHERE_OPTIONS = frozenset("-w --workspace --prefix -C --cwd --dir --filter -F --project --directory".split())
_DIRECTORY_OPTIONS = frozenset("--prefix -C --cwd --dir --directory".split())
"""Of these the value is a directory, of the others a package (or one of both)."""
_TASK_RUNNERS: dict[str, tuple[str, ...]] = {
    "mise": ("run", "r"),
    "rtx": ("run",),
    "task": (),
    "go-task": (),
    "just": (),
    "invoke": (),
    "inv": (),
    "rake": (),
    "gulp": (),
    "grunt": (),
    "poe": (),
    "poethepoet": (),
    "doit": (),
    "duty": (),
    "ant": (),
    "mage": (),
    "moon": ("run",),
    "nx": ("run", "run-many", "affected"),
    "turbo": ("run",),
    "vp": ("run",),
    "lerna": ("run",),
    "rush": (),
    "wireit": (),
    "pixi": ("run",),
    "pdm": ("run",),
    "hatch": ("run",),
    "rye": ("run",),
    "pipenv": ("run",),
    "poetry": ("run",),
    "composer": ("run", "run-script"),
    "deno": ("task",),
    "cargo": ("make", "xtask"),
    "tusk": (),
    "dagger": (),
    "bb": ("run",),
    "melos": ("run", "exec"),
    "ember": (),
    "earthly": (),
    "devbox": ("run",),
    "gradle": (),
    "gradlew": (),
    "mvn": (),
    "mvnw": (),
    "mvnd": (),
    "sbt": (),
    "mill": (),
    "lein": (),
    "make": (),
    "gmake": (),
    "bmake": (),
    "mingw32-make": (),
    "nmake": (),
}
PYTHON_MANAGERS = frozenset({"pdm", "hatch", "rye", "pipenv", "poetry"})
"""`pdm run X` runs the program X, or the project's own script of that name."""
_NEEDS_VERB = frozenset({"pipenv", "poetry", "cargo", "deno", "pixi", "bb", "devbox", "melos", "vp"})
_OWN_COMMANDS: dict[str, frozenset[str]] = {
    "mise": frozenset(
        "install use ls list exec x env activate trust which current outdated upgrade up plugins settings tasks doctor where".split()
    ),
    "turbo": frozenset("prune login link gen daemon".split()),
    "nx": frozenset("g generate graph migrate reset show list report init connect".split()),
    "lerna": frozenset("bootstrap publish version ls changed diff create add".split()),
    "rush": frozenset("install update add purge publish version".split()),
    "composer": frozenset(
        "install update require remove dump-autoload dumpautoload validate show create-project exec audit init".split()
    ),
    "pdm": frozenset("add install remove update lock sync".split()),
    "hatch": frozenset("env version publish new".split()),
    "rye": frozenset("add remove sync lock install publish toolchain self fetch".split()),
    "moon": frozenset("setup sync".split()),
}
_RUN_BY_MANAGERS = frozenset({"turbo", "nx", "lerna", "moon", "gulp", "grunt", "rush", "vp"})
"""Task runners of the project that a package manager runs by their name (`pnpm turbo run test`)."""
_DEFAULT_TASKS = {"rake": "spec", "ant": "build", "gulp": "build", "grunt": "build"}
"""What runners do without a task, where that is the custom: Rake runs the tests."""
_SCOPED_RUNNERS = frozenset({"nx", "turbo", "lerna", "moon"})


def package_script(words: list[str]) -> ScriptCall | None:
    """The script that a package manager or a task runner is asked to run; None where `words` ask for something else.

    `npm test`, `npm run test` and `yarn test` are written as `npm run test`, `yarn run test`; several tasks (`make lint test`) are one.
    """
    runner = words[0].rsplit("/", 1)[-1].removesuffix(".cmd").removesuffix(".bat")
    if runner in _PACKAGE_MANAGERS:
        return _package_manager(runner, words[1:])
    if runner in _TASK_RUNNERS:
        return _task_runner(runner, words[1:])
    if runner == "mix" and len(words) > 1 and script_role(words[1])[0] is ScriptRole.VERIFY:
        return ScriptCall(f"mix {words[1]}", words[1], tuple(words[2:]))
    return None


def _split(args: list[str]) -> tuple[list[str], list[str], list[str], str]:
    """Bare words before `--`, options, what stands behind `--`, and the workspace or directory named."""
    bare: list[str] = []
    options: list[str] = []
    where = ""
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        if arg == "--":
            return bare, options, args[at:], where
        if not arg.startswith("-"):
            bare.append(arg)
            continue
        flag, equals, value = arg.partition("=")
        options.append(flag)
        if not equals and flag in _VALUE_OPTIONS and at < len(args):
            value = args[at]
            at += 1
        if flag in _DIRECTORY_OPTIONS:
            where = value if value.startswith((".", "/", "~", "$")) else f"./{value}"
        elif flag in _WHERE_OPTIONS:
            where = value
    return bare, options, [], where


def _package_manager(runner: str, args: list[str]) -> ScriptCall | None:
    bare, _, passed, where = _split(args)
    if not bare:
        return None
    head = bare[0]
    if head in _RUN_BY_MANAGERS:
        return _task_runner(head, args[args.index(head) + 1 :])
    if head in ("run", "run-script", "rum", "urn"):
        if len(bare) < 2:
            return None
        script, rest = bare[1], bare[2:]
    elif head == "workspace" and runner == "yarn" and len(bare) > 2:
        where = bare[1]
        script, rest = (bare[3], bare[4:]) if bare[2] == "run" and len(bare) > 3 else (bare[2], bare[3:])
    elif head in ("workspaces", "recursive", "-r") and "run" in bare[1:-1]:
        at = bare.index("run")
        script, rest = bare[at + 1], bare[at + 2 :]
    elif runner == "npm":
        if head not in _NPM_BUILTIN_SCRIPTS:
            return None
        script, rest = ("test" if head in ("t", "tst") else head), bare[1:]
        args = [script if a == head else a for a in args]
    elif runner == "bun":
        if head in (
            "test",
            "build",
            "x",
            "add",
            "install",
            "i",
            "remove",
            "update",
            "pm",
            "init",
            "create",
            "link",
            "upgrade",
            "rm",
        ):
            return None
        script, rest = head, bare[1:]
        if "." in head or "/" in head:
            return None
    else:
        if head in (_YARN_COMMANDS if runner == "yarn" else _PNPM_COMMANDS):
            return None
        script, rest = ("test" if head in ("t", "tst") else head), bare[1:]
        args = [script if a == head else a for a in args]
    options = [a for a in args[args.index(script) + 1 :] if a.startswith("-") and a != "--" and a not in _VALUE_OPTIONS]
    rest += [a for a in options if a not in passed]
    return ScriptCall(f"{runner} run {script}", script, (*rest, *passed), where)


_NARROWING = re.compile(
    r"\w*(?:TEST|PKG|PACKAGE|FILTER|RUN|ARGS|FILE|PATTERN|MODULE|SPEC|ONLY|NAME)\w*=.", re.IGNORECASE
)
"""Variables of a Makefile by which a part of the tests is chosen."""


def _task_runner(runner: str, args: list[str]) -> ScriptCall | None:
    family = _FAMILIES.get(runner, runner)
    verbs = _TASK_RUNNERS[runner]
    bare, options, passed, where = _split([a for a in args if not re.match(r"[A-Za-z_]\w*=|-D|-P", a)])
    if family == "make":
        script = " ".join(b for b in bare if not b.isdigit()) or "all"
        chosen = tuple(a for a in args if _NARROWING.match(a))
        return ScriptCall(f"make {script}" if bare else "make", script, chosen, where)
    if not bare and not options and runner in _DEFAULT_TASKS:
        return ScriptCall(runner, _DEFAULT_TASKS[runner], tuple(passed), where)
    verb = ""
    if bare and bare[0] in verbs:
        verb = bare.pop(0)
    elif runner in _NEEDS_VERB or not bare or bare[0] in _OWN_COMMANDS.get(runner, ()):
        return None
    if verb == "xtask" or (verb == "make" and runner == "cargo"):
        runner = f"cargo {verb}"
    if not bare and not options:
        return None
    if family in ("gradle", "mvn", "sbt", "mill", "lein"):
        if family in ("gradle", "mvn"):
            bare, narrowed, where = _jvm_arguments(args)
            passed = [*passed, *narrowed]
        tasks = [b for b in bare if b not in ("clean",)] or bare
        script = " ".join(_VARIANT.sub("", task.rsplit(":", 1)[-1]) for task in tasks)
        script = _jvm_work(family, script, untested="skip=test" in passed)
        modules = " ".join(task.rsplit(":", 1)[0] for task in tasks if ":" in task.strip(":") and family == "gradle")
        return ScriptCall(f"{family} {' '.join(tasks)}", script, tuple(passed), where or modules) if script else None
    if runner in _SCOPED_RUNNERS:
        return _monorepo(runner, verb, bare, args, where)
    if runner == "mise" and not verb and bare[0] in ("exec", "x"):
        return None
    text = (
        f"mise run {bare[0]}"
        if runner in ("mise", "rtx")
        else f"{runner} {verb + ' ' if verb and runner != 'cargo make' and not runner.startswith('cargo') else ''}{bare[0]}"
    )
    return ScriptCall(text, bare[0], (*bare[1:], *passed), where)


_VARIANT = re.compile(r"(?<=[a-z])(?:Debug|Release|Staging|Profile)(?=[A-Z]|$)")
"""Build variants in the names of Android's tasks: `assembleDebug` builds, `testReleaseUnitTest` tests."""


_JVM_INSTALLS = re.compile(r"\binstall(?!Dist\b|-\w)\w*|\bpublishToMavenLocal\b")
_SKIPS_TESTS = re.compile(r"-D(?:skipTests|maven\.test\.skip)(?:=true)?")


def _jvm_work(family: str, script: str, *, untested: bool) -> str:
    """What tasks are told by: Maven's late phases run the tests, what is installed is built before."""
    if family == "mvn":
        return re.sub(r"\b(?:verify|install|deploy)\b", "package" if untested else "test", script)
    return _JVM_INSTALLS.sub("assemble", script) if family == "gradle" else script


def _jvm_arguments(args: list[str]) -> tuple[list[str], list[str], str]:
    """Tasks or phases, test filters, and the module of a Gradle or Maven call."""
    bare: list[str] = []
    narrowed: list[str] = []
    where = ""
    at = 0
    while at < len(args):
        arg = args[at]
        at += 1
        following = args[at] if at < len(args) else ""
        if arg == "--tests":
            narrowed += ["--tests", following]
            at += 1
        elif arg.startswith(("-Dtest=", "-Dit.test=", "-Dtests=")):
            narrowed += ["--tests", arg.partition("=")[2]]
        elif _SKIPS_TESTS.fullmatch(arg):
            narrowed.append("skip=test")
        elif arg in ("-x", "--exclude-task"):
            narrowed.append(f"skip={following}")
            at += 1
        elif arg in ("-pl", "--projects", "-f", "--file", "-p", "--project-dir"):
            where = following
            at += 1
        elif arg in ("-T", "--threads", "-P", "-I", "-c", "-s", "--settings", "-b"):
            at += 1
        elif not arg.startswith("-"):
            bare.append(arg)
    return bare, narrowed, where


_FAMILIES = {
    "gmake": "make",
    "bmake": "make",
    "mingw32-make": "make",
    "nmake": "make",
    "gradlew": "gradle",
    "mvnw": "mvn",
    "mvnd": "mvn",
    "rtx": "mise",
}


_TARGET_OPTION = re.compile(r"(?:^| )(?:-t|--targets?)[ =]((?:[^\s-]\S*(?: |$))+)")
_PROJECTS = frozenset({"-p", "--projects"})
_ONE_PROJECT = re.compile(r"@?[\w./-]+")
_TO_THE_TARGET = frozenset(
    "-t --testFile --test-file --testFiles --testPathPattern --testPathPatterns --testNamePattern --grep --spec --fix --write -u"
    " --updateSnapshot --update-snapshots".split()
)
"""Options of Nx's targets that choose tests, or fix."""
_WITHOUT_VALUE = frozenset("--fix --write -u --updateSnapshot --update-snapshots".split())


def _monorepo(runner: str, verb: str, bare: list[str], args: list[str], where: str) -> ScriptCall | None:
    """`nx test app`, `nx run app:test`, `nx run-many -t test lint`, `turbo run test lint`."""
    if verb in ("run-many", "affected") or (runner == "nx" and not bare):
        return _many(runner, verb, bare, args, where)
    options: list[str] = []
    if runner == "nx":
        options = _options_of_target(args)
        bare = _split(_without_options_of_target(args))[0]
        bare = bare[1:] if verb else bare
    if not bare:
        return None
    if ":" in bare[0] and verb == "run" and runner in ("nx", "moon"):
        project, _, task = bare[0].partition(":")
        return ScriptCall(f"{runner} run {task}", task, (*bare[1:], *options), project)
    if runner == "nx":
        return ScriptCall(f"nx run {bare[0]}", bare[0], (*bare[2:], *options), bare[1] if len(bare) > 1 else where)
    return ScriptCall(f"{runner} run {' '.join(bare)}", " ".join(bare), (), where)


def _many(runner: str, verb: str, bare: list[str], args: list[str], where: str) -> ScriptCall | None:
    """Targets of many projects: of all, of those that are named, or of those that a change may have broken."""
    flagged = _TARGET_OPTION.search(" ".join(args))
    script = " ".join((flagged.group(1) if flagged else " ".join(bare)).replace(",", " ").split())
    if not script:
        return None
    named = [
        arg.partition("=")[2] or after for arg, after in pairwise([*args, ""]) if arg.partition("=")[0] in _PROJECTS
    ]
    end = args.index("--") if "--" in args else len(args)
    options = _options_of_target([arg for at, arg in enumerate(args) if at > end or arg != "-t"])
    where = named[-1] if named else where
    if verb == "run-many" and runner == "nx" and _ONE_PROJECT.fullmatch(where) and " " not in script:
        return ScriptCall(f"nx run {script}", script, tuple(options), where)
    tool = f"{runner} {'affected' if verb == 'affected' else 'run-many'} {script}"
    return ScriptCall(tool, script, tuple(options), where)


def _options_of_target(args: list[str]) -> list[str]:
    """The options that go to the target and matter: `--testFile=a.spec.ts`, `-t adds`, `--fix`."""
    found: list[str] = []
    for arg, after in pairwise([*args, ""]):
        flag, equals, _ = arg.partition("=")
        if flag in _TO_THE_TARGET:
            found.append(arg if equals or flag in _WITHOUT_VALUE else f"{flag}={after}")
    return found


def _without_options_of_target(args: list[str]) -> list[str]:
    values = {at + 1 for at, arg in enumerate(args) if arg in _TO_THE_TARGET and arg not in _WITHOUT_VALUE}
    return [arg for at, arg in enumerate(args) if at not in values and arg.partition("=")[0] not in _TO_THE_TARGET]
