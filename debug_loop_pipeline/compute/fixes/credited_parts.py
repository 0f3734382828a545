"""Which parts of a change are credited with an error (DOMAIN 3.8 "Resolution").

Where the error names files and parts of the change are in them, those parts; else all. An error that says that a name is
missing names it, too: the parts elsewhere that bring its definition in are among those credited. Before that the change is
reduced to its net: a hunk that a later one, or a rewrite of the whole file, has undone is no part of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from debug_loop_pipeline.compute.fixes.resolution import ChangePart
from debug_loop_pipeline.compute.fixes.task_attempts import TaskError
from debug_loop_pipeline.models.errors import ErrorCategory, SlotKind

_PROSE = re.compile(r"\.(?:md|mdx|rst|txt|adoc)$", re.IGNORECASE)
_FIXES = re.compile(r"(?i)--fix\b|--write\b|--unsafe-fixes|[:\s-]fix\b|--apply\b")
_INSTALLS = re.compile(
    r"(?:^|\s)(?:install|i|ci|add|get|require|sync|update|upgrade|restore|tidy|download|link)(?:\s|$)"
)
_FORMATS = re.compile(
    r"(?i)\bfmt\b|\bformat\b|\bgofmt\b|\bgofumpt\b|\bgoimports\b|\bprettier\b|\bblack\b|\bisort\b|rustfmt"
)
_ABOUT_FORMAT = re.compile(r"(?i)format|fmt|prettier|black|isort|indent|whitespace|import order|sorted")

_HASH_LANGUAGES = (
    ".py",
    ".pyi",
    ".rb",
    ".sh",
    ".bash",
    ".zsh",
    ".pl",
    ".r",
    ".R",
    ".ex",
    ".exs",
    ".yml",
    ".yaml",
    ".toml",
    ".tf",
)
_HASH_COMMENT = re.compile(r"\s*#")
_SLASH_COMMENT = re.compile(r"\s*(?://|/\*|\*/|\*\s+@\w|<!--|\{/\*)|(?:\t|  )* \*(?:\s|$)")
"""A star alone begins a comment's line where it stands under that of `/*`. A hunk may begin inside a line, at an operator: `* (b - a)`."""
_ABOUT_COMMENTS = re.compile(
    r"(?i)comment|doc(?:string|umentation)?\b|nolint|noqa|directive|suppress|unused ignore|godot"
)
_SILENCES = re.compile(
    r"@ts-(?:ignore|expect-error|nocheck)|(?:nolint|noqa|type: ?ignore|pyright: ?ignore|eslint-disable(?:-next-line|-line)?|biome-ignore"
    r"|rubocop:disable|pylint: ?disable|deno-lint-ignore|phpstan-ignore|noinspection|nosec|swiftlint:disable(?::next)?)\b"
    r"[:=\[( ]*(?P<rules>[\w@][\w@/.-]*(?:\s*,\s*[\w@][\w@/.-]*)*)?"
)
"""Comments that a checker obeys, and the rules that they name."""
_MISSING = re.compile(
    r"(?i)undefined|undeclared|unresolved|not (?:defined|declared|found|a member)|unknown (?:name|type|identifier)|does ?n[o']t exist"
    r"|(?:cannot|can't|could not|unable to) (?:find|resolve|import)|no (?:such|exported|attribute|method|declaration|module|associated|field|member)"
    r"|has no|not contain"
)
_NOT_EXPORTED = re.compile(
    r"exported member|does not provide an export|\(<NUM> ?, ?(?P<name>[A-Za-z_$][\w$]*)\) is not a function"
)
"""That a module does not export a name; a call of an imported one reads `(0 , name)` where imports have been translated."""
_EXPORTS_ALL = re.compile(r"\s*export \* from\b")
_WHOLE_FILE_LINES = 30
_FEW_FILES = 3
_NAME = re.compile(r"[A-Za-z_]\w+")
_DECLARES = (
    r"\bfunc\s+\([^)]*\)\s*{name}\b"
    r"|\b(?:def|class|func|function|fn|fun|type|interface|struct|enum|trait|record|const|let|var|val|define|variable|module)\b"
    r"[^=(]*?\b{name}\b|^\s*(?:[\w<>\[\],?*&:.]+\s+)*{name}\s*(?:[(:=?,;]|$)"
    r"|^\s*export\s+(?:type\s+)?\{{[^}}]*\b{name}\b"
)
_TEST_PATH = re.compile(
    r"(?:^|/)(?:tests?|specs?|__tests__|testdata|fixtures)/|[._-](?:test|spec)s?\.\w+$|(?:^|/)(?:test_[^/]*|conftest)\.py$|Tests?\.\w+$"
)
_SCRATCH = re.compile(r"(?:^|/)(?:tmp|temp|scratch|scratchpad|\.tmp)/[^/]+$")
_BEGINS_A_TEST = re.compile(
    r"""\s*(?:(?:async\s+)?def\s+(test\w*)|func\s+(?:\([^)]*\)\s*)?((?:Test|Benchmark|Example|Fuzz|test)\w*)|(?:public\s+)?function\s+(test\w+)"""
    r"""|(?:it|test)(?:\.\w+)*\(\s*(['"`])(.+?)\4)"""
)
_ASSERTS = re.compile(
    r"\s*(?:(?:debug_|XCT)?[aA]ssert\w*!?\b|(?:self|this|\$this|Assert)(?:\.|->|::)[aA]ssert\w*|require\.\w|expect\((?!page\b|browser\b))"
)
"""An assertion that is no more than one: what a browser's page is expected to show is waited for, too."""
_SUITES = re.compile(r"::| › | > ")
_CLOSES = re.compile(r"\s*[)\]}][)\]};,.\w()]*$")
_LOADED_ALONE = re.compile(r"(?:^|[/\\])test_[^/\\]*\.py$|\.(?:test|spec)\.[cm]?[jt]sx?$")
"""Test files that nothing but their runner loads, as a rule."""
_TEST_FILES = (
    re.compile(r"(?P<stem>.+)[._](?:test|spec)\.(?P<extension>\w+)"),
    re.compile(r"test_(?P<stem>.+)\.(?P<extension>py)"),
    re.compile(r"(?P<stem>.+?)Tests?\.(?P<extension>java|kt|cs|swift|php)"),
)


def credited_parts(error: TaskError, change: Sequence[ChangePart]) -> tuple[ChangePart, ...]:
    """The parts of `change` that the error's going (or staying) is put down to, in order; never empty for a change."""
    net = _net(change)
    if error.tool == "manage.py makemigrations" and (migrations := tuple(filter(_is_migration, net))):
        return migrations
    named = _named_files(error)
    beside = {at for at, part in enumerate(net) if _says_only(part, error)}
    missing = _missing_names(error)
    declared = tuple(part for part in net if missing and (_defines(part, missing) or _exports_all(part, error)))
    inside = {
        at
        for at, part in enumerate(net)
        if _in_files(part, named) or _tool_touches(part, error) or _is_of_its_suite(part, error)
    }
    inside = inside - beside if inside - beside or declared else inside
    another = {at for at in inside if _is_in_another_test(net[at], error) or _only_asserts_more(net[at], error)}
    if another and another == inside:
        # What was done in the test's own file is none of it, so it was mended elsewhere, if at all there.
        elsewhere = _of_the_tested(net, beside | another, another)
        if elsewhere:
            return tuple(net[at] for at in sorted(elsewhere))
    inside = inside - another or inside
    if declared and not inside:
        return declared
    if inside and named:
        if _test_says_no(error) and all(_is_test(file) for at in inside for file in net[at].files):
            # A test that says no does not name what it tests, as a rule: either may have been mended. Of many files most are other work.
            other = _of_the_tested(net, beside | another | inside, inside)
            inside |= other if len({file for at in other for file in net[at].files}) <= _FEW_FILES else set()
        return tuple(part for at, part in enumerate(net) if at in inside or part in declared)
    code = [part for at, part in enumerate(net) if not _is_prose(part) and at not in beside]
    return tuple(code or net)


def tried_parts(error: TaskError, change: Sequence[ChangePart], others: Sequence[TaskError]) -> tuple[ChangePart, ...]:
    """The parts of `change` that were tried for `error` and did not help; none where all of it was aimed at something else.

    As `credited_parts`; but where nothing was done in the files that the error names, what was done in those that one of the `others`
    names, which were there at the same time, was done for that one.
    """
    credited = credited_parts(error, change)
    named = _named_files(error)
    if not named or any(_in_files(part, named) or _tool_touches(part, error) for part in credited):
        return credited
    missing = _missing_names(error)
    elsewhere = [file for other in others for file in _named_files(other) if file not in named]
    return tuple(part for part in credited if _defines(part, missing) or not _in_files(part, elsewhere))


def _of_the_tested(net: Sequence[ChangePart], but: set[int], tests: set[int]) -> set[int]:
    """Parts `but` some that may be in what a test tests, whose own hunks are `tests`."""
    folders = {_folder(file) for at in tests for file in net[at].files}
    return {
        at
        for at, part in enumerate(net)
        if at not in but
        and part.files
        and not _is_prose(part)
        and not _tests_apart(part, folders)
        and not _is_scratch(part)
    }


def _test_says_no(error: TaskError) -> bool:
    """Whether a test did not get what it asked for; of a test that is a script only what it raised is known."""
    if error.key[2]:
        return error.pattern.category is ErrorCategory.TEST_FAILURE
    return error.tool == "python" and bool(error.files) and all(_is_test(file) for file in error.files)


def _is_test(path: str) -> bool:
    return _TEST_PATH.search(path.replace("\\", "/")) is not None


def _is_in_another_test(part: ChangePart, error: TaskError) -> bool:
    """Whether all that a hunk changes stands in tests that it names, of which the failing one is none."""
    edit = part.edit
    if edit is None or not error.key[2]:
        return False
    texts = ((edit.before or "").splitlines(), (edit.after or "").splitlines())
    named: list[str] = []
    for own, other in (texts, texts[::-1]):
        others = {line.strip() for line in other}
        for line in own:
            begun = _BEGINS_A_TEST.match(line)
            if begun is not None:
                named.append(next(name for name in begun.group(1, 2, 3, 5) if name))
            elif not named and line.strip() and line.strip() not in others:
                return False  # before the first of them: it may be in any
    words = re.split(r"::| › |[/>]", error.key[2].split("::", 1)[-1])
    return bool(named) and not any(
        name in word or word in name for name in named for word in map(str.strip, words) if word
    )


def _only_asserts_more(part: ChangePart, error: TaskError) -> bool:
    """Whether a hunk only brings further assertions into tests: no test passes for being asked more."""
    edit = part.edit
    if edit is None or edit.before is None or edit.after is None or not _test_says_no(error) or not _is_test(edit.path):
        return False
    old, new = edit.before.splitlines(), edit.after.splitlines()
    head = 0
    while head < len(old) and head < len(new) and old[head] == new[head]:
        head += 1
    count = len(new) - len(old)
    if count <= 0 or new[head + count :] != old[head:]:
        return False
    # The same lines may stand for one that begins further up: of `); f(` + `); f(` the second is new, or its end and the next head.
    while head and new[head - 1] == new[head + count - 1] and not _ASSERTS.match(new[head]):
        head -= 1
    fresh = [line for line in new[head : head + count] if line.strip()]
    depth = min((len(line) - len(line.lstrip()) for line in fresh), default=0)
    outer = [line for line in fresh if len(line) - len(line.lstrip()) == depth]
    return bool(outer) and all(_ASSERTS.match(line) or _CLOSES.match(line) for line in outer)


def _tests_apart(part: ChangePart, folders: set[str]) -> bool:
    """Whether a part is in test files only that the tests in these folders do not load: the runner alone loads such a file, but in Go
    together with those beside it.
    """
    return all(
        _LOADED_ALONE.search(file) or (file.endswith("_test.go") and _folder(file) not in folders)
        for file in part.files
    )


def _is_scratch(part: ChangePart) -> bool:
    """Whether a part only writes something to look with."""
    return all(_SCRATCH.search(file.replace("\\", "/")) for file in part.files)


def _folder(path: str) -> str:
    return str(PurePosixPath(path.replace("\\", "/")).parent)


def _missing_names(error: TaskError) -> list[str]:
    """The names that the error says are not there."""
    unexported = _NOT_EXPORTED.search(error.pattern.pattern)
    if unexported is not None and unexported["name"]:
        return [unexported["name"]]
    if _MISSING.search(error.pattern.pattern) is None:
        return []
    names = (_NAME.findall(subject.split("(", 1)[0]) for subject in error.pattern.subjects)
    return [found[-1] for found in names if found]


def _defines(part: ChangePart, names: Sequence[str]) -> bool:
    """Whether an edit brings in a line that declares one of the names, or creates the file of that name."""
    edit = part.edit
    after = edit.after if edit is not None else part.command.command if part.command is not None else None
    before = _lines(edit.before) if edit is not None else set()
    fresh = [line for line in (after or "").splitlines() if line.strip() not in before]
    created = [] if edit is None or edit.before is not None else [PurePosixPath(edit.path).name.split(".", 1)[0]]
    return any(
        name in created or any(re.search(_DECLARES.format(name=re.escape(name)), line) for line in fresh)
        for name in names
    )


def _exports_all(part: ChangePart, error: TaskError) -> bool:
    """Whether an edit passes on all that another module exports, where a name was not exported."""
    edit = part.edit
    if edit is None or _NOT_EXPORTED.search(error.pattern.pattern) is None:
        return False
    return any(_EXPORTS_ALL.match(line) for line in _lines(edit.after) - _lines(edit.before))


def _named_files(error: TaskError) -> list[str]:
    """Files the error names: its path, its frames, its test and what that tests, the paths in its message."""
    slots = [slot.value for slot in error.pattern.slots if slot.kind is SlotKind.PATH]
    names = [name for name in (_segments(file) for file in (*error.files, *slots)) if name]
    if (
        not error.key[2]
        and error.pattern.category is ErrorCategory.BUILD_ERROR
        and not _MISSING.search(error.pattern.pattern)
    ):
        # A compiler names the very place; what a test calls in another way than it is declared may be of any file.
        return names
    return [*names, *(tested for name in names if (tested := _tested_file(name)))]


def _tested_file(path: str) -> str:
    """Name of the file that a test file is about (`x_test.go` and `test_x.py` are about `x`); "" for other files."""
    name = path.rsplit("/", 1)[-1]
    for regex in _TEST_FILES:
        match = regex.fullmatch(name)
        if match:
            return f"/{match['stem']}.{match['extension']}"
    return ""


def _is_of_its_suite(part: ChangePart, error: TaskError) -> bool:
    """Whether a part is in the file of that name which the failing test's suite has: `describe("Cart")` is about `cart.ts`."""
    if not error.key[2] or not part.files:
        return False
    suites = {word.strip().lower() for word in _SUITES.split(error.key[2])[:-1]}
    return all(PurePosixPath(file.replace("\\", "/")).name.split(".", 1)[0].lower() in suites for file in part.files)


def _segments(path: str) -> str:
    unix = path.replace("\\", "/").strip()
    while unix.startswith(("./", "../")):
        unix = unix.split("/", 1)[1]
    return "/" + unix.lstrip("/") if unix.strip("/.") else ""


def _in_files(part: ChangePart, named: Sequence[str]) -> bool:
    """Whether a part is in one of the files; the shorter of two paths must end the longer one."""
    own = [_segments(file) for file in part.files]
    return any(a and (a.endswith(b) or b.endswith(a)) for a in own for b in named)


def _tool_touches(part: ChangePart, error: TaskError) -> bool:
    """A fixer changes the files that its linter names, a formatter those that are ill formed, an install what can be imported; they
    name no file.
    """
    if part.command is not None and error.pattern.category is ErrorCategory.IMPORT_ERROR:
        return _INSTALLS.search(part.command.command) is not None and not _lacks_a_name(error)
    if part.command is None or part.files or error.pattern.category is not ErrorCategory.LINT_ERROR:
        return False
    if _FIXES.search(part.command.command):
        return True
    about = f"{error.pattern.pattern} {error.tool or ''}"
    return bool(_FORMATS.search(part.command.command) and _ABOUT_FORMAT.search(about))


def _is_migration(part: ChangePart) -> bool:
    """Whether a part makes Django's migrations, or writes one."""
    made = part.command is not None and "makemigrations" in part.command.command
    return made or any("/migrations/" in f"/{file}" for file in part.files)


def _lacks_a_name(error: TaskError) -> bool:
    """Whether a module of the project was found and a name in it was not, which no install brings."""
    places = [slot.value for slot in error.pattern.slots if slot.kind is SlotKind.PATH]
    found = bool(places) and not any("-packages/" in place.replace("\\", "/") for place in places)
    return found and "cannot import name" in error.pattern.pattern


def _is_prose(part: ChangePart) -> bool:
    return bool(part.files) and all(_PROSE.search(file) for file in part.files)


def _says_only(part: ChangePart, error: TaskError) -> bool:
    """Whether a hunk changes nothing but comments that are not about the error: a note, or the silencing of another rule."""
    edit = part.edit
    if edit is None:
        return False
    comment = _HASH_COMMENT if edit.path.endswith(_HASH_LANGUAGES) else _SLASH_COMMENT
    old, new = _lines(edit.before), _lines(edit.after)
    both = [*(edit.before or "").splitlines(), *(edit.after or "").splitlines()]
    changed = [line for line in both if line.strip() in old ^ new]
    if not changed or not all(comment.match(line) for line in changed):
        return False
    pattern = error.pattern.pattern
    if _ABOUT_COMMENTS.search(pattern) or _ABOUT_FORMAT.search(pattern):
        return False
    silenced = [found["rules"] or "" for line in new - old for found in _SILENCES.finditer(line)]
    return not any(rule.strip() in pattern for rules in silenced for rule in rules.split(","))


def _net(change: Sequence[ChangePart]) -> list[ChangePart]:
    """The change without parts that nothing is left of: later parts took out every line they had brought in."""
    taken: dict[str, set[str]] = {}
    written: dict[str, str] = {}
    kept: list[ChangePart] = []
    for part in reversed(change):
        edit = part.edit
        if edit is None:
            if not part.files or not all(_same_file(file, written) for file in part.files):
                kept.append(part)
            continue
        old, new = _lines(edit.before), _lines(edit.after)
        brought = new - old
        final = written.get(edit.path)
        left = {line for line in brought if line not in taken.get(edit.path, ())}
        if final is not None:
            left = {line for line in left if line in final}
        if left or not brought:
            kept.append(part)
        taken.setdefault(edit.path, set()).update(old - new)
        if edit.after is not None and _rewrites(part):
            written.setdefault(edit.path, edit.after)
    return kept[::-1]


def _rewrites(part: ChangePart) -> bool:
    """Whether an edit wrote the whole file. Where only pieces of a file are known, a hunk is all of its content too, but a small one."""
    edit = part.edit
    if edit is None or edit.after is None or edit.before is None:
        return edit is not None
    shorter = min(edit.before.count("\n"), edit.after.count("\n"))
    return edit.after == part.content and shorter >= _WHOLE_FILE_LINES


def taken_back(parts: Sequence[ChangePart]) -> frozenset[int]:
    """Indexes of hunks that a later hunk took back to the letter, and of those later ones."""
    standing: dict[tuple[str, str, str], list[int]] = {}
    found: set[int] = set()
    for n, part in enumerate(parts):
        edit = part.edit
        if edit is None or edit.before is None or edit.after is None or edit.before == edit.after:
            continue
        undone = standing.get((edit.path, edit.after, edit.before))
        if undone:
            found |= {n, undone.pop()}
        else:
            standing.setdefault((edit.path, edit.before, edit.after), []).append(n)
    return frozenset(found)


def _same_file(file: str, others: Iterable[str]) -> bool:
    own = _segments(file)
    return bool(own) and any(_segments(other).endswith(own) for other in others)


def _lines(text: str | None) -> set[str]:
    return {line for line in map(str.strip, (text or "").splitlines()) if line}
