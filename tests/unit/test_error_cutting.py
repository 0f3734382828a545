"""Errors cut out of the output of runners, compilers and linters of all ecosystems."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.commands.error_cutting import (
    GENERIC,
    MAX_ERRORS,
    CutError,
    cut_errors,
    has_real_errors,
)
from debug_loop_pipeline.compute.error_pattern_extractor import extract_error_pattern

Expected = tuple[str, str | None, str | None, str | None, int | None]
"""message, type, test, path, line"""


def cut(output: str, tool: str | None = None) -> list[Expected]:
    return [(e.message, e.type, e.test, e.path, e.line) for e in cut_errors(output, tool)[0]]


LINES = [
    ("go build", "# m/a\na/b.go:12:5: undefined: foo\na/b.go:14:2: too many errors\n", [("undefined: foo", None, None, "a/b.go", 12)]),
    ("go test", "named files must be .go files: ./a/...\nFAIL\t [setup failed]\nFAIL\n", [("named files must be .go files: ./a/...", None, None, None, None)]),
    ("go test", "FAIL\tm/a [build failed]\n# m/a\na/b_test.go:12:5: declared and not used: x\nFAIL\n", [("declared and not used: x", None, None, "a/b_test.go", 12)]),
    (
        "golangci-lint run",
        "a/b.go:35:3: Error return value of `f` is not checked (errcheck)\n\tf()\n\t^\na/c.go:1:2: x.Y undefined (type Z has no field) (typecheck)\n2 issues:\n* errcheck: 1\n",
        [
            ("Error return value of `f` is not checked (errcheck)", "errcheck", None, "a/b.go", 35),
            ("x.Y undefined (type Z has no field)", None, None, "a/c.go", 1),
        ],
    ),
    (
        "swift build",
        'errors[3]{file,line,message}:\n  null,null,emit-module command failed with exit code 1\n  /r/A.swift,45,type \'Span\' has no member \'hours\'\n'
        '  /r/B.swift,7,"Line Length: 128, not 120 (line_length)"\nwarnings[1]{file,line,message}:\n  /r/C.swift,1,old\n',
        [
            ("type 'Span' has no member 'hours'", None, None, "/r/A.swift", 45),
            ("Line Length: 128, not 120 (line_length)", None, None, "/r/B.swift", 7),
        ],
    ),
    (
        "phpunit",
        "Cart (App\\Tests\\CartTest)\n ✔ Starts empty\n ✘ Adds a line\n   │\n   │ Failed asserting that 1 matches expected 2.\n   │\n   │ /app/tests/CartTest.php:12\n   │\n ✘ Drops a line\n"
        "\nFAILURES!\nTests: 3, Assertions: 3, Failures: 2.\n",
        [
            ("Failed asserting that 1 matches expected 2.", None, "App\\Tests\\CartTest::testAddsALine", "/app/tests/CartTest.php", 12),
            ("test failed", None, "App\\Tests\\CartTest::testDropsALine", None, None),
        ],
    ),
    (
        "artisan test",
        "   FAIL  Tests\\Unit\\CartTest\n  ✓ starts empty      0.01s\n  ⨯ adds a line     0.01s\n  ──────────\n   FAILED  Tests\\Unit\\CartTest > adds a line     \n"
        "  Failed asserting that 1 matches expected 2.\n\n  at tests/Unit/CartTest.php:12\n      8▕ x\n\n  Tests:    1 failed, 1 passed (2 assertions)\n",
        [("Failed asserting that 1 matches expected 2.", None, "Tests\\Unit\\CartTest::adds a line", "tests/Unit/CartTest.php", 12)],
    ),
    ("make", "failed_tests[1]{test,message,file,line}:\n  adds two,\"got 1, not 2\",a.x,null\n", [("got 1, not 2", None, "adds two", "a.x", None)]),
    ("make", "errors[1]{file,line,message}:\n  clang,null,link command failed with exit code 1\n", [("link command failed with exit code 1", GENERIC, None, None, None)]),
    ("tsc", "src/a.ts(12,5): error TS2345: Argument of type 'x' is not assignable.\n", [("TS2345: Argument of type 'x' is not assignable.", "TS2345", None, "src/a.ts", 12)]),
    ("tsc", "src/a.ts:12:5 - error TS2304: Cannot find name 'y'.\n\n12 y()\n   ~\n", [("TS2304: Cannot find name 'y'.", "TS2304", None, "src/a.ts", 12)]),
    ("mypy", "a.py:3: error: Name \"x\" is not defined  [name-defined]\na.py:3: note: hint\nFound 1 error in 1 file (checked 2 source files)\n", [('Name "x" is not defined [name-defined]', None, None, "a.py", 3)]),
    (
        "bin/test",
        "____ pkg/tests/test_a.py:test_add ____\n  File \"/r/pkg/tests/test_a.py\", line 12, in test_add\n    assert add(1, 1) == 3\nAssertionError\n\n"
        " tests finished: 4 passed, 1 failed, in 0.38 seconds \nDO *NOT* COMMIT!\n/r/pkg/a.py:351: SyntaxWarning: \"is\" with a literal. Did you mean \"==\"?\n",
        [("AssertionError", "AssertionError", "pkg/tests/test_a.py:test_add", "/r/pkg/tests/test_a.py", 12)],
    ),
    (
        "lint",
        "## See relevant line below marked with █.\n\npkg/a.py:\n...⋮...\n  7│def add(a, b):\n  8█    return a +\n  9│\n",
        [("line marked without a reason", None, None, "pkg/a.py", 8)],
    ),
    ("flake8", "a.py:3:80: E501 line too long (90 > 79 characters)\n", [("E501 line too long (90 > 79 characters)", "E501", None, "a.py", 3)]),
    ("ruff check", "a.py:1:8: F401 [*] `os` imported but unused\nFound 1 error.\n", [("F401 [*] `os` imported but unused", "F401", None, "a.py", 1)]),
    ("ruff check", "F401 [*] `os` imported but unused\n --> a.py:1:8\n  |\n1 | import os\n  |        ^^\n\nFound 1 error.\n", [("F401 [*] `os` imported but unused", "F401", None, "a.py", 1)]),
    ("ruff check", "unused-import: [*] `os` imported but unused\n --> a.py:1:8\n  |\n1 | import os\n  |        ^^\n\n", [("unused-import: [*] `os` imported but unused", "unused-import", None, "a.py", 1)]),
    ("ty check", "error[unresolved-import]: Cannot resolve import `b`\n --> src/a.py:1:8\n", [("[unresolved-import] Cannot resolve import `b`", "unresolved-import", None, "src/a.py", 1)]),
    ("ty check", "src/a.py:1:8: error[unresolved-import] Cannot resolve import `b`\nFound 1 diagnostic\n", [("[unresolved-import] Cannot resolve import `b`", "unresolved-import", None, "src/a.py", 1)]),
    ("run", "src/a.rs:3:5: error[E0308]: mismatched types\n", [("[E0308] mismatched types", "E0308", None, "src/a.rs", 3)]),
    ("pyright", "/r/a.py:3:5 - error: \"x\" is not defined (reportUndefinedVariable)\n1 error, 0 warnings\n", [('"x" is not defined (reportUndefinedVariable)', None, None, "/r/a.py", 3)]),
    ("cc", "a.c: In function 'main':\na.c:3:5: error: 'x' undeclared (first use in this function)\na.c:3:5: note: each\n", [("'x' undeclared (first use in this function)", None, None, "a.c", 3)]),
    ("cc", "a.c:3:5: warning: unused variable 'x' [-Wunused-variable]\na.c:4:1: error: expected ';'\n", [("expected ';'", None, None, "a.c", 4)]),
    ("javac", "A.java:12: error: cannot find symbol\n  symbol: class B\n", [("cannot find symbol: class 'B'", None, None, "A.java", 12)]),
    ("mvn compile", "[ERROR] /r/src/A.java:[12,5] cannot find symbol\n[ERROR]   symbol: class B\n", [("cannot find symbol: class 'B'", None, None, "/r/src/A.java", 12)]),
    ("gradle build", "e: file:///r/src/A.kt:12:5 Unresolved reference: b\n", [("Unresolved reference: b", None, None, "/r/src/A.kt", 12)]),
    ("dotnet build", "/r/A.cs(12,5): error CS0103: The name 'x' does not exist [/r/A.csproj]\n", [("CS0103: The name 'x' does not exist", "CS0103", None, "/r/A.cs", 12)]),
    ("shellcheck", "a.sh:3:5: warning: Double quote to prevent globbing. [SC2086]\n", [("Double quote to prevent globbing. [SC2086]", None, None, "a.sh", 3)]),
    ("shellcheck", "\nIn a.sh line 6:\n  cp $f x\n     ^-- SC2086 (info): Double quote to prevent globbing.\n", [("Double quote to prevent globbing. [SC2086]", "SC2086", None, "a.sh", 6)]),
    ("swift test", "/r/A.swift:3:5: error: cannot find 'x' in scope\nerror: fatalError\n", [("cannot find 'x' in scope", None, None, "/r/A.swift", 3)]),
    ("mix compile", "    warning: variable \"x\" is unused\n    │\n 3 │ x = 1\n    │\n    └─ lib/a.ex:3:5: A.b/1\n\nCompilation failed due to warnings while using the --warnings-as-errors option\n", [('variable "x" is unused', None, None, "lib/a.ex", 3)]),
    ("mix credo", "┃ [F] → Function body is nested too deep.\n┃       lib/a.ex:18:11 #(A.b)\n", [("Function body is nested too deep.", None, None, "lib/a.ex", 18)]),
    ("php-cs-fixer", "   1) src/A.php\n\nFound 1 of 41 files that can be fixed in 0.1 seconds\n", [("file is not formatted (php-cs-fixer)", "format", None, "src/A.php", None)]),
    ("hadolint", "Dockerfile:3 DL3008 warning: Pin versions in apt get install\n", [("DL3008: Pin versions in apt get install", "DL3008", None, "Dockerfile", 3)]),
    ("rubocop", "a.rb:3:5: C: Style/StringLiterals: Prefer single-quoted strings.\n", [("Style/StringLiterals: Prefer single-quoted strings.", None, None, "a.rb", 3)]),
    ("gradle ktlintCheck", "/r/A.kt:10:34 Unexpected blank (standard:function-signature)\n", [("Unexpected blank (standard:function-signature)", None, None, "/r/A.kt", 10)]),
    ("swift build", "/r/A.swift:3:5: error: cannot find 'x' in scope\n", [("cannot find 'x' in scope", None, None, "/r/A.swift", 3)]),
    ("gofmt", "a/b.go\n", [("file is not formatted (gofmt)", "format", None, "a/b.go", None)]),
    ("prettier", "Checking formatting...\n[warn] src/a.ts\n[warn] Code style issues found in the above file.\n", [("file is not formatted (prettier)", "format", None, "src/a.ts", None)]),
    ("black", "would reformat a.py\nOh no! 1 file would be reformatted.\n", [("file is not formatted (black)", "format", None, "a.py", None)]),
]  # fmt: skip

BLOCKS = [
    (
        "eslint",
        "  12:5  error  'x' is defined but never used  no-unused-vars\n  40:9  error  Unexpected lexical declaration\n",
        [("'x' is defined but never used (no-unused-vars)", "no-unused-vars", None, None, 12), ("Unexpected lexical declaration", None, None, None, 40)],
    ),
    ("gofmt", "cart/cart.go\n--- PASS: TestAdd (0.00s)\nPASS\n", [("file is not formatted (gofmt)", "format", None, "cart/cart.go", None)]),
    (
        "eslint",
        "/r/src/a.ts\n  12:5  error  'x' is defined but never used  @typescript-eslint/no-unused-vars\n  13:1  warning  Unexpected any  no-explicit-any\n\n✖ 2 problems (1 error, 1 warning)\n",
        [("'x' is defined but never used (@typescript-eslint/no-unused-vars)", "@typescript-eslint/no-unused-vars", None, "/r/src/a.ts", 12)],
    ),
    (
        "biome check",
        "src/a.tsx:10:3 lint/style/useConst  FIXABLE  ━━━━━━━━━━\n\n  × This let declares a variable that is only assigned once.\n\n    10 │ let x\n\nsrc/b.ts format ━━━━━━━━━━\n\n  × Formatter would have printed the following content:\n\ncheck ━━━━━━━━━━\n\n  × Some errors were emitted while running checks.\n",
        [
            ("This let declares a variable that is only assigned once. (useConst)", "lint/style/useConst", None, "src/a.tsx", 10),
            ("Formatter would have printed the following content", "format", None, "src/b.ts", None),
        ],
    ),
    (
        "cargo build",
        "error[E0308]: mismatched types\n --> src/a.rs:3:5\n  |\n3 |     x\n\nwarning: unused\n --> src/a.rs:1:1\n\nerror: could not compile `a` (lib) due to 1 previous error\n",
        [("[E0308] mismatched types", "E0308", None, "src/a.rs", 3)],
    ),
    (
        "cargo clippy",
        "error: unneeded `return` statement\n --> src/a.rs:3:5\n  |\n  = note: `-D clippy::needless-return` implied by `-D warnings`\n\nerror: could not compile `a`\n",
        [("unneeded `return` statement (clippy::needless-return)", "clippy::needless-return", None, "src/a.rs", 3)],
    ),
    ("next build", "Failed to compile.\n\n./app/page.tsx:12:5\nType error: Property 'x' does not exist on type 'Y'.\n", [("Type error: Property 'x' does not exist on type 'Y'.", None, None, "./app/page.tsx", 12)]),
    ("terraform validate", "╷\n│ Error: Unsupported argument\n│ \n│   on main.tf line 12, in resource \"a\" \"b\":\n", [("Unsupported argument", None, None, "main.tf", 12)]),
    ("jest", "    ✓ ends (3 ms)\n    ✕ both ends (47 ms)\nTests:       1 failed, 1 passed, 2 total\n", [("test failed", None, "both ends", None, None)]),
    (
        "vitest",
        " FAIL  src/a.test.ts > cart > adds\n FAIL  src/a.test.ts > cart > drops\n Test Files  1 failed (1)\n      Tests  2 failed | 1 passed (3)\n",
        [("test failed", None, "cart > adds", "src/a.test.ts", None), ("test failed", None, "cart > drops", "src/a.test.ts", None)],
    ),
    (
        "vitest",
        "   ✓ cart > starts empty 1ms\n   × cart > adds 6ms\n     → expected 1 to be 2 // Object.is equality\n Test Files  1 failed (1)\n",
        [("test failed", None, "cart > adds", None, None)],
    ),
    (
        "vitest",
        "   × cart > adds 6ms\n   × cart > drops\n\n FAIL  src/a.test.ts > cart > drops\nError: no line\n\n      Tests  2 failed | 1 passed (3)\n",
        [("Error: no line", None, "cart > drops", "src/a.test.ts", None), ("test failed", None, "cart > adds", None, None)],
    ),
    (
        "vitest",
        'Traceback (most recent call last):\n  File "/r/rename.py", line 3, in <module>\n    assert n == 1\nAssertionError: 0\n     × cart > adds 6ms\n     × cart > drops 12ms\n',
        [("test failed", None, "cart > adds", None, None), ("test failed", None, "cart > drops", None, None)],
    ),
    (
        "manage.py check",
        "SystemCheckError: System check identified some issues:\n\nERRORS:\nshop.Item: (models.E015) 'ordering' refers to 'made'.\n\n"
        "WARNINGS:\n?: (urls.W005) URL namespace 'a' isn't unique.\n\nSystem check identified 2 issues (0 silenced).\n",
        [("shop.Item: (models.E015) 'ordering' refers to 'made'.", "models.E015", None, None, None)],
    ),
    (
        "manage.py makemigrations",
        "Migrations for 'shop':\n  shop/migrations/0002_a.py\n    + Create model Item\n    ~ Alter field name on cart\n",
        [("Migrations for 'shop': Create model Item; Alter field name on cart", None, None, None, None)],
    ),
    (
        "pytest",
        "    def total(self):\n>       return self.lines.sum()\nE       AttributeError: 'list' object has no attribute 'sum'\n\nsrc/cart.py:9: AttributeError\n"
        "=========== short test summary info ===========\nFAILED t/test_a.py::test_a - AttributeError: 'lis...\nFAILED t/test_a.py::test_b - AttributeError: 'list' obj...\n",
        [
            ("AttributeError: 'lis...", "AttributeError", "t/test_a.py::test_a", "t/test_a.py", None),
            ("AttributeError: 'list' object has no attribute 'sum'", "AttributeError", "t/test_a.py::test_b", "src/cart.py", 9),
        ],
    ),
    (
        "unittest",
        '  File "/r/shop/views.py", line 12, in pay\n    order = find(pk)\nKeyError: 7\n\n' + "=" * 70 + "\nFAIL: test_b (shop.tests.T.test_b)\n" + "-" * 70
        + '\nTraceback (most recent call last):\n  File "/r/shop/tests.py", line 3, in test_b\n    self.assertTrue(False)\nAssertionError: False is not true\n\n'
        + "-" * 70 + "\nRan 2 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n",
        [
            ("KeyError: 7", "KeyError", None, "/r/shop/views.py", 12),
            ("AssertionError: False is not true", "AssertionError", "shop.tests.T.test_b", "/r/shop/tests.py", 3),
        ],
    ),
    (
        "pytest",
        "E       AssertionError: assert [1] == [2]\nE         \nE         At index 0 diff: 1 != 2\nE         Use -v to get more diff\n\nt/test_a.py:9: AssertionError\n1 failed, 3 passed in 0.1s\n",
        [("AssertionError: assert [1] == [2]", "AssertionError", None, "t/test_a.py", 9)],
    ),
    ("cmake", "CMake Error at CMakeLists.txt:12 (find_package):\n  Could not find Foo\n\n-- Configuring incomplete\n", [("Could not find Foo", None, None, "CMakeLists.txt", 12)]),
    ("make", "/usr/bin/ld: a.o: in function `main':\na.c:(.text+0x5): undefined reference to `foo'\ncollect2: error: ld returned 1 exit status\nmake: *** [a] Error 1\n", [("undefined reference to `foo'", None, None, None, None)]),
]  # fmt: skip

TESTS = [
    (
        "go test",
        "=== RUN   TestA\n=== RUN   TestA/x\n    a_test.go:12: got 1, want 2\n--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/x (0.00s)\n    --- PASS: TestA/y (0.00s)\nFAIL\nFAIL\tm/a\t0.1s\n",
        [("got 1, want 2", None, "TestA/x", "a_test.go", 12)],
    ),
    ("go test", "--- FAIL: TestB (0.00s)\nFAIL\n", [("--- FAIL: TestB", None, "TestB", None, None)]),
    (
        "go test",
        "--- FAIL: TestC (0.00s)\n    c_test.go:9: \n        \tError Trace:\tc_test.go:9\n        \tError:      \tNot equal: \n        \t            \texpected: 1\n        \t            \tactual  : 2\n        \tTest:       \tTestC\nFAIL\n",
        [("Not equal: expected: 1 actual : 2", None, "TestC", "c_test.go", 9)],
    ),
    (
        "go test",
        "--- FAIL: TestD (0.00s)\npanic: runtime error: index out of range [1] with length 0 [recovered]\n\ngoroutine 1 [running]:\nm/a.f()\n\t/r/a/a.go:7 +0x1d\nFAIL\tm/a\t0.1s\n",
        [("panic: runtime error: index out of range [1] with length 0", "panic", "TestD", "/r/a/a.go", 7)],
    ),
    (
        "pytest",
        "____________ test_x ____________\n\n    def test_x():\n>       assert f(1) == 2\nE       assert 1 == 2\nE        +  where 1 = f(1)\n\ntests/test_a.py:5: AssertionError\n=== short test summary info ===\nFAILED tests/test_a.py::test_x - assert 1 == 2\n=== 1 failed in 0.01s ===\n",
        [("assert 1 == 2", "AssertionError", "tests/test_a.py::test_x", "tests/test_a.py", 5)],
    ),
    (
        "pytest",
        "_______ ERROR collecting tests/test_b.py _______\nImportError while importing test module 'tests/test_b.py'.\ntests/test_b.py:1: in <module>\n    import foo\nE   ModuleNotFoundError: No module named 'foo'\n=== short test summary info ===\nERROR tests/test_b.py\n!!! Interrupted: 1 error during collection !!!\n",
        [("ModuleNotFoundError: No module named 'foo'", "ModuleNotFoundError", "tests/test_b.py", "tests/test_b.py", 1)],
    ),
    ("pytest", "FAILED tests/test_c.py::TestK::test_y[a-1] - ValueError: bad value\n1 failed, 2 passed in 0.1s\n", [("ValueError: bad value", "ValueError", "tests/test_c.py::TestK::test_y[a-1]", "tests/test_c.py", None)]),
    (
        "unittest",
        "FAIL: test_z (tests.test_d.TestD.test_z)\n----------\nTraceback (most recent call last):\n  File \"/r/tests/test_d.py\", line 9, in test_z\n    self.assertEqual(1, 2)\nAssertionError: 1 != 2\n\n----------\nRan 1 test in 0.0s\n\nFAILED (failures=1)\n",
        [("AssertionError: 1 != 2", "AssertionError", "tests.test_d.TestD.test_z", "/r/tests/test_d.py", 9)],
    ),
    (
        "jest",
        "FAIL src/a.test.ts\n  ● math › adds\n\n    expect(received).toBe(expected) // Object.is equality\n\n    Expected: 3\n    Received: 2\n\n      3 | test\n    > 4 |   expect(add(1, 1)).toBe(3)\n\n      at Object.<anonymous> (src/a.test.ts:4:21)\n\nTests:       1 failed, 1 total\n",
        [("expect(received).toBe(expected) // Object.is equality Expected: 3 Received: 2", None, "math › adds", "src/a.test.ts", 4)],
    ),
    (
        "vitest",
        " FAIL  src/a.test.ts > math > adds\nAssertionError: expected 2 to be 3 // Object.is equality\n\n- Expected\n+ Received\n\n- 3\n+ 2\n\n ❯ src/a.test.ts:4:21\n\n Test Files  1 failed (1)\n",
        [("AssertionError: expected 2 to be 3 // Object.is equality", "AssertionError", "math > adds", "src/a.test.ts", 4)],
    ),
    (
        "bun test",
        "a.test.ts:\n(pass) ok [0.1ms]\nerror: noise of a passing test\n(pass) noisy [0.1ms]\n3 | test(\n4 |   expect(1).toBe(2)\n                ^\nerror: expect(received).toBe(expected)\n\nExpected: 2\nReceived: 1\n\n      at <anonymous> (/r/a.test.ts:4:13)\n(fail) math > adds [0.2ms]\n\n 2 pass\n 1 fail\n",
        [("expect(received).toBe(expected) Expected: 2 Received: 1", None, "math > adds", "/r/a.test.ts", 4)],
    ),
    (
        "mocha",
        "  1 passing (5ms)\n  1 failing\n\n  1) math\n       adds:\n\n      AssertionError: expected 1 to equal 2\n      + expected - actual\n\n      at Context.<anonymous> (test/a.js:4:10)\n",
        [("AssertionError: expected 1 to equal 2", "AssertionError", "math adds", "test/a.js", 4)],
    ),
    ("node --test", "TAP version 13\nnot ok 1 - adds\n  ---\n  error: 'Expected values to be strictly equal'\n  code: 'ERR_ASSERTION'\n  ...\n# fail 1\n", [("Expected values to be strictly equal", None, "adds", None, None)]),
    (
        "playwright test",
        "  1) [chromium] › e2e/a.spec.ts:12:5 › login works ───────\n\n    Error: Timed out 5000ms waiting for expect(locator).toBeVisible()\n\n        at /r/e2e/a.spec.ts:14:20\n\n  1 failed\n",
        [("Error: Timed out 5000ms waiting for expect(locator).toBeVisible()", None, "[chromium] › e2e/a.spec.ts › login works", "/r/e2e/a.spec.ts", 14)],
    ),
    (
        "cargo test",
        "test a::adds ... FAILED\n\nfailures:\n\n---- a::adds stdout ----\nthread 'a::adds' panicked at src/a.rs:9:5:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote: run with `RUST_BACKTRACE=1`\n\nfailures:\n    a::adds\n\ntest result: FAILED. 0 passed; 1 failed; 0\nerror: test failed, to rerun pass `--lib`\n",
        [("assertion `left == right` failed left: 1 right: 2", "panic", "a::adds", "src/a.rs", 9)],
    ),
    (
        "gradle test",
        "com.a.FooTest > adds() FAILED\n    org.opentest4j.AssertionFailedError: expected: <3> but was: <2>\n        at org.junit.jupiter.api.AssertionUtils.fail(AssertionUtils.java:39)\n        at com.a.FooTest.adds(FooTest.java:12)\n\nBUILD FAILED in 1s\n",
        [("AssertionFailedError: expected: <3> but was: <2>", "AssertionFailedError", "com.a.FooTest.adds()", "FooTest.java", 12)],
    ),
    ("mvn test", "[ERROR] Failures: \n[ERROR]   FooTest.adds:12 expected: <3> but was: <2>\n[INFO] BUILD FAILURE\n", [("expected: <3> but was: <2>", None, "FooTest.adds", None, 12)]),
    (
        "dotnet test",
        "  Failed A.FooTests.Adds [5 ms]\n  Error Message:\n   Assert.Equal() Failure: Values differ\n  Stack Trace:\n     at A.FooTests.Adds() in /r/FooTests.cs:line 12\n\nFailed!  - Failed:     1, Passed:     0\n",
        [("Assert.Equal() Failure: Values differ", None, "A.FooTests.Adds", "/r/FooTests.cs", 12)],
    ),
    (
        "dotnet test",
        "[xUnit.net 00:00:00.12]     A.FooTests.Adds [FAIL]\n  Failed A.FooTests.Adds [5 ms]\n  Error Message:\n   Assert.Equal() Failure: Values differ\n  Stack Trace:\n     at A.FooTests.Adds() in /r/FooTests.cs:line 12\n",
        [("Assert.Equal() Failure: Values differ", None, "A.FooTests.Adds", "/r/FooTests.cs", 12)],
    ),
    (
        "dotnet test",
        "[xUnit.net 00:00:00.12]     A.FooTests.Adds(n: 2) [FAIL]\r\n  Fehler A.FooTests.Adds(n: 2) [5 ms]\r\n  Fehlermeldung:\r\n   System.ArgumentException : no\r\n  Stapelverfolgung:\r\n     at A.FooTests.Adds(Int32 n) in /r/FooTests.cs:line 12\r\n",
        [("System.ArgumentException : no", "ArgumentException", "A.FooTests.Adds(n: 2)", "/r/FooTests.cs", 12)],
    ),
    (
        "dotnet test",
        "[xUnit.net 00:00:00.12]     A.FooTests.Adds [FAIL]\n[xUnit.net 00:00:00.12]       Assert.True() Failure\n[xUnit.net 00:00:00.12]       Expected: True\n[xUnit.net 00:00:00.13]     A.FooTests.Takes [FAIL]\n",
        [("Assert.True() Failure", None, "A.FooTests.Adds", None, None), ("test failed", None, "A.FooTests.Takes", None, None)],
    ),
    (
        "rspec",
        "Failures:\n\n  1) Cart adds an item\n     Failure/Error: expect(cart.size).to eq(2)\n\n       expected: 2\n            got: 1\n\n     # ./spec/cart_spec.rb:5:in `block'\n\nFinished in 0.1 seconds\n1 example, 1 failure\n",
        [("expected: 2 got: 1", None, "Cart adds an item", "./spec/cart_spec.rb", 5)],
    ),
    ("rails test", "Failure:\nCartTest#test_adds [test/cart_test.rb:5]:\nExpected: 2\n  Actual: 1\n\n1 runs, 1 assertions, 1 failures, 0 errors, 0 skips\n", [("Expected: 2 Actual: 1", None, "CartTest#test_adds", "test/cart_test.rb", 5)]),
    ("phpunit", "There was 1 failure:\n\n1) CartTest::testAdds\nFailed asserting that 1 matches expected 2.\n\n/r/tests/CartTest.php:12\n\nFAILURES!\n", [("Failed asserting that 1 matches expected 2.", None, "CartTest::testAdds", "/r/tests/CartTest.php", 12)]),
    ("phpunit", "1) CartTest::testAdds\nMessage was: \"Class not found\" at\n/r/src/Cart.php:3\n/r/tests/CartTest.php:12\n.\n\nFAILURES!\n", [('Message was: "Class not found" at', None, "CartTest::testAdds", "/r/src/Cart.php", 3)]),
    (
        "mix test",
        "  1) test adds (CartTest)\n     test/cart_test.exs:5\n     Assertion with == failed\n     code:  assert 1 == 2\n\n1 test, 1 failure\n",
        [("Assertion with == failed code: assert 1 == 2", None, "adds (CartTest)", "test/cart_test.exs", 5)],
    ),
    ("swift test", "/r/Tests/ATests.swift:9: error: -[ATests.CartTests testAdds] : XCTAssertEqual failed: (\"1\") is not equal to (\"2\")\n", [('XCTAssertEqual failed: ("1") is not equal to ("2")', None, "ATests.CartTests testAdds", "/r/Tests/ATests.swift", 9)]),
    ("run", "[ RUN      ] Cart.Adds\n/r/cart_test.cc:9: Failure\nExpected equality of these values:\n  1\n  2\n\n[  FAILED  ] Cart.Adds (0 ms)\n", [("Expected equality of these values: 1 2", None, "Cart.Adds", "/r/cart_test.cc", 9)]),
]  # fmt: skip

UNCAUGHT = [
    (
        "run",
        "Traceback (most recent call last):\n  File \"/r/a.py\", line 3, in <module>\n    f()\n  File \"/usr/lib/python3.11/json/__init__.py\", line 9, in loads\n    x\nKeyError: 'x'\n",
        [("KeyError: 'x'", "KeyError", None, "/r/a.py", 3)],
    ),
    (
        "run",
        "Traceback (most recent call last):\n  File \"C:\\r\\a.py\", line 3, in <module>\n    f()\n  File \"C:\\Users\\x\\uv\\python\\cpython-3.13.7-windows\\Lib\\json\\__init__.py\", line 9, in loads\n    x\nKeyError: 'x'\n",
        [("KeyError: 'x'", "KeyError", None, "C:\\r\\a.py", 3)],
    ),
    (
        "run",
        "Traceback (most recent call last):\n  File \"/r/a.py\", line 3, in f\n    g()\nValueError: a\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/r/a.py\", line 5, in <module>\n    f()\napp.errors.AppError: b\n",
        [("app.errors.AppError: b", "AppError", None, "/r/a.py", 5)],
    ),
    ("run", "  File \"/r/a.py\", line 3\n    x = (\n        ^\nSyntaxError: '(' was never closed\n", [("SyntaxError: '(' was never closed", "SyntaxError", None, "/r/a.py", 3)]),
    ("run", "/r/a.js:3\n  f()\n  ^\n\nTypeError: f is not a function\n    at Object.<anonymous> (/r/a.js:3:3)\n    at node:internal/main:1:1\n", [("TypeError: f is not a function", "TypeError", None, "/r/a.js", 3)]),
    ("run", "Exception in thread \"main\" java.lang.IllegalStateException: no\n\tat com.a.Main.main(Main.java:5)\n", [("IllegalStateException: no", "IllegalStateException", None, "Main.java", 5)]),
    ("run", "thread 'main' panicked at src/main.rs:3:5:\nboom\nnote: run with `RUST_BACKTRACE=1`\n", [("boom", "panic", None, "src/main.rs", 3)]),
    ("make", "bash: line 1: foo: command not found\n", [("foo: command not found", None, None, None, None)]),
    ("npm run x", "npm error Missing script: \"x\"\nnpm error A complete log of this run\n", [('Missing script: "x"', None, None, None, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "output", "expected"), [*LINES, *BLOCKS, *TESTS, *UNCAUGHT])
def test_each_ecosystem_gives_its_errors(tool: str, output: str, expected: list[Expected]) -> None:
    found, more = cut_errors(output, tool if tool != "run" else None, 1, prints_means_fail=tool == "gofmt")
    assert [(e.message, e.type, e.test, e.path, e.line) for e in found] == expected
    assert more == 0


@pytest.mark.parametrize(
    "output",
    [
        'error: script "lint" exited with code 1\n',
        "make: *** [test] Error 1\n",
        " 24 fail\n 3 pass\n",
        "[test] ERROR task failed\n",
        "",
        "something\nhappened\n",
    ],
)
def test_what_only_says_that_it_failed_is_generic(output: str) -> None:
    (error,), _ = cut_errors(output, "npm run lint", 1)
    assert error.type == GENERIC
    assert not has_real_errors(output)


@pytest.mark.parametrize(
    "output",
    [
        "ok  \tm/a\t0.1s\n",
        "5 passed in 0.1s\n",
        "0 issues.\n",
        "> app@1 build\n> tsc\n",
        "2024-01-01 10:00:00 INFO server.py:12: started\n",
    ],
)
def test_a_passing_output_shows_no_errors(output: str) -> None:
    assert not has_real_errors(output, "npm run build")


@pytest.mark.parametrize(
    ("output", "tests"),
    [
        ("warning: unused import: `X`\n --> src/a.rs:1:5\n\n---- a::b stdout ----\n\nthread 'a::b' panicked at src/a.rs:9:5:\nno\n\ntest result: FAILED. 0 passed; 1 failed\n", ["a::b"]),
        ("a.c:3:5: warning: unused\n[ RUN      ] A.b\n/r/t.cpp:3: Failure\nno\n[  FAILED  ] A.b (0 ms)\n", ["A.b"]),
    ],
)  # fmt: skip
def test_a_warning_is_no_error_beside_a_failing_test(output: str, tests: list[str]) -> None:
    assert [error.test for error in cut_errors(output, "cargo test", 1)[0]] == tests


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("a.c:3:5: warning: unused variable 'x' [-Wunused]\n", False),
        ("warning: unused import: `X`\n --> src/a.rs:1:5\n", False),
        ("a.sh:3:5: warning: Double quote. [SC2086]\n", True),
        ("a.c:3:5: error: expected ';'\n", True),
    ],
)
def test_a_warning_alone_is_no_failure_but_for_tools_that_fail_on_it(output: str, shown: bool) -> None:
    assert has_real_errors(output) is shown


def test_javac_errors_about_two_symbols_are_two() -> None:
    output = "".join(
        f"A.java:{n}: error: cannot find symbol\n  f()\n  ^\n  symbol:   class {name}\n  location: class A\n"
        for n, name in ((3, "B"), (4, "C"))
    )
    assert [e.message for e in cut_errors(output, "gradle build")[0]] == [
        "cannot find symbol: class 'B'",
        "cannot find symbol: class 'C'",
    ]


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        # A tail took the head of the only block off, with or without the traceback's first line.
        (
            '  File "/r/shop/views.py", line 12, in pay\n    find(pk)\nKeyError: 7\n\n'
            + "-" * 70
            + "\nRan 2 tests in 0.1s\n\nFAILED (errors=1)\n",
            [("KeyError: 7", "KeyError", None, "/r/shop/views.py", 12)],
        ),
        (
            'Traceback (most recent call last):\n  File "/r/shop/views.py", line 12, in pay\n    find(pk)\nKeyError: 7\n\n'
            + "-" * 70
            + "\nRan 2 tests in 0.1s\n\nFAILED (errors=1)\n",
            [("KeyError: 7", "KeyError", None, "/r/shop/views.py", 12)],
        ),
        # The letters of its progress are no exception.
        (
            "EFF\n"
            + "=" * 70
            + "\nFAIL: test_b (a.T.test_b)\n"
            + "-" * 70
            + "\nRan 3 tests in 0.1s\n\nFAILED (failures=1)\n",
            [("test failed", None, "a.T.test_b", None, None)],
        ),
        # A grep left the line of the exception.
        (
            "FAIL: test_b (a.T.test_b)\nAssertionError: 1 != 2\nRan 3 tests in 0.1s\nFAILED (failures=1)\n",
            [("AssertionError: 1 != 2", "AssertionError", "a.T.test_b", None, None)],
        ),
    ],
)
def test_what_is_left_of_a_block_of_unittest_is_told(output: str, expected: list[Expected]) -> None:
    assert cut(output, "unittest") == expected


def test_a_race_whose_test_was_cut_off_is_in_the_test_of_its_stacks() -> None:
    output = "==================\nWARNING: DATA RACE\nRead at 0x00c0 by goroutine 9:\n  m/a.TestRun.func1()\n      /r/a/a_test.go:13 +0x6c\n"
    assert cut(output, "go test") == [("race detected during execution of test", None, "TestRun", None, None)]


@pytest.mark.parametrize("tool", ["mypy", "black"])
def test_a_finding_in_the_form_of_a_linter_is_none_of_a_type_checker_or_formatter(tool: str) -> None:
    found = cut_errors("a/b.py:3:1: E741 ambiguous variable name 'l'\n", tool)[0]
    assert [error.tool for error in found] == ["flake8"]


def test_terraform_says_below_the_place_what_is_not_declared() -> None:
    output = (
        '╷\n│ Error: Reference to undeclared input variable\n│ \n│   on a.tf line 2, in resource "x" "y":\n│    2:   b = var.b\n│ \n'
        '│ An input variable with the name "b" has not been declared. This\n│ variable can be declared.\n╵\n'
    )
    (error,) = cut_errors(output, "terraform validate")[0]
    assert error.message.endswith('An input variable with the name "b" has not been declared')
    assert (error.path, error.line) == ("a.tf", 2)


def test_an_error_outside_the_examples_of_rspec_is_told() -> None:
    output = (
        "\nAn error occurred while loading ./spec/a_spec.rb.\nFailure/Error: maintain_test_schema!\n\nActiveRecord::PendingMigrationError:\n\n"
        "  Migrations are pending.\n# ./spec/rails_helper.rb:27:in `<top (required)>'\nNo examples found.\n\n0 examples, 0 failures, 1 error occurred outside of examples\n"
    )
    (error,) = cut_errors(output, "rspec")[0]
    assert (error.type, error.path) == ("ActiveRecord::PendingMigrationError", "./spec/a_spec.rb")


def test_a_failing_bats_test_names_its_file() -> None:
    output = (
        "a.bats\n ✗ says no\n   (in test file tests/a.bats, line 10)\n     `[ 1 -eq 2 ]' failed\n\n1 test, 1 failure\n"
    )
    assert cut(output, "bats") == [("`[ 1 -eq 2 ]' failed", None, "says no", "tests/a.bats", 10)]


def test_a_module_that_the_bundler_does_not_find_is_one_error() -> None:
    output = "Failed to compile.\n\n./src/a.tsx\nModule not found: Can't resolve 'b'\n\n> Build failed because of webpack errors\n"
    assert [m for m, *_ in cut(output, "npm run build")] == ["Module not found: Can't resolve 'b'"]


def test_the_failing_lines_of_a_home_made_runner_are_its_tests() -> None:
    output = "./run_tests\ntest_crc ... ok\ntest_nack ... FAIL: expected -EIO, got 0 (host/t.c:33)\nmake: *** [Makefile:12: test] Error 1\n"
    assert [(m, test) for m, _, test, _, _ in cut(output, "make test")] == [
        ("expected -EIO, got 0 (host/t.c:33)", "test_nack")
    ]


def test_a_short_traceback_of_pytest_takes_no_word_for_the_type() -> None:
    output = (
        "____ test_a ____\ntests/test_a.py:4: in test_a\n    decode()\nE   struct.error: unpack requires 2 bytes\n"
        "=== short test summary info ===\nFAILED tests/test_a.py::test_a - struct.error: unpack requires 2 bytes\n"
    )
    (error,) = cut_errors(output, "pytest")[0]
    assert error.type == "struct.error"


def test_gradle_says_the_innermost_reason() -> None:
    output = "FAILURE: Build failed with an exception.\n\n* What went wrong:\nA problem occurred configuring root project 'a'.\n> Could not resolve all files.\n   > Could not get resource.\n      > Read timed out\n\nBUILD FAILED in 3s\n"
    assert [m for m, *_ in cut(output, "gradle build")] == [
        "A problem occurred configuring root project 'a'. Read timed out"
    ]


def test_a_go_package_that_failed_is_no_more_than_that_without_its_tests() -> None:
    output = "ok  \tm/b\t1.0s\nFAIL\tm/a\t0.3s\nFAIL\nFinished in 3s\n"
    assert cut(output) == [("test failed in m/a", GENERIC, None, None, None)]
    assert cut("--- FAIL: TestX (0.00s)\n    x_test.go:3: got 1\n" + output)[0][2] == "TestX"


def test_a_go_package_that_was_not_built_is_no_more_than_that_without_what_the_compiler_said() -> None:
    output = "FAIL\tm/a [build failed]\nok  \tm/b\t1.0s\nFAIL\tm/c\t0.3s\nFAIL\n"
    assert [(message, kind) for message, kind, *_ in cut(output, "go test")] == [
        ("build failed in m/a", GENERIC),
        ("test failed in m/c", GENERIC),
    ]


def test_a_word_of_failure_alone_on_its_line_says_nothing_of_the_next() -> None:
    assert [message for message, *_ in cut("FAIL\nmore of it below\nerror: no such key: a\n")] == ["no such key: a"]


def test_a_trailer_is_no_error_beside_a_real_one() -> None:
    assert [
        m
        for m, *_ in cut(
            "src/a.ts(1,2): error TS2304: Cannot find name 'x'.\nerror: script \"build\" exited with code 2\n",
            "npm run build",
        )
    ] == ["TS2304: Cannot find name 'x'."]


def test_the_same_finding_in_one_file_is_one_and_in_two_files_two() -> None:
    output = "a.go:1:2: undefined: x\na.go:9:2: undefined: x\nb.go:1:2: undefined: x\n"
    assert [(path, line) for *_, path, line in cut(output, "go build")] == [("a.go", 1), ("b.go", 1)]


def test_over_twenty_errors_are_counted() -> None:
    found, more = cut_errors("".join(f"a.go:{n}:1: undefined: x{n}\n" for n in range(1, 31)), "go build")
    assert (len(found), more) == (MAX_ERRORS, 10)


def test_terminal_colours_do_not_hide_an_error() -> None:
    assert cut("\x1b[31msrc/a.ts\x1b[0m(1,2): \x1b[91merror\x1b[0m TS2304: no\r\n", "tsc")[0][0] == "TS2304: no"


def test_a_stack_is_kept_beside_the_message() -> None:
    (error,), _ = cut_errors(UNCAUGHT[0][1], "run")
    assert error.stacktrace is not None
    assert "line 3, in <module>" in error.stacktrace


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=400))
def test_any_output_gives_at_least_one_error_and_never_fails(output: str) -> None:
    found, more = cut_errors(output, None, 1)
    assert found
    assert more >= 0
    assert all(isinstance(error, CutError) and error.message for error in found)


def test_go_vet_tells_type_errors_behind_its_name() -> None:
    text = '# m/cmd\n# [m/cmd]\nvet: cmd/main.go:7:2: "strings" imported and not used\n'
    assert cut(text, "go vet") == [('"strings" imported and not used', None, None, "cmd/main.go", 7)]


def test_googletest_tells_an_exception_without_a_place() -> None:
    text = '[ RUN      ] Ring.PopN\nunknown file: Failure\nC++ exception with description "empty" thrown in the test body.\n[  FAILED  ] Ring.PopN (0 ms)\n'
    assert cut(text, "ctest") == [
        ('C++ exception with description "empty" thrown in the test body.', None, "Ring.PopN", None, None)
    ]


def test_tap_need_not_be_numbered() -> None:
    assert [e[2] for e in cut("not ok - counts: got 2\nok - empty\n")] == ["counts: got 2"]


@pytest.mark.parametrize(
    "output",
    [
        "1) CartTest::testAdds\n" + "Failed asserting that two strings are identical.\n" * 20 + "\n--\n",
        "  Failed a.B.C [1 ms]\n  Error Message:\n   "
        + "Expected: 1 but was a long line of words\n" * 20
        + "\nthe end\n",
        "   FAILED  A > b" + " " * 100_000 + "\n",
        "FAIL" + "\n" * 100_000,
        "FAIL" + " " * 100_000,
        "errors[9999]{file,line,message}:\n" * 3_000,
        " ✘ A\n" + "   │ x\n" * 20_000,
    ],
)
def test_a_block_without_its_end_costs_no_time(output: str) -> None:
    started = time.process_time()
    cut_errors(output, "phpunit")
    assert time.process_time() - started < 1


def test_phpunit_names_a_test_the_same_in_words_and_in_its_list() -> None:
    words = 'Cart\n ✔ Is empty\n ✘ Adds a line with data set "two"\n   │\n   │ No such key\n   │\n   │ /a/src/Cart.php:3\n   │ /a/tests/CartTest.php:9\n   │\n'
    listed = "1) CartTest::testAddsALine with data set \"two\" (2, 'x')\nNo such key\n\n/a/src/Cart.php:3\n"
    assert (
        cut(words)
        == cut(listed)
        == [("No such key", None, 'CartTest::testAddsALine with data set "two"', "/a/src/Cart.php", 3)]
    )


def test_phpcs_tells_one_error_a_row_and_joins_what_it_wrapped() -> None:
    rule = "-" * 20
    rows = "  1 | ERROR   | [x] Header blocks must be separated by a single blank\n    |         |     line\n 35 | WARNING | [ ] Line exceeds 120 characters"
    output = f"FILE: /r/src/Desk.php\n{rule}\nFOUND 1 ERROR AND 1 WARNING AFFECTING 2 LINES\n{rule}\n{rows}\n{rule}\n"
    assert cut(output, "phpcs") == [
        ("Header blocks must be separated by a single blank line", None, None, "/r/src/Desk.php", 1)
    ]
    assert cut(output.replace("ERROR  ", "WARNING"), "phpcs")[1:] == [
        ("Line exceeds 120 characters", None, None, "/r/src/Desk.php", 35)
    ]


def test_phpcs_rows_are_errors_also_where_the_head_of_the_table_was_cut_off() -> None:
    assert cut(" 74 | ERROR | Extension 'x' is removed since PHP 5.1\n", "phpcs") == [
        ("Extension 'x' is removed since PHP 5.1", None, None, None, 74)
    ]


def test_phpstan_by_rule_tells_one_error_a_rule() -> None:
    output = "[argument.type] 2 occurrences:\n  src/Desk.php:9 -- sit($a)\n  src/Desk.php:12 -- sit($b)\n[return.missing] 1 occurrence:\n"
    assert cut(output, "phpstan analyse") == [
        ("argument.type", "argument.type", None, "src/Desk.php", 9),
        ("return.missing", "return.missing", None, None, None),
    ]


def test_deptrac_tells_the_dependency_and_where_it_is() -> None:
    rule = f" {'-' * 24} {'-' * 60} \n"
    output = (
        f"{rule}  Reason                     Desk{' ' * 40}\n{rule}"
        f"  DependsOnDisallowedLayer   App\\Desk\\Lamp must not depend on App\\Shop\\Till{' ' * 9}\n"
        f"                             You are depending on token that is a part of a layer that you are not allowed to depend on. (Shop)  \n"
        f"                             /r/src/Desk/Lamp.php:56{' ' * 20}\n{rule}"
    )
    assert cut(output, "composer deptrac") == [
        (
            "App\\Desk\\Lamp must not depend on App\\Shop\\Till",
            "DependsOnDisallowedLayer",
            None,
            "/r/src/Desk/Lamp.php",
            56,
        )
    ]


@pytest.mark.parametrize("filling", ["\n" * 20_000, " " * 20_000, ("  DependsOnX   a" + " " * 3_000 + "b\n") * 100])
def test_long_blanks_in_the_output_of_a_php_checker_take_no_time(filling: str) -> None:
    started = time.process_time()
    cut_errors(f" message: [a.b] 1 occurrence: DependsOnX {filling} | ERROR | a.php", "phpstan")
    assert time.process_time() - started < 1


def test_a_numbered_finding_has_its_place_rule_and_message() -> None:
    output = "FAILED\nviolations:\n1. src/Desk.php:39 [method_lines]\n   actual: 64\n   limit: 50\n   message: method Desk::sit has 64 lines; maximum is 50.\n   action: Split it.\n"
    assert cut(output, "composer size-guard") == [
        ("method Desk::sit has 64 lines; maximum is 50.", "method_lines", None, "src/Desk.php", 39)
    ]


def test_an_assertion_is_its_tests_also_where_the_head_of_its_section_was_filtered_off() -> None:
    output = (
        "test a ... FAILED\ntest b ... FAILED\nfailures:\nthread 'b' (6) panicked at tests/x.rs:2:1:\nthread 'a' (7) panicked at tests/x.rs:6:5:\n"
        "assertion `left == right` failed\n  left: 1\n right: 2\nfailures:\ntest result: FAILED. 0 passed; 2 failed\n"
    )
    assert cut(output, "cargo test") == [
        ("assertion `left == right` failed left: 1 right: 2", "panic", "a", "tests/x.rs", 6),
        ("test failed", None, "b", None, None),
    ]


def test_a_test_is_known_by_the_list_at_the_end_where_tail_took_its_section_off() -> None:
    output = (
        "note: run with `RUST_BACKTRACE=1`\n\n---- jar::opens stdout ----\nthread 'jar::opens' (3) panicked at src/jar.rs:9:5:\n"
        "assertion `left == right` failed\n  left: 1\n right: 2\n\n\nfailures:\n    jar::closes\n    jar::opens\n\n"
        "test result: FAILED. 0 passed; 2 failed; 0 ignored\n"
    )
    assert cut(output, "cargo test") == [
        ("assertion `left == right` failed left: 1 right: 2", "panic", "jar::opens", "src/jar.rs", 9),
        ("test failed", None, "jar::closes", None, None),
    ]


def test_a_rust_diagnostic_names_the_files_of_its_notes_but_not_those_of_the_library() -> None:
    output = (
        "error[E0369]: binary operation `==` cannot be applied to type `Lid`\n --> tests/jar.rs:7:5\n  |\n7 |     assert_eq!(a, b);\n"
        "note: `Lid` does not implement `PartialEq`\n --> jar-core/src/lid.rs:3:1\n  |\n3 | pub enum Lid {\n"
        "  ::: /rustc/5980/library/core/src/cmp.rs:9:1\n\nerror: could not compile `jar` due to 1 previous error\n"
    )
    (error,) = cut_errors(output, "cargo test", 101)[0]
    found = extract_error_pattern(error.message, stacktrace=error.stacktrace, tool=error.tool, path=error.path)
    assert set(found.files) == {"tests/jar.rs", "jar-core/src/lid.rs"}


def test_what_a_test_printed_between_the_marks_of_tests_ends_at_the_next_mark() -> None:
    output = (
        "running 2 tests\n\nthread 'empties' (31) panicked at tests/basket.rs:4:5:\nassertion `left == right` failed: the basket is kept\n"
        '  left: "full"\n right: "empty"\ntest fills ... ok\ntest empties ... FAILED\n\nfailures:\n\nfailures:\n    empties\n\n'
        "test result: FAILED. 1 passed; 1 failed; 0 ignored\n"
    )
    said = 'assertion `left == right` failed: the basket is kept left: "full" right: "empty"'
    assert cut(output, "cargo test") == [(said, "panic", "empties", "tests/basket.rs", 4)]


def test_files_that_are_not_formatted_say_why_a_line_of_several_checks_failed() -> None:
    output = "All checks passed!\n3 files would be reformatted, 9 files already formatted\nSuccess: no issues found in 12 source files\n"
    assert [error.message for error in cut_errors(output, "ruff")[0]] == [
        "3 files would be reformatted, 9 files already formatted"
    ]


def test_a_go_test_is_in_the_package_whose_result_follows_it() -> None:
    output = (
        "--- FAIL: TestA (0.00s)\n    a_test.go:3: want 1, got 2\nFAIL\nFAIL\tm/a\t0.01s\nok  \tm/b\t0.01s\n"
        "--- FAIL: TestC (0.00s)\npanic: no\n\ngoroutine 1 [running]:\nFAIL\tm/c\t0.01s\n--- FAIL: TestD (0.00s)\n    d_test.go:3: want 1\n"
    )
    assert {error.test: error.package for error in cut_errors(output, "go test")[0]} == {
        "TestA": "m/a",
        "TestC": "m/c",
        "TestD": None,
    }


def test_the_list_at_the_end_names_the_tests_whose_sections_were_cut_off() -> None:
    output = "\n\nfailures:\n    shop::adds\n    src/a.rs - a (line 3)\n\ntest result: FAILED. 4 passed; 2 failed; 0 ignored\n"
    assert [found[2] for found in cut(output, "cargo test")] == ["shop::adds", "src/a.rs - a"]


def test_the_last_cause_is_what_cargo_found() -> None:
    output = (
        "error: failed to load manifest for workspace member `/r/core`\n\nCaused by:\n  failed to parse manifest at `/r/core/Cargo.toml`\n"
        "\nCaused by:\n  no targets specified in the manifest\n  either src/lib.rs, or a [lib] section must be present\n"
    )
    assert [found[0] for found in cut(output, "cargo check")] == [
        "failed to load manifest for workspace member `/r/core`: no targets specified in the manifest"
    ]
    assert (
        cut("error: no matching package named `a` found\n", "cargo check")[0][0]
        == "no matching package named `a` found"
    )


def test_many_panics_without_an_end_are_cut_in_bounded_time() -> None:
    """Where lines could be split between repetitions in any way, this ran for hours; the suite's time-out tells."""
    head = (
        "error: could not compile `grid` (lib)\nthread 'check::tests::ean13' (24948) panicked at src/check.rs:17:9:\n"
    )
    errors, more = cut_errors(head * 900, None, 1)
    assert errors
    assert len(errors) + more <= 900


def test_playwright_tests_of_which_only_the_list_at_the_end_is_left_are_told_by_name() -> None:
    block = "  1) [web] › e2e/a.spec.ts:3:1 › cart › adds ────\n\n    Error: expect(received).toBe(expected)\n\n    Expected: 1\n    Received: 2\n\n"
    listed = "  2 failed\n    [web] › e2e/a.spec.ts:3:1 › cart › adds ────\n    [web] › e2e/b.spec.ts:5:7 › pays ────\n  3 passed (3s)\n"
    pays = ("test failed", None, "[web] › e2e/b.spec.ts › pays", "e2e/b.spec.ts", None)
    assert cut(listed, "playwright test")[1] == pays
    shown = cut(block + listed, "playwright test")
    assert [test for _, _, test, _, _ in shown] == [
        "[web] › e2e/a.spec.ts › cart › adds",
        "[web] › e2e/b.spec.ts › pays",
    ]
    assert shown[0][0] == "Error: expect(received).toBe(expected) Expected: 1 Received: 2"


def test_the_marks_of_ava_have_the_place_and_the_message_of_their_block() -> None:
    text = (
        "  ✘ [fail]: a range\n  ✔ steps\n  ─\n\n  a range\n\n  test/field.js:9\n\n   8: test('a range', (t) => {\n\n"
        "  Difference (- actual, + expected):\n\n    [\n  +   8,\n    ]\n\n  ─\n\n  1 test failed\n"
    )
    (error,) = cut_errors(text, None)[0]
    assert (error.tool, error.test, error.path, error.line) == ("ava", "a range", "test/field.js", 9)
    assert error.message == "Difference (- actual, + expected)"


def test_what_ts_jest_could_not_compile_is_the_error_of_the_compiler_alone() -> None:
    text = (
        "FAIL src/a.spec.ts\n  ● Test suite failed to run\n\n    src/a.ts:13:39 - error TS2304: Cannot find name 'Query'.\n\n"
        "    13   run(@Query('x') x: string) {\n              ~~~~~\n\nTest Suites: 1 failed, 1 total\nTests:       0 total\n"
    )
    assert [(error.tool, error.type) for error in cut_errors(text, None)[0]] == [("tsc", "TS2304")]
