"""The programs with their bugs: what an agent may see of them, and apart from it which belong together.

`Program` is what is on disk in the program's directory. Families are for the referee (`evaluation`, the tests): nothing of
them reaches the agent.
"""

from __future__ import annotations

import ast
import random
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from examples.bug_hunt.source import parse

PROGRAMS = Path(__file__).with_name("programs")
FAMILIES = Path(__file__).with_name("families.toml")


@dataclass(frozen=True, slots=True)
class Program:
    """One program: its id, its modules and its test file, content by name."""

    id: str
    modules: dict[str, str]
    test: str
    test_content: str

    @property
    def files(self) -> dict[str, str]:
        """All files by name."""
        return {**self.modules, self.test: self.test_content}

    @property
    def name(self) -> str:
        """Name of the module that the tests are about."""
        return self.test.removeprefix("test_").removesuffix(".py")

    @property
    def request(self) -> str:
        """What a person asks for."""
        about = ast.get_docstring(parse(self.modules[f"{self.name}.py"])) or ""
        return (
            f"{about} Its tests fail: find out why and repair {self.name}.py, but leave {self.test} as it is.".lstrip()
        )


@dataclass(frozen=True, slots=True)
class Family:
    """Programs whose bug is the same, however different the code.

    repair: the operator that repairs each of them. shares: another family whose programs fail with the same error signature.
    """

    name: str
    repair: str
    programs: tuple[str, ...]
    shares: str | None = None


@lru_cache(maxsize=1)
def load_programs() -> dict[str, Program]:
    """All programs by id, in order."""
    found: dict[str, Program] = {}
    for place in sorted(PROGRAMS.iterdir()):
        contents = {file.name: file.read_text(encoding="utf-8") for file in sorted(place.glob("*.py"))}
        tests = [name for name in contents if name.startswith("test_")]
        if len(tests) != 1:
            raise ValueError(f"{place}: expected one test file, found {len(tests)}")
        test_content = contents.pop(tests[0])
        found[place.name] = Program(place.name, contents, tests[0], test_content)
    return found


@lru_cache(maxsize=1)
def load_families() -> dict[str, Family]:
    """All families by name."""
    table = tomllib.loads(FAMILIES.read_text(encoding="utf-8"))
    return {
        name: Family(name, entry["repair"], tuple(entry["programs"]), entry.get("shares"))
        for name, entry in table.items()
    }


def halves(seed: int) -> tuple[list[str], list[str]]:
    """Ids of the programs to learn from and of those to be tried on: half of each family, drawn by a seed."""
    learn: list[str] = []
    test: list[str] = []
    for family in load_families().values():
        drawn = list(family.programs)
        random.Random(f"{seed}/{family.name}").shuffle(drawn)
        middle = len(drawn) // 2
        learn += drawn[:middle]
        test += drawn[middle:]
    return sorted(learn), sorted(test)
