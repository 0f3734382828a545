"""The four languages STFs are written in: one table entry each (DOMAIN 3.3).

Here: what a language is to the other units, as data. Not here: any walking of trees (`source_tree`, `code_tokens`,
`code_features`). A new language is a new entry, its queries in `language_queries` and its names in `language_builtins`.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

import tree_sitter_go
import tree_sitter_javascript
import tree_sitter_python
import tree_sitter_typescript
from tree_sitter import Language, Query

from debug_loop_pipeline.compute.code import language_builtins as builtins
from debug_loop_pipeline.compute.code import language_queries as queries


@dataclass(frozen=True, slots=True)
class Grammar:
    """One grammar of a language with the queries for it. `language` is the pointer the wheel hands out."""

    name: str
    structure: str
    features: str
    names: str


@dataclass(frozen=True, slots=True)
class TokenRules:
    """How leaves become normalised tokens (DOMAIN 3.4)."""

    string_kinds: Mapping[str, str] = field(default_factory=dict)
    """Node kind -> how its text is read: `script`, `go`, `go_raw`, `jsx_text`, `raw` (as it stands)."""
    raw_parts: frozenset[str] = frozenset()
    """Kinds in whose own text every blank counts (templates)."""
    number_kinds: Mapping[str, str] = field(default_factory=dict)
    """Node kind -> how it is written canonically: `int`, `float`, `script`, `text`."""
    transparent: frozenset[str] = frozenset()
    """Kinds whose parentheses say nothing that the tree does not say."""
    unparenthesised: frozenset[str] = frozenset()
    """Kinds that stay a group of their own but whose parentheses are a matter of layout."""
    trailing_comma_kept_if_single: frozenset[str] = frozenset()
    """Kinds where one element and a comma is not the same as one element (a Python tuple)."""
    semicolon_kept_in: frozenset[str] = frozenset()
    """Kinds in which a semicolon separates parts; elsewhere it only ends a statement."""
    member_lists: frozenset[str] = frozenset()
    """Kinds whose parts a comma or a semicolon or a line end may separate."""


@dataclass(frozen=True, slots=True)
class LanguageSpec:
    """Everything the units know about one language."""

    name: str
    aliases: tuple[str, ...]
    extensions: tuple[str, ...]
    grammars: tuple[Grammar, ...]
    """Tried in order until one reads the code without an error."""
    wrappers: tuple[tuple[str, str], ...]
    """Texts put around a piece of code that cannot stand alone (a method), tried in order."""
    builtins: frozenset[str]
    tokens: TokenRules
    always_typed: bool
    """Every parameter has a type by the language's own rules."""
    test_name: re.Pattern[str]
    """Names of test functions and of their support."""
    test_owner: re.Pattern[str]
    """Names of classes (and their bases) that hold tests."""
    naming: re.Pattern[str]
    """The language's naming convention for functions."""
    empty_statement: re.Pattern[str]
    """Statements that make a body trivial when there is nothing else in it."""
    exit_statement: re.Pattern[str]
    """A statement that leaves the function."""
    rejecting_exit: re.Pattern[str]
    """A statement that leaves the function and tells the caller that the input was wrong."""
    guard_words: frozenset[str]
    """Leaves of a condition that test for nothing, emptiness, bounds or type."""
    plain_types: frozenset[str]
    """Capitalised type names that are containers or aliases of the language, not models."""
    comment_mark: re.Pattern[str]
    """What opens and closes a comment, to be cut off its text."""
    directive_comment: re.Pattern[str]
    """Comments for tools, not for readers."""


_VALIDATOR_NAME = re.compile(
    r"(?:^|\.)_*(?:validate|validator|ensure|require[A-Z_]|assert|check_|check[A-Z]|verify|model_validate|safeParse)"
)
_NODE_NAME = re.compile(r"^Node[A-Z]\w*(?:Effect|Compute|Reducer|Orchestrator)$")
_SCRIPT_DIRECTIVE = re.compile(r"^(?:eslint|prettier|tslint|jshint|istanbul|c8|v8|@ts-|webpack|global\b|jsx\b)")
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!=", "===", "!=="})
_SCRIPT_PLAIN_TYPES = frozenset(
    "Array ReadonlyArray Promise Record Partial Required Readonly Pick Omit Map Set WeakMap WeakSet ReadonlyMap "
    "ReadonlySet Iterable Iterator Generator AsyncGenerator AsyncIterable Function Object String Number Boolean Symbol "
    "BigInt Date RegExp Error Awaited ReturnType Parameters Exclude Extract NonNullable Uint8Array ArrayBuffer Buffer "
    "T K V U P R S".split()
)

PYTHON = LanguageSpec(
    name="python",
    aliases=("py", "python3"),
    extensions=(".py", ".pyw", ".pyi"),
    grammars=(Grammar("python", queries.PYTHON_STRUCTURE, queries.PYTHON_FEATURES, queries.PYTHON_NAMES),),
    wrappers=(("", ""),),
    builtins=builtins.PYTHON,
    tokens=TokenRules(
        number_kinds={"integer": "int", "float": "float"},
        transparent=frozenset({"parenthesized_expression"}),
        unparenthesised=frozenset(
            {"tuple", "tuple_pattern", "generator_expression", "import_from_statement", "with_clause"}
        ),
        trailing_comma_kept_if_single=frozenset(
            {"tuple", "tuple_pattern", "expression_list", "pattern_list", "subscript", "type_parameter", "case_clause"}
        ),
    ),
    always_typed=False,
    test_name=re.compile(
        r"^(?:test(?:_|[A-Z0-9]|$)|(?:setUp|tearDown)(?:Class|Module)?$|setup_method$|teardown_method$)"
    ),
    test_owner=re.compile(r"(?:^Test|TestCase$|Tests$)"),
    naming=re.compile(r"^_{0,2}[a-z][a-z0-9_]*$|^_+$"),
    empty_statement=re.compile(
        r"^(?:pass|\.\.\.|Ellipsis|return(?: None)?|raise NotImplementedError\b.*|raise NotImplemented\b)$", re.DOTALL
    ),
    exit_statement=re.compile(r"^(?:return|raise)\b|^(?:sys\.|os\._)?exit\("),
    rejecting_exit=re.compile(r"^raise\b|^(?:sys\.|os\._)?exit\("),
    guard_words=frozenset(
        {"None", "not", "in", "len", "isinstance", "issubclass", "callable", "hasattr", "type", "any", "all"}
    )
    | {"isnan", "isfinite", "exists", "is_file", "is_dir", "isdigit", "isnumeric", "strip"}
    | _COMPARISONS,
    plain_types=frozenset(
        "Any AnyStr Annotated AsyncGenerator AsyncIterable AsyncIterator Awaitable Callable ClassVar Collection "
        "Container Coroutine Counter Decimal DefaultDict Deque Dict Final FrozenSet Generator Generic Hashable IO "
        "Iterable Iterator List Literal LiteralString Mapping MutableMapping MutableSequence MutableSet NamedTuple "
        "Never NoReturn None Optional OrderedDict Path PurePath Pattern Match Protocol Self Sequence Set Sized "
        "SupportsFloat SupportsInt Text TextIO Tuple Type TypeVar Union UUID Exception BaseException "
        "T K V P R S".split()
    ),
    comment_mark=re.compile(r"^#+:?\s?"),
    directive_comment=re.compile(r"^(?:!|noqa|type:|pylint:|mypy:|pragma|fmt:|isort:|ruff:|pyright:|nosec|-\*-)"),
)

_SCRIPT_TOKENS = TokenRules(
    string_kinds={
        "string": "script",
        "regex": "raw",
        "jsx_text": "jsx_text",
    },
    raw_parts=frozenset({"template_string"}),
    number_kinds={"number": "script"},
    transparent=frozenset({"parenthesized_expression", "parenthesized_type"}),
    semicolon_kept_in=frozenset({"for_statement"}),
    member_lists=frozenset({"interface_body", "object_type"}),
)

JAVASCRIPT = LanguageSpec(
    name="javascript",
    aliases=("js", "jsx", "node", "ecmascript", "javascriptreact"),
    extensions=(".js", ".mjs", ".cjs", ".jsx"),
    grammars=(
        Grammar("javascript", queries.JAVASCRIPT_STRUCTURE, queries.JAVASCRIPT_FEATURES, queries.JAVASCRIPT_NAMES),
    ),
    wrappers=(("", ""), ("class _ {", "\n}"), ("(", "\n)")),
    builtins=builtins.JAVASCRIPT,
    tokens=_SCRIPT_TOKENS,
    always_typed=False,
    test_name=re.compile(r"^(?:test|it|describe)(?:_|[A-Z0-9]|$)"),
    test_owner=re.compile(r"(?:^Test|TestCase$|Tests?$)"),
    naming=re.compile(r"^[_$#]*[a-z][A-Za-z0-9$]*$"),
    empty_statement=re.compile(
        r"^(?:;|return(?: null| undefined)?;?|throw new \w*Error\(\s*[\"'`][^\"'`]*"
        r"(?:not[ _-]?(?:yet[ _-])?implemented|unimplemented|TODO)[^\"'`]*[\"'`]\s*\);?)$",
        re.IGNORECASE,
    ),
    exit_statement=re.compile(r"^(?:return|throw)\b|^process\.exit\("),
    rejecting_exit=re.compile(r"^throw\b|^return Promise\.reject\(|^process\.exit\("),
    guard_words=frozenset(
        {"null", "undefined", "!", "typeof", "instanceof", "in", "length", "size", "isArray", "isNaN"}
    )
    | {"isFinite", "isInteger", "has", "hasOwnProperty", "hasOwn"}
    | _COMPARISONS,
    plain_types=_SCRIPT_PLAIN_TYPES,
    comment_mark=re.compile(r"^(?://+|/\*+)\s?|\s*\*+/$"),
    directive_comment=_SCRIPT_DIRECTIVE,
)

TYPESCRIPT = LanguageSpec(
    name="typescript",
    aliases=("ts", "tsx", "mts", "cts", "typescriptreact"),
    extensions=(".ts", ".mts", ".cts", ".tsx"),
    grammars=(
        Grammar("typescript", queries.TYPESCRIPT_STRUCTURE, queries.TYPESCRIPT_FEATURES, queries.TYPESCRIPT_NAMES),
        Grammar("tsx", queries.TYPESCRIPT_STRUCTURE, queries.TSX_FEATURES, queries.TSX_NAMES),
    ),
    wrappers=JAVASCRIPT.wrappers,
    builtins=builtins.TYPESCRIPT,
    tokens=_SCRIPT_TOKENS,
    always_typed=False,
    test_name=JAVASCRIPT.test_name,
    test_owner=JAVASCRIPT.test_owner,
    naming=JAVASCRIPT.naming,
    empty_statement=JAVASCRIPT.empty_statement,
    exit_statement=JAVASCRIPT.exit_statement,
    rejecting_exit=JAVASCRIPT.rejecting_exit,
    guard_words=JAVASCRIPT.guard_words,
    plain_types=_SCRIPT_PLAIN_TYPES,
    comment_mark=JAVASCRIPT.comment_mark,
    directive_comment=_SCRIPT_DIRECTIVE,
)

GO = LanguageSpec(
    name="go",
    aliases=("golang",),
    extensions=(".go",),
    grammars=(Grammar("go", queries.GO_STRUCTURE, queries.GO_FEATURES, queries.GO_NAMES),),
    wrappers=(("", ""),),
    builtins=builtins.GO,
    tokens=TokenRules(
        string_kinds={
            "interpreted_string_literal": "go",
            "raw_string_literal": "go_raw",
            "rune_literal": "raw",
        },
        number_kinds={"int_literal": "text", "float_literal": "text", "imaginary_literal": "text"},
        transparent=frozenset({"parenthesized_expression", "parenthesized_type"}),
        semicolon_kept_in=frozenset(
            {"for_clause", "if_statement", "expression_switch_statement", "type_switch_statement"}
        ),
    ),
    always_typed=True,
    test_name=re.compile(r"^(?:Test|Benchmark|Fuzz|Example)(?:[^a-z]|$)"),
    test_owner=re.compile(r"(?:Suite)$"),
    naming=re.compile(r"^[A-Za-z][A-Za-z0-9]*$"),
    empty_statement=re.compile(
        r"^(?:return(?: nil)*|panic\(\s*[\"`][^\"`]*(?:not (?:yet )?implemented|unimplemented|TODO)[^\"`]*[\"`]\s*\))$",
        re.IGNORECASE,
    ),
    exit_statement=re.compile(r"^return\b|^panic\(|^os\.Exit\(|^log\.(?:Fatal|Panic)"),
    rejecting_exit=re.compile(
        r"^panic\(|^os\.Exit\(|^log\.(?:Fatal|Panic)"
        r"|^return\b.*(?:\b\w*[eE]rrors?\.\w+|\.Errorf\(|\b[eE]rr[A-Z]\w*|\bnew\w*Error\b|\w+Error\{|\berr\b)",
        re.DOTALL,
    ),
    guard_words=frozenset({"nil", "!", "len", "cap", "ok", "IsZero", "IsNil", "TrimSpace"}) | _COMPARISONS,
    plain_types=frozenset(),
    comment_mark=re.compile(r"^(?://+|/\*+)\s?|\s*\*+/$"),
    directive_comment=re.compile(r"^(?:go:|nolint|lint:|\+build|#nosec|export )"),
)

LANGUAGES: Mapping[str, LanguageSpec] = {spec.name: spec for spec in (PYTHON, JAVASCRIPT, TYPESCRIPT, GO)}

_BY_NAME = {name: spec for spec in LANGUAGES.values() for name in (spec.name, *spec.aliases)}
_BY_EXTENSION = {extension: spec for spec in LANGUAGES.values() for extension in spec.extensions}


class UnsupportedLanguageError(ValueError):
    """No table entry for the language that was named."""


def language_named(name: str) -> LanguageSpec:
    """The entry of a language by its name or a usual alias.

    Raises:
        UnsupportedLanguageError: the language is none of the table's.
    """
    spec = _BY_NAME.get(name.strip().lower())
    if spec is None:
        raise UnsupportedLanguageError(f"no grammar for language {name!r}; known: {', '.join(LANGUAGES)}")
    return spec


def language_of(path: str, declared: str = "") -> LanguageSpec | None:
    """The language of a file: by its extension where it has one, else as declared; None when it is none of the table's.

    The extension decides because `declared` is often just a default.
    """
    suffix = PurePosixPath(path.replace("\\", "/")).suffix.lower()
    if suffix:
        return _BY_EXTENSION.get(suffix)
    return _BY_NAME.get(declared.strip().lower())


def follows_naming(spec: LanguageSpec, name: str, *, markup: bool) -> bool:
    """Whether a function is named as its language does, or as an ONEX node. A function that renders is a component."""
    if _NODE_NAME.match(name) or spec.naming.match(name):
        return True
    return markup and bool(re.match(r"^[A-Z][A-Za-z0-9]*$", name))


def is_validator(callee: str) -> bool:
    """Whether a called name says that it checks its argument."""
    return bool(_VALIDATOR_NAME.search(callee))


@dataclass(frozen=True, slots=True)
class CompiledGrammar:
    """A grammar loaded, its queries compiled, its node kinds numbered."""

    language: Language
    kinds: tuple[str, ...]
    """Name of each node kind by its number, empty for punctuation and keywords. Several numbers can share a name."""
    structure: Query
    features: Query
    names: Query


_POINTERS = {
    "python": tree_sitter_python.language,
    "javascript": tree_sitter_javascript.language,
    "typescript": tree_sitter_typescript.language_typescript,
    "tsx": tree_sitter_typescript.language_tsx,
    "go": tree_sitter_go.language,
}


@cache
def compiled(grammar: Grammar) -> CompiledGrammar:
    """Load a grammar; the result is immutable and shared by threads."""
    language = Language(_POINTERS[grammar.name]())
    numbers = range(language.node_kind_count)
    kinds = tuple((language.node_kind_for_id(n) or "") if language.node_kind_is_named(n) else "" for n in numbers)
    return CompiledGrammar(
        language,
        kinds,
        Query(language, grammar.structure),
        Query(language, grammar.features),
        Query(language, grammar.names),
    )
