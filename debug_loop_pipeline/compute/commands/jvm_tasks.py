"""Phases of Maven and tasks of Gradle: which of them run others before their own work.

Belongs here: what is so in every build by the plugins of Java, Kotlin and Android. What a project adds by itself is not known.
"""

from __future__ import annotations

import re

_PHASES = [
    "validate",
    "generate-sources",
    "process-sources",
    "process-resources",
    "compile",
    "process-classes",
    "test-compile",
    "process-test-classes",
    "test",
    "prepare-package",
    "package",
    "pre-integration-test",
    "integration-test",
    "post-integration-test",
    "verify",
    "install",
    "deploy",
]
_COMPILES = re.compile(
    r"(?P<verb>compile)(?P<variant>[A-Z]\w*?)??(?P<tests>(?:Unit|Android)?Test)?(?:Kotlin|Java|Groovy|Scala)(?:WithJavac)?"
    r"|(?P<classes>(?P<of_tests>test)?[cC]lasses)"
)
_TESTS = re.compile(r"test(?P<variant>[A-Z]\w*?)??(?P<unit>UnitTest)?")
_BUILDS = re.compile(
    r"(?:assemble|bundle|install|package)(?P<variant>[A-Z]\w*)?|jar|bootJar|shadowJar|run|bootRun|installDist|distZip"
)


def maven_runs(phases: list[str], others: list[str]) -> bool:
    """Whether a call of Maven for `phases` runs all of `others` too: each phase runs those before it.

    >>> maven_runs(["verify"], ["test"]), maven_runs(["compile"], ["test"])
    (True, False)
    """
    known = [_PHASES.index(phase) for phase in phases if phase in _PHASES]
    last = max(known, default=-1)
    return bool(others) and all(
        other in phases or (other in _PHASES and _PHASES.index(other) <= last) for other in others
    )


def gradle_runs(tasks: list[str], others: list[str]) -> bool:
    """Whether a call of Gradle for `tasks` runs all of `others` too.

    >>> gradle_runs(["build"], ["test"]), gradle_runs(["testDebugUnitTest"], ["compileDebugKotlin"]), gradle_runs(["assemble"], ["test"])
    (True, True, False)
    """
    return bool(others) and all(any(_gradle_runs(task, other) for task in tasks) for other in others)


def jvm_compiles(tool: str, other: str, *, in_tests: bool) -> bool:
    """Whether a call of Gradle or Maven compiles what another one compiled; in_tests: the tests' code, too.

    >>> jvm_compiles("gradle test", "gradle build", in_tests=True), jvm_compiles("mvn compile", "mvn test", in_tests=True)
    (True, False)
    >>> jvm_compiles("gradle assembleDebug", "gradle assembleRelease", in_tests=False)
    False
    """
    (runner, *tasks), (of, *others) = tool.split(), other.split()
    if runner != of or not tasks or not others:
        return False
    if runner == "mvn":
        return maven_runs(tasks, ["test-compile" if in_tests else "compile"]) and maven_runs(others, ["compile"])
    if runner != "gradle":
        return False
    tasks, others = ([task.rsplit(":", 1)[-1] for task in call] for call in (tasks, others))
    built = {_variant(task) for task in others}
    return any(
        (_compiles(task, in_tests) and _variant(task) in ("", *built)) or (_compiles(task, in_tests) and "" in built)
        for task in tasks
    )


def _variant(task: str) -> str:
    """`Debug` of `assembleDebug`, "" for all."""
    for form in (_COMPILES, _TESTS, _BUILDS):
        match = form.fullmatch(task)
        if match is not None:
            return match["variant"] or ""
    return ""


def _compiles(task: str, in_tests: bool) -> bool:
    compiled = _COMPILES.fullmatch(task)
    if compiled is not None:
        return not in_tests or bool(compiled["tests"] or compiled["of_tests"])
    return (
        task in ("build", "check")
        or _TESTS.fullmatch(task) is not None
        or (not in_tests and _BUILDS.fullmatch(task) is not None)
    )


def _gradle_runs(task: str, other: str) -> bool:
    if task == other:
        return True
    compiled = _COMPILES.fullmatch(other)
    tested = _TESTS.fullmatch(other)
    if task in ("build", "check") and (compiled or tested):
        return True
    if task == "build" and (other in ("check", "assemble", "jar") or _BUILDS.fullmatch(other)):
        return not other.startswith(("install", "run", "bootRun"))
    if compiled is None:
        return False
    variant = compiled["variant"] or ""
    of_tests = bool(compiled["tests"] or compiled["of_tests"])
    runs_tests = _TESTS.fullmatch(task)
    if runs_tests is not None:
        return (runs_tests["variant"] or "") in ("", variant) and compiled["tests"] != "AndroidTest"
    builds = _BUILDS.fullmatch(task)
    if builds is not None:
        return not of_tests and (builds["variant"] or "") in ("", variant)
    also = _COMPILES.fullmatch(task)
    # The code that tests are compiled against is compiled before them.
    return (
        also is not None
        and bool(also["tests"] or also["of_tests"])
        and not of_tests
        and (also["variant"] or "") == variant
    )
