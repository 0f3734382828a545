"""What a task has written and built so far: the memory by which running a program becomes a verification.

Belongs here: paths edited or created, scripts whose text is known to change files, outputs of builds; bounded, so that a session of
any length needs constant memory. Which command is a verification is decided in `goals`.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from debug_loop_pipeline.compute.commands.changes import writes_files, written_files

_MAX_FILES = 1_000
_MAX_CODE = 20_000
_SCRIPTS = (".py", ".js", ".mjs", ".cjs", ".ts", ".sh", ".rb", ".pl", ".php")
BUILD_DIRECTORIES = frozenset(
    {"dist", "build", "out", "target", "bin", ".build", "_build", "zig-out", "lib", "output", "release", "debug"}
)
_CHANGING_NAME = re.compile(
    r"(?:^|[_\-.])(?:fix|patch|edit|apply|update|modify|migrate|convert|generate|gen|refactor|rewrite|codemod|replace|rename|insert|inject|setup|seed|remove|cleanup)(?=[_\-.\d]|$)",
    re.IGNORECASE,
)
_TEST_NAME = re.compile(
    r"(?:^|[_\-.])(?:test|tests|check|verify|spec|repro|reproduce|demo|validate)(?=[_\-.\d]|$)", re.IGNORECASE
)


_LINKED = re.compile(
    r"^(?:\S*/)?(?:[\w-]+-)?(?:g?cc|[gc]\+\+|clang(?:\+\+)?|ld|rustc|gfortran|ghc|ocamlfind|nvcc)(?:-[\d.]+)? (?:.* )?-o (?P<flag>[\w./+-]+)"
    r"|\bLinking \w+ executable (?P<cmake>\S+)",
    re.MULTILINE,
)
"""Lines of a build that name the program they write."""
_NO_PROGRAM = (".o", ".obj", ".a", ".so", ".d", ".lo", ".dylib", ".rlib")


@dataclass(slots=True)
class TaskFiles:
    """Files that the task edited and what it built."""

    edited: dict[str, str | None] = field(default_factory=dict)
    """Path -> the text of a small script, where it is known: what running it does is told from it when it is run."""
    built: set[str] = field(default_factory=set)
    built_something: bool = False
    _parts: set[str] = field(default_factory=set)
    _names: set[str] = field(default_factory=set)

    def record_edit(self, path: str, content: str | None = None) -> None:
        """A file was created or changed; `content` is its text where it is known."""
        path = posixpath.normpath(path)
        if len(self.edited) >= _MAX_FILES:
            self.edited.pop(next(iter(self.edited)))
        name = path.rsplit("/", 1)[-1]
        script = content is not None and len(content) <= _MAX_CODE and name.endswith(_SCRIPTS)
        self.edited.pop(path, None)
        self.edited[path] = content if script else None
        self._names.add(name)
        self._parts.update(part.split(".", 1)[0] for part in path.split("/")[-6:] if part not in ("", "tmp", "home"))

    def record_build(self, output: str | None) -> None:
        """A build ran; `output` is the program it was told to write."""
        self.built_something = True
        if output and len(self.built) < _MAX_FILES:
            self.built.add(posixpath.normpath(output))

    def record_linked(self, output: str) -> None:
        """What a build or a test printed: the programs that it says it wrote (`gcc -o app`) were built."""
        if " -o " not in output and "Linking " not in output:
            return
        for match in _LINKED.finditer(output[-_MAX_CODE:]):
            program = match["flag"] or match["cmake"]
            if not program.endswith(_NO_PROGRAM):
                self.record_build(program)

    def edited_path(self, path: str, cwd: str) -> str | None:
        """The edited file that `path`, as a command names it, stands for; None where the task did not write it."""
        name = path.rsplit("/", 1)[-1]
        if name not in self._names:
            return None
        joined = posixpath.normpath(posixpath.join(cwd, path))
        if joined in self.edited:
            return joined
        bare = posixpath.normpath(path)
        if bare in self.edited:
            return bare
        tail = "/" + bare.lstrip("./")
        for known in self.edited:
            if known.endswith(tail) or joined.endswith("/" + known.lstrip("./")):
                return known
        return None

    def changes_files(self, path: str, cwd: str) -> bool:
        """Whether the edited script at `path` is known to write files when it runs."""
        known = self.edited_path(path, cwd)
        if known is None:
            return False
        stem = known.rsplit("/", 1)[-1].split(".", 1)[0]
        named_a_change, named_a_test = _CHANGING_NAME.search(stem) is not None, _TEST_NAME.search(stem) is not None
        content = self.edited[known]
        if content is None:
            return named_a_change and not named_a_test
        return writes_files(content) and (named_a_change or not named_a_test)

    def files_changed_by(self, path: str, cwd: str) -> tuple[str, ...]:
        """The files that the edited script at `path` names as those it writes."""
        known = self.edited_path(path, cwd)
        content = self.edited[known] if known is not None else None
        return written_files(content) if content is not None else ()

    def is_built(self, path: str, cwd: str) -> bool:
        """Whether `path` is a program the task built: an output named by a build, or a file in a build directory after one."""
        if not self.built and not self.built_something:
            return False
        bare = posixpath.normpath(path)
        if bare in self.built or posixpath.normpath(posixpath.join(cwd, path)) in self.built:
            return True
        if any(
            out.rsplit("/", 1)[-1] == bare.rsplit("/", 1)[-1] and (out.endswith("/" + bare) or bare == out)
            for out in self.built
        ):
            return True
        return self.built_something and bool(BUILD_DIRECTORIES.intersection(bare.split("/")[:-1]))

    def edits_package(self, module: str) -> bool:
        """Whether a package or module of that (first) name holds something the task edited."""
        return module in self._parts

    def edits_suffix(self, *suffixes: str) -> bool:
        """Whether any edited file ends like that."""
        return any(path.endswith(suffixes) for path in self.edited)
