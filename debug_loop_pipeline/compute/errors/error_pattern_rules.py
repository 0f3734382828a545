"""The rules of the error normaliser as ordered data, so that each can be read, tested and versioned by itself.

Here: what is recognised and what it becomes. Not here: categories and origins
(`error_category_rules`), and how the rules are applied (`error_pattern_extractor`).
A change of any table that can change a pattern raises `RULES_VERSION`: stored groups are then recomputed with a diff.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import Pattern

from debug_loop_pipeline.models.errors import SlotKind

RULES_VERSION = "2"


@dataclass(frozen=True, slots=True)
class PlaceholderRule:
    """One alternative of the single left-to-right pass. kind None: the text stays as it is."""

    name: str
    regex: str
    kind: SlotKind | None
    example: str


_CLEAR_EXTENSIONS = (
    "py|pyi|pyx|pyc|ipynb|js|jsx|mjs|cjs|ts|tsx|mts|cts|go|rs|java|kt|kts|scala|swift|rb|php|cs|cpp|cxx|hpp|hxx|"
    "json|jsonl|yaml|yml|toml|ini|cfg|xml|html|htm|css|scss|vue|svelte|rst|txt|csv|tsv|sql|sh|bash|zsh|ps1|bat|exe|dll|"
    "dylib|zip|tgz|whl|jar|sqlite|sqlite3|parquet|pkl|npy|npz|png|jpg|jpeg|gif|svg|pdf|pem|crt|proto|graphql|docx|xlsx"
)
_FILE_EXTENSIONS = (
    _CLEAR_EXTENSIONS + "|env|lock|log|so|db|bin|dat|tmp|bak|md|h|c|cc|conf|key|orig|patch|diff|tar|gz|pickle"
)
# `math.log` and `self.c` are code, `'app.log'` in quotes is a file: without quotes only the clear extensions count.

# Quoted text is one alternative; `quoted_kind` of the extractor decides what the inside is.
PLACEHOLDER_RULES: tuple[PlaceholderRule, ...] = (
    PlaceholderRule("placeholder", r"<(?:" + "|".join(SlotKind) + r")>", None, "<PATH>"),
    PlaceholderRule("errno", r"\[(?:Errno|WinError)\ -?\d+\]", None, "[Errno 2]"),
    PlaceholderRule(
        "http status",
        r"(?i:\bHTTP(?:/\d(?:\.\d)?)?(?:\ (?:error|status|code|response))*:?\ [1-5]\d\d\b"
        r"|\bstatus(?:[\ _-]?code)?(?:\ of)?[\ :=]{1,3}[1-5]\d\d\b)"
        r"|(?<![\w.])[45]\d\d(?=:?\ (?:Client\ Error|Server\ Error|Bad\ Request|Unauthorized|Forbidden|Not\ Found"
        r"|Payment"
        r"|Method\ Not|Not\ Acceptable|Request\ Timeout|Conflict|Gone|Unprocessable|Too\ Many|Internal\ Server"
        r"|Not\ Impl"
        r"|Bad\ Gateway|Service\ Unavailable|Gateway\ Time))",
        None,
        "404 Not Found",
    ),
    PlaceholderRule(
        "exit status",
        r"(?i:\bexit(?:ed)?(?:\ with)?(?:\ (?:status|code))*[\ :=]{1,2}-?\d+\b|\bexit\ status\ -?\d+\b"
        r"|\bsignal[\ :=]{1,2}\d+\b|\berror\ code[\ :=#]{1,2}-?\d+\b|\berrno[\ :=]{1,2}-?\d+\b)",
        None,
        "exit status 1",
    ),
    PlaceholderRule("character set", r"(?i:\b(?:utf|iso|sha|cp|latin|x86|arm)-\d+(?:-\d+)?\b)", None, "utf-8"),
    PlaceholderRule("error code", r"\b[A-Z]{2,8}-\d{2,6}\b", None, "ORA-00942"),
    PlaceholderRule(
        "timestamp",
        r"\b\d{4}[-/]\d\d[-/]\d\d(?:[T\ ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:\ ?(?:Z\b|UTC\b|[+-]\d\d:?\d\d\b))?)?"
        r"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\ )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\ {1,2}\d{1,2}"
        r"\ \d\d:\d\d:\d\d(?:\ \d{4})?"
        r"|(?<![\w:.])\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?![\w:])",
        SlotKind.TIMESTAMP,
        "2026-01-31T12:00:00Z",
    ),
    PlaceholderRule(
        "uuid",
        r"(?<![\w-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![\w-])",
        SlotKind.UUID,
        "123e4567-e89b-12d3-a456-426614174000",
    ),
    PlaceholderRule("hex address", r"\b0[xX][0-9a-fA-F]+\b", SlotKind.ADDR, "0x7f3a"),
    PlaceholderRule(
        "file url", r"\bfile://[^\s'\"`<>()\[\]]+?(?=[.,;:]?(?:[\s'\"`<>()\[\]]|$))", SlotKind.PATH, "file:///a/b.js"
    ),
    PlaceholderRule(
        "url",
        r"\b[a-z][a-z0-9+.-]{1,15}://[^\s'\"`<>()\[\]]+?(?=[.,;:]?(?:[\s'\"`<>()\[\]]|$))",
        SlotKind.URL,
        "https://host/path",
    ),
    PlaceholderRule(
        "quoted",
        r"(?<![\w'])(?<![A-Z]>)'(?P<q1>(?:[^'\\\n]|\\.){0,1000})'(?!\w|<[A-Z])"
        r'|(?<!["\\])"(?P<q2>(?:[^"\\\n]|\\.){0,1000})"'
        r"|`(?P<q7>[^`'\n]{1,200})'(?!\w)"
        r"|`(?P<q3>[^`\n]{0,1000})`"
        r"|‘(?P<q4>[^’\n]{0,1000})’|“(?P<q5>[^”\n]{0,1000})”|«(?P<q6>[^»\n]{0,1000})»",
        SlotKind.VALUE,
        "'foo'",
    ),
    PlaceholderRule("line number", r"(?i:(?<=\bline\ )|(?<=\blines\ ))\d+(?:-\d+)?\b", SlotKind.LINE, "line 12"),
    PlaceholderRule("windows path", r"\b[A-Za-z]:\\[^\s:*?\"'<>|`,;()\[\]]+", SlotKind.PATH, r"C:\a\b.py"),
    PlaceholderRule(
        "absolute path",
        r"(?<![\w<>/.~@)\]-])~?/(?=[\w.@])(?:[\w.@%+=-]+/)*[\w.@%+=-]*[\w@%+=-]/?(?![\w<])",
        SlotKind.PATH,
        "/home/user/test.py",
    ),
    PlaceholderRule(
        "relative path",
        r"(?<![\w<>/.~@-])(?:\.{1,2}/(?:[\w.@%+=-]+/)*[\w.@%+=-]*[\w@%+=-]/?"
        r"|(?:[\w@%+=-][\w.@%+=-]*/)+[\w.@%+=-]*\.[A-Za-z][A-Za-z0-9]{0,9})(?![\w/<-])",
        SlotKind.PATH,
        "tests/test_x.py",
    ),
    PlaceholderRule(
        "file name",
        r"(?<![\w<>/.~@-])(?!(?:Node|Vue|Next|React|Express|Three|Nuxt)\.js\b)[\w@%+=-][\w.@%+=-]*\.(?:"
        + _CLEAR_EXTENSIONS
        + r")(?![\w(</-])(?!\.\w)",
        SlotKind.PATH,
        "settings.json",
    ),
    PlaceholderRule(
        "hash",
        r"(?<![\w.-])(?=[a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,128}(?![\w-])",
        SlotKind.HASH,
        "a1b2c3d4e5f6",
    ),
    PlaceholderRule(
        "duration",
        r"(?<![\w.])\d+(?:\.\d+)?(?:(?:ns|µs|us|ms|s|m|h)(?:\d+(?:\.\d+)?(?:ms|s|m))*"
        r"|\ (?:ns|µs|us|ms|sec|secs|seconds?|milliseconds?|microseconds?|nanoseconds?|min|mins|minutes?|hours?"
        r"|days?))\b",
        SlotKind.DURATION,
        "5.2s",
    ),
    PlaceholderRule("version", r"\bv\d+(?:\.\d+)+\b", SlotKind.NUM, "v1.2.3"),
    PlaceholderRule(
        "number",
        r"(?:(?<=[\s(\[{,=:<>])|(?<=^))[-+](?=\.?\d)\d*(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w])"
        r"|(?<![\w.])\d[\d_]*(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?:[jJlLfF]|%)?(?!\w)",
        SlotKind.NUM,
        "42",
    ),
)

POSITION = re.compile(r":(\d+(?::\d+)?)\b(?!:?\d)|\((\d+(?:,\d+)?)\)")
"""Line and column right behind a path; they become `:<LINE>`."""

QUOTE_GROUPS = ("q1", "q2", "q3", "q4", "q5", "q6", "q7")

VARIABLE_CONTEXT = re.compile(r"(?i)\b(?:name|variable|argument)s?:?\ $")
"""What stands before a quoted name that is a variable (DOMAIN 3.7)."""

PATH_CONTEXT = re.compile(
    r"(?i)(?:no such file or directory|is a directory|not a directory|file exists|file not found|directory not empty"
    r"|permission denied|not found):\ $|\b(?:open|stat|lstat|scandir|mkdir|unlink|rmdir|access|file|directory"
    r"|folder|path)\ $"
)
"""What stands before a quoted path that does not look like one (a bare directory name)."""

PATH_LIKE = re.compile(
    r"(?:~|\.{1,2})?/[^\s/].*|~?/|\.{1,2}/?|[A-Za-z]:[\\/].*|\\\\\S+"
    r"|(?!@)[^\s:@]+[/\\][^\s/\\]*\.[A-Za-z]\w{0,9}(?::\d+)*|[\w@%+=-][\w.@%+=-]*\.(?:" + _FILE_EXTENSIONS + r")",
    re.DOTALL,
)

CODE_IN_QUOTES = re.compile(
    r"[A-Z]{1,6}-?\d{3,5}|E[A-Z]{3,}|SIG[A-Z]{2,}|ERR_[A-Z_]+|<(?:" + "|".join(SlotKind) + r")>"
)
"""A quoted rule, error code or signal name: it carries meaning and stays."""

BUILTIN_TYPES = frozenset(
    """
    NoneType bool bytearray bytes classmethod complex coroutine dict dict_items dict_keys dict_values ellipsis
    enumerate filter float frozenset function builtin_function_or_method generator int iterator list list_iterator
    map memoryview method method-wrapper module object property range range_iterator reversed set slice
    staticmethod str str_iterator super tuple type zip None True False async_generator wrapper_descriptor
    mappingproxy
    undefined null string number boolean symbol bigint never any unknown void Object Function Array String Number
    Boolean Symbol Promise Date RegExp Map Set
    nil error byte rune uint int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 i8 i16 i32 i64 i128
    isize u8 u16 u32 u64 u128 usize f32 f64 char double long short
    BaseException Exception ArithmeticError AssertionError AttributeError BufferError EOFError FileExistsError
    FileNotFoundError FloatingPointError ImportError IndentationError IndexError InterruptedError
    IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError
    NotADirectoryError NotImplementedError OSError OverflowError PermissionError RecursionError ReferenceError
    RuntimeError StopIteration SyntaxError SystemError SystemExit TabError TimeoutError TypeError
    UnboundLocalError UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError
    """.split()  # noqa: SIM905 - a list of this length reads better as words
)
"""Of Python, of JavaScript and TypeScript, of Go, Rust, C and Java; Python's exceptions."""

TYPE_NAME = (
    r"(?:[A-Za-z_]\w*(?:\.|::))*(?:[A-Z_]\w*(?:Error|Exception|Warning|Exit|Interrupt|Expired|Failure|Fault|Iteration"
    r"|Timeout|DoesNotExist|NotFound)|Error|Exception|Http404|Failed)"
)
"""An exception class, qualified or not."""

STARTING_TYPE = re.compile(
    r"(?:Uncaught\ |Unhandled\ |Caused\ by:\ |Exception\ in\ thread\ \S+\ )?"
    rf"(?P<type>{TYPE_NAME}|(?:[a-z_]\w*\.)+[A-Z]\w*|TS\d{{3,6}}|E\d{{4}}|CS\d{{4}}|panic|SIG[A-Z]{{2,}}|E[A-Z]{{4,}}|ERR_[A-Z_]+)"
    r"(?:\ \[(?P<code>ERR_[A-Z_]+)\])?(?::\ ?(?P<message>.*)|$)"
)
"""A line that begins with its type: `ValueError: …`, `TS2345: …`, `panic: …`."""

RULE_NAMED = re.compile(
    r"^(?:[^A-Z]{0,3})?(?P<type>[A-Z]{1,4}\d{3,4})\b|\s[(\[](?P<type2>[a-z][a-z0-9]*(?:-[a-z0-9]+)*)[)\]]$"
)
"""A linter's message that names its rule or linter itself: `E501 line too long`, `… (errcheck)`, `… [attr-defined]`."""

ANYWHERE_TYPE = re.compile(rf"(?<![\w.])(?P<type>{TYPE_NAME})(?::|\b(?=\ \[ERR_))")


@dataclass(frozen=True, slots=True)
class HeadlineForm:
    """How a tool words the line that matters. Groups: `message`, and `type`, `test`, `path` where the form has them."""

    name: str
    regex: Pattern[str]
    example: str
    error_type: str | None = None
    """Type of every error of this form, where the form itself is the type."""


def _form(name: str, regex: str, example: str, error_type: str | None = None) -> HeadlineForm:
    return HeadlineForm(name, re.compile(regex, re.MULTILINE), example, error_type)


LOCATION = r"(?<![^\s:()'\"`<>])(?P<path>[^\s:()'\"`<>]+\.\w{1,10}):\d+(?::\d+)?:?"

# In order: the first form that matches anywhere in the text gives the headline.
HEADLINE_FORMS: tuple[HeadlineForm, ...] = (
    _form(
        "pytest summary",
        r"^(?:FAILED|ERROR)\ (?P<test>\S+\.py(?:::\S.*?)?)(?:\ -\ (?P<message>.+))?$",
        "FAILED tests/test_x.py::test_y - KeyError: 'k'",
    ),
    _form(
        "pytest exception",
        rf"^E\ {{1,12}}(?P<message>(?:{TYPE_NAME}\b|assert\ |Failed:).*)$",
        "E   ZeroDivisionError: division by zero",
    ),
    _form("unittest", r"^(?:FAIL|ERROR):\ (?P<test>\w+(?:\ \([\w.]+\))?)$(?P<message>)", "FAIL: test_x (tests.TestY)"),
    _form(
        "rust panic",
        r"^thread\ '(?:main|(?P<test>[^'\n]+))'(?:\ \(\d+\))?\ panicked\ at\ [^\n]*:\n(?P<message>.+)$",
        "thread 'tests::adds' panicked at src/lib.rs:4:5:\nindex out of bounds: the len is 3 but the index is 5",
        "panic",
    ),
    _form("rust", r"^error\[(?P<type>E\d{4})\]:\ (?P<message>.+)$", "error[E0308]: mismatched types"),
    _form(
        "typescript",
        r"^(?:(?P<path>[^\s():'\"]+)(?:\(\d+,\d+\):|:\d+:\d+\ -)\ )?error\ (?P<type>TS\d+):\ (?P<message>.+)$",
        "src/a.ts(3,5): error TS2345: Argument of type 'X' is not assignable to parameter of type 'Y'.",
    ),
    _form(
        "compiler",
        rf"^{LOCATION}\ (?:fatal\ |syntax\ )?(?:error|warning):?\ (?P<message>.+)$",
        "src/a.c:3:5: error: expected ';' before 'x'",
    ),
    _form("located", rf"^(?:vet:\ )?{LOCATION}\ (?P<message>\S.*)$", "cmd/a.go:12:5: undefined: foo"),
    _form(
        "msbuild",
        r"^(?P<path>[^\s():]+)\(\d+,\d+\):\ error\ (?P<type>[A-Z]{2,6}\d{3,5}):\ (?P<message>.+)$",
        "A.cs(1,2): error CS0103: The name 'x' does not exist",
    ),
    _form(
        "npm",
        r"^npm\ (?:ERR!|error)\ code\ (?P<type>E?[A-Z0-9]+)\n(?:npm\ (?:ERR!|error)\ (?:syscall|path|errno)\ .*\n)*"
        r"npm\ (?:ERR!|error)\ (?P<message>.+)$",
        "npm error code ERESOLVE\nnpm error ERESOLVE unable to resolve dependency tree",
    ),
    _form(
        "npm message", r"^npm\ (?:ERR!|error)\ (?P<message>(?!A\ complete|code\b).+)$", 'npm ERR! Missing script: "x"'
    ),
    _form(
        "shell",
        r"^(?:/\S+/)?(?:ba|z|da|k|fi)?sh:\ (?:line\ \d+:\ |\d+:\ |eval:\ )?(?P<message>.+)$",
        "bash: line 1: foo: command not found",
    ),
    _form(
        "labelled", r"^(?:[A-Z]+\ )?(?:error|ERROR|fatal\ error|Error!):\ (?P<message>\S.*)$", "error: no such command"
    ),
)

GO_TEST = re.compile(r"^ *--- FAIL: (?P<test>\S+)(?: \([\d.]+s\))?", re.MULTILINE)
GO_TEST_LINE = re.compile(r"^\s*(?P<path>[\w./-]+\.go):\d+: ?(?P<message>.*)$", re.MULTILINE)
GO_TESTIFY = re.compile(r"^\s*Error:\s+(?P<message>\S.*)$", re.MULTILINE)
FAILURE_WORDS = re.compile(
    r"(?i)\b(?:want|wanted|got|expect\w*|error|fail\w*|panic|could not|couldn't|cannot|can't|unexpected|mismatch"
    r"|missing"
    r"|should|must|invalid|not equal|not found|no such|nil|timed out|differ\w*)\b|!="
)
"""Words of a test's own complaint, as opposed to what it merely logged."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """A headline that says too little alone: the following lines that match `line` (at most `limit`) belong to it."""

    name: str
    headline: Pattern[str]
    line: Pattern[str]
    limit: int


CONTINUATIONS: tuple[Continuation, ...] = (
    Continuation(
        "expectation", re.compile(r"^expect\(.*\)\.|\bexpect\(received\)"), re.compile(r"^(?:Expected|Received)\b"), 2
    ),
    Continuation("validation", re.compile(r"\bvalidation errors? for \S+$"), re.compile(r"\S"), 2),
    Continuation("announcement", re.compile(r":$"), re.compile(r"\S"), 1),
)


@dataclass(frozen=True, slots=True)
class BareNameForm:
    """A compiler's or shell's message whose names stand without quotes. Group names begin with the slot's kind."""

    regex: Pattern[str]
    example: str


def _bare(regex: str, example: str) -> BareNameForm:
    return BareNameForm(re.compile(regex), example)


_NAME = r"[^\s'\"`<>()]+"

BARE_NAME_FORMS: tuple[BareNameForm, ...] = (
    _bare(rf"^undefined: (?P<VALUE>{_NAME})$", "undefined: regexp"),
    _bare(
        rf"^(?P<VALUE>{_NAME}) undefined \(type (?P<VALUE2>{_NAME}) has no field or method (?P<VALUE3>{_NAME})\b",
        "store.buildTree undefined (type *GitStore has no field or method buildTree)",
    ),
    _bare(rf"^declared and not used: (?P<VAR>{_NAME})$", "declared and not used: x"),
    _bare(rf"^(?P<VAR>{_NAME}) (?:declared and not used|declared but not used)$", "x declared and not used"),
    _bare(rf"^(?P<VALUE>{_NAME}) redeclared in this block$", "x redeclared in this block"),
    _bare(rf"^(?:not enough|too many) arguments in call to (?P<VALUE>{_NAME})", "not enough arguments in call to f"),
    _bare(
        r"^cannot use (?P<VALUE>.{1,200}?) \((?:variable|value|constant|untyped)[^()]{0,60}? of (?:\w+ )?type "
        r"(?P<VALUE2>[^()]{1,120})\) as (?P<VALUE3>[^()]{1,120}?) value in\b",
        "cannot use x (variable of type int) as string value in argument to f",
    ),
    _bare(
        rf"^no required module provides package (?P<VALUE>{_NAME}?)[;:]?(?: |$)",
        "no required module provides package a/b",
    ),
    _bare(rf"^package (?P<VALUE>{_NAME}) (?:is not in (?:std|GOROOT)|does not exist)", "package a/b is not in std"),
    _bare(rf"^No module named (?P<VALUE>{_NAME})$", "No module named foo"),
    _bare(rf"^(?P<VAR>{_NAME}) is not defined$", "foo is not defined"),
    _bare(rf"^(?P<VALUE>{_NAME}) is not (?:a function|a constructor|iterable)$", "foo.bar is not a function"),
    _bare(rf"^(?P<VALUE>{_NAME}): (?:command )?not found$", "foo: command not found"),
    _bare(rf"^command not found: (?P<VALUE>{_NAME})$", "command not found: foo"),
    _bare(
        rf"^(?:\w+: )?(?:cannot \w+ (?:\w+ )?)?(?P<PATH>{_NAME}): (?:No such file or directory|Permission denied"
        rf"|Is a directory"
        r"|Not a directory)$",
        "cat: foo: No such file or directory",
    ),
    _bare(rf"^No matching distribution found for (?P<VALUE>{_NAME})$", "No matching distribution found for foo"),
    _bare(
        rf"^Could not find a version that satisfies the requirement (?P<VALUE>{_NAME})(?: |$)",
        "Could not find a version that satisfies the requirement foo (from versions: none)",
    ),
)

LOG_PREFIX = re.compile(
    r"^(?:\[?\d{4}[-/]\d\d[-/]\d\d[T ][\d:.,]{5,15}(?:Z|[+-]\d\d:?\d\d)?\]?\s+)(?:\[?[A-Z]{4,8}\]?:?\s+)?"
)
LABEL_PREFIX = re.compile(r"^(?:(?:error|ERROR|fatal error|Error!|E):\s+|[×✖✗✘●]\s*|!\s+|[>#]+\s+|[-*]\s+)+")
