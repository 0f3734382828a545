"""Category and origin of an error as ordered data (DOMAIN 3.7): the first rule that fits decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from re import Pattern

from debug_loop_pipeline.models.base import Origin
from debug_loop_pipeline.models.errors import ErrorCategory


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """First rule that fits decides. Each given part must match; an empty rule matches nothing."""

    category: ErrorCategory
    error_type: Pattern[str] | None = None
    text: Pattern[str] | None = None
    tool: Pattern[str] | None = None


def _type(category: ErrorCategory, regex: str) -> CategoryRule:
    return CategoryRule(category, error_type=re.compile(rf"^(?:{regex})$"))


def _text(category: ErrorCategory, regex: str) -> CategoryRule:
    return CategoryRule(category, text=re.compile(regex))


def _tool(category: ErrorCategory, regex: str) -> CategoryRule:
    return CategoryRule(category, tool=re.compile(rf"(?i)(?:^|[\s/:])(?:{regex})(?:$|[\s:@])"))


_C = ErrorCategory

CATEGORY_RULES: tuple[CategoryRule, ...] = (
    _type(_C.TIMEOUT_ERROR, r"\w*Timeout(?:Error|Exception|Expired)?|TimeoutExpired|ETIMEDOUT"),
    _type(
        _C.IMPORT_ERROR,
        r"ImportError|ModuleNotFound(?:Error)?|ERR_MODULE_NOT_FOUND|MODULE_NOT_FOUND|NoClassDefFoundError"
        r"|ClassNotFoundException|TS2307|E0432|E0433",
    ),
    _type(_C.SYNTAX_ERROR, r"SyntaxError|IndentationError|TabError|ParseError|ParserError|TS1\d{3}"),
    _type(_C.PERMISSION_ERROR, r"PermissionError|EACCES|EPERM|AccessDenied\w*"),
    _type(
        _C.FILE_ERROR,
        r"FileNotFoundError|FileExistsError|IsADirectoryError|NotADirectoryError|ENOENT|EISDIR|ENOTDIR"
        r"|EEXIST|NoSuchFileException",
    ),
    _type(
        _C.NETWORK_ERROR,
        r"Connection\w*(?:Error|Exception)|BrokenPipeError|URLError|HTTPError|SSLError|gaierror|"
        r"ProxyError|NewConnectionError|MaxRetryError|ECONN\w+|ENOTFOUND|EAI_AGAIN|EADDRINUSE|UnknownHostException|"
        r"RemoteDisconnected|FetchError|ClientConnectorError",
    ),
    _type(_C.TEST_FAILURE, r"AssertionError|AssertionFailedError|ComparisonFailure|TestingLibraryElementError|Failed"),
    _text(_C.TIMEOUT_ERROR, r"(?i)\btimed? ?out\b|deadline exceeded|TimeoutError\b"),
    _text(
        _C.IMPORT_ERROR,
        r"(?i)cannot find (?:module|package)|no module named|(?:could not|can't) resolve|no required module provides"
        r"|unresolved import|is not in (?:std|GOROOT)|failed to resolve import|modulenotfound",
    ),
    _text(
        _C.SYNTAX_ERROR,
        r"(?i)\bsyntax ?error\b|unexpected token|unterminated |unexpected (?:EOF|end of)|missing import path"
        r"|^expected .{1,40}, (?:found|got) |unexpected indent|invalid syntax|expected declaration",
    ),
    _text(_C.PERMISSION_ERROR, r"(?i)permission denied|operation not permitted|\bEACCES\b|\bEPERM\b"),
    _text(
        _C.NETWORK_ERROR,
        r"(?i)connection (?:refused|reset|aborted|closed)|\bECONN(?:REFUSED|RESET|ABORTED)\b|getaddrinfo"
        r"|name resolution|network is unreachable|no route to host|could not resolve host|socket hang up",
    ),
    _text(_C.BUILD_ERROR, r"\(typecheck\)$"),
    _tool(
        _C.LINT_ERROR,
        r"golangci-lint|eslint|ruff|flake8|pylint|biome|gofmt|goimports|gofumpt|prettier|black|isort|clippy"
        r"|shellcheck|stylelint|rubocop|yamllint|markdownlint|oxlint|tslint|staticcheck|lint|checkstyle|detekt"
        r"|ktlint|fmt|swiftlint|swiftformat|phpstan|psalm|phpcs|php-cs-fixer|pint|mix credo|hadolint|sqlfluff|tflint"
        r"|actionlint|ansible-lint|dotnet format|clang-tidy|clang-format|cppcheck|pycodestyle",
    ),
    _tool(
        _C.BUILD_ERROR,
        r"tsc|mypy|pyright|go build|go vet|cargo build|cargo check|rustc|cc|ld|gcc|g\+\+|clang|javac|kotlinc|scalac|ghc|protoc"
        r"|make|cmake|ninja|mix compile|terraform"
        r"|webpack|vite|esbuild|rollup|next build|gradle|mvn|maven|docker build|build|typecheck|msbuild"
        r"|dotnet build|bazel",
    ),
    _text(
        _C.FILE_ERROR,
        r"(?i)no such file or directory|file not found|is a directory\b|\bENOENT\b|cannot find file|file exists"
        r"|cannot read file|: (?:command )?not found$|^command not found: ",
    ),
    _type(_C.LINT_ERROR, r"@?[a-z]+(?:[-/][a-z]+)+"),
    _text(_C.LINT_ERROR, r"\([a-z]+(?:-[a-z]+)+\)$"),
    _type(_C.BUILD_ERROR, r"TS\d+|E0\d{3}|CS\d{4}|LNK\d+|C\d{4}"),
    _text(
        _C.BUILD_ERROR,
        r"^undefined: | undefined \(type |undefined reference|declared and not used|imported and not used"
        r"|cannot use .* as .* value in|redeclared in this block|\b(?:not enough|too many) arguments in call"
        r"|missing return$"
        r"|cannot find symbol|mismatched types|\[build failed\]|build failed|compilation (?:failed|error)"
        r"|does not implement"
        r"|assignment mismatch|No rule to make target|^make(?:\[|:)|cannot find (?:type|value|function|macro|name)\b",
    ),
    _text(_C.TEST_FAILURE, r"^expect\("),
    _text(
        _C.LINT_ERROR,
        r"\([a-z]{3,20}\)$|^\[?[A-Z]{1,4}\d{3,4}\b|Formatter would have printed|would reformat"
        r"|\b(?:lint|format)/\w+",
    ),
    _text(
        _C.TEST_FAILURE,
        r"^(?:FAILED|FAIL)\b|--- FAIL|^assert\b|\bexpect\(|(?i:\bexpected\b.{0,200}\b(?:got|received|actual|but)\b)"
        r"|, want\b|\bwant\b.*\bgot\b|\bgot\b.*\bwant\b",
    ),
    CategoryRule(
        _C.TEST_FAILURE,
        error_type=re.compile("^panic$"),
        text=re.compile(r"^assertion (?:failed|`[^`]*` failed)"),
        tool=re.compile("^cargo test$"),
    ),
    _type(
        _C.RUNTIME_ERROR,
        r"panic|SIG\w+|[a-z_][\w.]*\.(?:error|timeout)|.*(?:Error|Exception|Warning|Interrupt|Exit|Iteration|Fault|DoesNotExist|NotFound)",
    ),
    _text(
        _C.RUNTIME_ERROR, r"(?i)^panic\b|segmentation fault|core dumped|stack overflow|out of memory|is not defined$"
    ),
    _tool(
        _C.TEST_FAILURE,
        r"bats|ctest|gtest|catch2|assert|unity|libcheck|cmocka|doctest|boost\.test|qtest|meson test|zig test|junit|scalatest|munit|minitest|rspec|phpunit"
        r"|busted|mix test|swift test|dotnet test|flutter test",
    ),
)


@dataclass(frozen=True, slots=True)
class OriginRule:
    """Infrastructure by its own words."""

    origin: Origin
    regex: Pattern[str]


def _origin(origin: Origin, regex: str) -> OriginRule:
    return OriginRule(origin, re.compile(regex, re.IGNORECASE))


ORIGIN_RULES: tuple[OriginRule, ...] = (
    _origin(
        Origin.QUOTA,
        r"insufficient[_ ]quota|credit balance is too low|exceeded your current quota|billing[_ ]hard[_ ]limit"
        r"|usage limit reached|\bquota (?:exceeded|exhausted)|exhausted your (?:\w+ )?(?:capacity|quota)|payment required",
    ),
    _origin(
        Origin.RATE_LIMIT,
        r"rate[_ -]?limit(?:ed|ing|s)?(?:[_ ]error| exceeded| reached|\b)|\btoo many requests\b"
        r"|\b429\b|RateLimitError|ThrottlingException",
    ),
    _origin(
        Origin.AUTH,
        r"authentication[_ ]error|invalid (?:x-)?api[- ]?key|invalid authentication credentials|\bAPI key (?:not"
        r"|is (?:missing|invalid))|incorrect api key|oauth token (?:has )?expired|AuthenticationError\b"
        r"|\b401 Unauthorized"
        r"|please run /login",
    ),
    _origin(
        Origin.TRANSIENT,
        r"overloaded_error|\boverloaded\b|service unavailable|bad gateway|gateway time-?out|\bHTTP 5(?:02|03|04|29)\b"
        r"|API Error: 5\d\d|temporary failure in name resolution|\bEAI_AGAIN\b|socket hang up|connection reset by peer"
        r"|network is unreachable|APIConnectionError|tls handshake timeout",
    ),
    _origin(
        Origin.INTERNAL,
        r"no space left on device|cannot allocate memory|\bENOSPC\b|\bENOMEM\b|internal server error"
        r"|api_error\b|InternalServerError\b|disk quota exceeded",
    ),
    _origin(
        Origin.CONFIG,
        r"cannot connect to the docker daemon|model[_ ]not[_ ]found|does not have access to model"
        r"|environment variable .{1,60} (?:is )?(?:not set|required|missing)",
    ),
)
