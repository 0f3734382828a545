"""Failing tests of C and C++: frameworks, and what people write themselves (`tests/run.c:18: FAIL: sum == 7`).

Belongs here: Unity, Check, cmocka, doctest, Catch2, Boost.Test, Qt Test, Meson. GoogleTest, CTest and crashes are in `native`.
"""

from __future__ import annotations

import re

from debug_loop_pipeline.compute.commands.error_cutting.common import CutError, number, one_line

_SOURCE = r"[\w./\\+-]+\.(?:c|cc|cpp|cxx|h|hh|hpp|m|mm|cu|d|nim|lua|f90|adb|ml|s|asm|sh)"
_OWN = (
    re.compile(
        rf"^[ \t]*(?P<path>{_SOURCE}):(?P<line>\d+):(?:\d+:)? *(?:\[?FAIL(?:ED|URE)?\]?|(?:[Aa]ssert(?:ion)?|ASSERT(?:ION)?|[Cc]heck|CHECK|[Tt]est) (?:failed|FAILED))"
        r"\b:? *(?:in )?(?P<message>[^:\s].*)$",
        re.MULTILINE,
    ),
    re.compile(
        rf"^[ \t]*\[?(?:FAIL(?:ED|URE)?|[Aa]ssertion failed|ASSERT(?:ION)? FAILED)\]?:? +(?:at |in )?(?P<path>{_SOURCE}):(?P<line>\d+):? *(?P<message>\S.*)$",
        re.MULTILINE,
    ),
    re.compile(
        r"^[ \t]*\[?(?:FAIL(?:ED|URE)?|[Aa]ssertion failed|ASSERT(?:ION)? FAILED|[Cc]heck failed|CHECK FAILED)\]?:? +"
        rf"(?:(?P<test>[A-Za-z_]\w*)(?:\(\))?: +)?(?P<message>\S(?:.*?[^\s,])?),? +[(\[]?(?:at |in )?(?P<path>{_SOURCE}):(?P<line>\d+)[)\]]?$",
        re.MULTILINE,
    ),
    re.compile(
        rf"^Assertion failed: \(?(?P<message>.+?)\)?, (?:function (?P<test>\w+), )?file (?P<path>{_SOURCE}), line (?P<line>\d+)\.?$",
        re.MULTILINE,
    ),
)
"""Reports of hand-written harnesses, and what `assert` of C says on macOS and Windows."""

_ANY_SOURCE = re.compile(r"\.(?:c|cc|cpp|cxx|h|hh|hpp|m|mm|cu|d|nim|lua|f90|adb|ml|s|asm|sh)\b")
_NAMED = re.compile(
    r"^[ \t]*\[(?:FAIL|FAILED)\] +(?P<test>[A-Za-z_]\w*(?:::\w+|\.\w+)*)(?:\(\))?: +(?P<message>\S.*)$", re.MULTILINE
)
_PLACED_TEST = re.compile(
    rf"^(?P<path>{_SOURCE}):(?P<line>\d+):(?:(?P<unity>\w+):FAIL|[FE]:(?P<case>[^:\n]*):(?P<check>\w+):\d+)(?:: ?(?P<message>.+))?$",
    re.MULTILINE,
)
"""Unity's `file:line:test:FAIL: message`, Check's `file:line:F:case:test:0: message`."""
_CMOCKA = re.compile(
    r"^\[  ERROR   \] --- (?P<message>(?:.+\n)+?)\[   LINE   \] --- (?P<path>[^\s:]+):(?P<line>\d+): error: .*\n(?:.*\n)??\[  FAILED  \] (?P<test>\S+)",
    re.MULTILINE,
)
_DOCTEST = re.compile(
    r"^TEST CASE:[ \t]+(?P<case>.+)$|^(?P<path>[^\s:(]+)(?::(?P<line>\d+)|\((?P<paren>\d+)\)): (?:FATAL )?ERROR: (?P<message>.+(?:\n[ \t]+(?:values|logged|with message): .+)?)$",
    re.MULTILINE,
)
_CATCH = re.compile(
    r"^-{30,}\n(?P<case>\S.*)\n(?:.*\n){0,4}?-{30,}$|^(?P<path>\S+?)(?::(?P<line>\d+)|\((?P<paren>\d+)\)): (?:FAILED|ERROR):?\s*\n?(?P<message>(?:.+\n?)+?)(?=\n|\Z)",
    re.MULTILINE,
)
_BOOST = re.compile(
    r"^(?P<path>[^\s(]+)\((?P<line>\d+)\): (?:fatal )?error: in \"(?P<test>[^\"]+)\": (?P<message>.+)$", re.MULTILINE
)
_QT = re.compile(
    r"^(?:FAIL!|XPASS) +: (?P<test>[\w:]+\([^)\n]*\))(?P<message>.*(?:\n   (?!Loc:).*)*)(?:\n   Loc: \[(?P<path>[^\n(]+)\((?P<line>\d+)\)\])?",
    re.MULTILINE,
)
_MESON = re.compile(
    r"^ *\d+/\d+ (?P<test>\S.*?) +(?P<word>FAIL|TIMEOUT|ERROR|INTERRUPT) +[\d.]+s\b(?: +(?P<why>(?:exit status|killed by signal) .+))?$",
    re.MULTILINE,
)
_ZIG = re.compile(
    r"^(?:Test \[\d+/\d+\] |\d+/\d+ )(?P<test>\S+?)\.\.\. ?(?P<message>(?:.*\n)??.*?)FAIL \((?P<type>\w+)\)$|^error: '(?P<name>[^'\n]+)' failed: (?P<why>.*)$",
    re.MULTILINE,
)
_FRAME = re.compile(r"^(?P<path>[^\s:]+\.zig):(?P<line>\d+):\d+: 0x[0-9a-f]+ in ", re.MULTILINE)


def _own(output: str) -> list[CutError]:
    found = [
        CutError(
            one_line(m["message"]),
            tool="assert",
            test=m.groupdict().get("test"),
            path=m["path"],
            line=number(m["line"]),
        )
        for pattern in (_OWN if _ANY_SOURCE.search(output) else ())
        for m in pattern.finditer(output)
    ]
    return found or [CutError(one_line(m["message"]), tool="assert", test=m["test"]) for m in _NAMED.finditer(output)]


def _placed_test(output: str) -> list[CutError]:
    return [
        CutError(
            one_line(m["message"] or "test failed"),
            tool="unity" if m["unity"] else "libcheck",
            test=m["unity"] or m["check"],
            path=m["path"],
            line=number(m["line"]),
        )
        for m in _PLACED_TEST.finditer(output)
    ]


def _cmocka(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="cmocka", test=m["test"], path=m["path"], line=number(m["line"]))
        for m in _CMOCKA.finditer(output)
    ]


def _cases(pattern: re.Pattern[str], tool: str, output: str) -> list[CutError]:
    """Findings below the name of their test, which stands once above all of them."""
    found: list[CutError] = []
    test: str | None = None
    for match in pattern.finditer(output):
        if match["case"]:
            test = match["case"].strip()
        else:
            line = number(match["line"] or match["paren"])
            found.append(CutError(one_line(match["message"]), tool=tool, test=test, path=match["path"], line=line))
    return found


def _doctest(output: str) -> list[CutError]:
    return _cases(_DOCTEST, "doctest", output)


def _catch(output: str) -> list[CutError]:
    return _cases(_CATCH, "catch2", output)


def _boost(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="boost.test", test=m["test"], path=m["path"], line=number(m["line"]))
        for m in _BOOST.finditer(output)
    ]


def _qt(output: str) -> list[CutError]:
    return [
        CutError(one_line(m["message"]), tool="qtest", test=m["test"], path=m["path"], line=number(m["line"]))
        for m in _QT.finditer(output)
    ]


def _meson(output: str) -> list[CutError]:
    return [
        CutError(one_line(f"test failed: {m['why'] or m['word']}"), tool="meson test", test=m["test"])
        for m in _MESON.finditer(output)
    ]


def _zig(output: str) -> list[CutError]:
    found: list[CutError] = []
    for match in _ZIG.finditer(output):
        frames = output[match.end() : match.end() + 4_000].split("\n\n", 1)[0]
        place = next((m for m in _FRAME.finditer(frames) if "/std/" not in m["path"]), None)
        message = one_line(match["message"] or match["why"] or "") or match["type"] or "test failed"
        found.append(
            CutError(
                message,
                type=match["type"],
                tool="zig test",
                test=match["test"] or match["name"],
                path=place["path"] if place else None,
                line=number(place["line"]) if place else None,
            )
        )
    return found


CUTTERS = (
    ("FAIL", _own),
    ("ssertion failed", _own),
    ("heck failed", _own),
    (":FAIL", _placed_test),
    (":F:", _placed_test),
    (":E:", _placed_test),
    ("[   LINE   ]", _cmocka),
    ("[doctest]", _doctest),
    (": FAILED:", _catch),
    ('error: in "', _boost),
    ("FAIL!  : ", _qt),
    (" FAIL ", _meson),
    (" TIMEOUT ", _meson),
    ("FAIL (", _zig),
    ("' failed: ", _zig),
)
