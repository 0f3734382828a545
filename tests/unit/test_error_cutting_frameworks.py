"""Test frameworks and build tools: what each prints of a failure, and the error cut out of it."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.commands.error_cutting import cut_errors

# fmt: off
OUTPUTS = [
    (
        'make test',
        "src/list.c:9:15: warning: unused variable 'unused' [-Wunused-variable]\n    9 |     int unused = 0;\ntests/run.c:18: FAIL: list_sum(&l) == 7\n1 failed\nmake: *** [Makefile:11: test] Error 1\n",
        [('list_sum(&l) == 7', None, None, 'tests/run.c', 18)],
    ),
    (
        'make test',
        'FAIL tests/run.c:18: expected 7, got 5\n1/3 tests failed\nmake: *** [test] Error 1\n',
        [('expected 7, got 5', None, None, 'tests/run.c', 18)],
    ),
    (
        'make test',
        '[FAIL] test_sum: expected 7, got 5 (tests/run.c:18)\n2 passed, 1 failed\nmake: *** [Makefile:11: test] Error 1\n',
        [('expected 7, got 5', None, 'test_sum', 'tests/run.c', 18)],
    ),
    (
        'make test',
        'Running test_sum...\n  Assertion failed: list_sum(&l) == 7 (tests/run.c:18)\nTests: 3, Failures: 1\nmake: *** [Makefile:11: test] Error 1\n',
        [('list_sum(&l) == 7', None, None, 'tests/run.c', 18)],
    ),
    (
        'make test',
        'Assertion failed: (list_sum(&l) == 7), function test_sum, file run.c, line 18.\nmake: *** [test] Abort trap: 6\n',
        [('list_sum(&l) == 7', None, 'test_sum', 'run.c', 18)],
    ),
    (
        'ctest',
        'Assertion failed: list_sum(&l) == 7, file tests\\run.c, line 18\n',
        [('list_sum(&l) == 7', None, None, 'tests\\run.c', 18)],
    ),
    (
        'make test',
        'test/test_list.c:18:test_sum:FAIL: Expected 7 Was 5\ntest/test_list.c:25:test_push:PASS\n\n-----------------------\n2 Tests 1 Failures 0 Ignored \nFAIL\nmake: *** [test] Error 1\n',
        [('Expected 7 Was 5', None, 'test_sum', 'test/test_list.c', 18)],
    ),
    (
        'make check',
        "Running suite(s): List\n50%: Checks: 2, Failures: 1, Errors: 0\ntests/check_list.c:18:F:Core:test_sum:0: Assertion 'list_sum(&l) == 7' failed: list_sum(&l) == 5, 7 == 7\nmake: *** [check] Error 1\n",
        [("Assertion 'list_sum(&l) == 7' failed: list_sum(&l) == 5, 7 == 7", None, 'test_sum', 'tests/check_list.c', 18)],
    ),
    (
        'ctest',
        '[==========] tests: Running 2 test(s).\n[ RUN      ] test_sum\n[  ERROR   ] --- 0x5 != 0x7\n[   LINE   ] --- tests/test_list.c:18: error: Failure!\n[  FAILED  ] test_sum\n[ RUN      ] test_push\n[       OK ] test_push\n[==========] tests: 2 test(s) run.\n[  PASSED  ] 1 test(s).\n[  FAILED  ] tests: 1 test(s), listed below:\n[  FAILED  ] test_sum\n\n 1 FAILED TEST(S)\n',
        [('0x5 != 0x7', None, 'test_sum', 'tests/test_list.c', 18)],
    ),
    (
        'run',
        '[doctest] doctest version is "2.4.11"\n[doctest] run with "--help" for options\n===============================================================================\ntests/cart.cpp:18:\nTEST CASE:  sums the cart\n\ntests/cart.cpp:21: ERROR: CHECK( total(c) == 7 ) is NOT correct!\n  values: CHECK( 5 == 7 )\n\n===============================================================================\n[doctest] test cases:  2 |  1 passed | 1 failed | 0 skipped\n[doctest] assertions:  3 |  2 passed | 1 failed |\n[doctest] Status: FAILURE!\n',
        [('CHECK( total(c) == 7 ) is NOT correct! values: CHECK( 5 == 7 )', None, 'sums the cart', 'tests/cart.cpp', 21)],
    ),
    (
        'run',
        'Randomness seeded to: 1\n\n~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\ntests is a Catch2 v3.4.0 host application.\nRun with -? for options\n\n-------------------------------------------------------------------------------\nsums the cart\n-------------------------------------------------------------------------------\ntests/cart.cpp:18\n...............................................................................\n\ntests/cart.cpp:21: FAILED:\n  CHECK( total(c) == 7 )\nwith expansion:\n  5 == 7\n\n===============================================================================\ntest cases: 2 | 1 passed | 1 failed\nassertions: 3 | 2 passed | 1 failed\n',
        [('CHECK( total(c) == 7 ) with expansion: 5 == 7', None, 'sums the cart', 'tests/cart.cpp', 21)],
    ),
    (
        'run',
        'Running 2 test cases...\ntests/cart.cpp(21): error: in "sums": check total(c) == 7 has failed [5 != 7]\n\n*** 1 failure is detected in the test module "cart"\n',
        [('check total(c) == 7 has failed [5 != 7]', None, 'sums', 'tests/cart.cpp', 21)],
    ),
    (
        'ctest',
        '********* Start testing of TestCart *********\nPASS   : TestCart::initTestCase()\nFAIL!  : TestCart::sums() Compared values are not the same\n   Actual   (total(c)): 5\n   Expected (7)       : 7\n   Loc: [../tests/tst_cart.cpp(21)]\nTotals: 2 passed, 1 failed, 0 skipped, 0 blacklisted, 1ms\n',
        [('Compared values are not the same Actual (total(c)): 5 Expected (7) : 7', None, 'TestCart::sums()', '../tests/tst_cart.cpp', 21)],
    ),
    (
        'bats',
        '1..2\nok 1 adds\nnot ok 2 sums\n# (in test file test/cart.bats, line 12)\n#   `[ "$output" = 7 ]\' failed\n',
        [('`[ "$output" = 7 ]\' failed', None, 'sums', 'test/cart.bats', 12)],
    ),
    (
        'meson test',
        '1/2 cart:sums        FAIL            0.01s   exit status 1\n>>> MALLOC_PERTURB_=1 /r/build/test_cart\n\n2/2 cart:adds OK 0.01s\n\nSummary of Failures:\n\n1/2 cart:sums FAIL 0.01s exit status 1\n\nOk:                 1   \nFail:               1   \n',
        [('test failed: exit status 1', None, 'cart:sums', None, None)],
    ),
    (
        'make',
        'Undefined symbols for architecture arm64:\n  "_list_sum", referenced from:\n      _main in main.o\nld: symbol(s) not found for architecture arm64\nclang: error: linker command failed with exit code 1 (use -v to see invocation)\n',
        [('undefined symbol: _list_sum', None, None, None, None)],
    ),
    (
        'make',
        "make: *** No rule to make target 'src/list.o', needed by 'app'.  Stop.\n",
        [("No rule to make target 'src/list.o', needed by 'app'", None, None, None, None)],
    ),
    (
        'make',
        'Makefile:12: *** missing separator.  Stop.\n',
        [('missing separator', None, None, 'Makefile', 12)],
    ),
    (
        'make test',
        '=================================================================\n==123==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x55 bp 0x7f sp 0x7f\nREAD of size 4 at 0x602000000010 thread T0\n    #0 0x55 in list_sum /r/src/list.c:12:20\n    #1 0x55 in main /r/tests/run.c:18\n\nSUMMARY: AddressSanitizer: heap-use-after-free /r/src/list.c:12:20 in list_sum\nmake: *** [test] Error 1\n',
        [('AddressSanitizer: heap-use-after-free', 'AddressSanitizer', None, '/r/src/list.c', 12)],
    ),
    (
        'run',
        '==12== Invalid read of size 4\n==12==    at 0x109: list_sum (list.c:12)\n==12==    by 0x109: main (run.c:18)\n==12== \n==12== ERROR SUMMARY: 1 errors from 1 contexts (suppressed: 0 from 0)\n',
        [('Invalid read of size 4', None, None, 'list.c', 12)],
    ),
    (
        'make test',
        'make: *** [Makefile:11: test] Segmentation fault (core dumped)\n',
        [('Segmentation fault', 'signal', None, None, None)],
    ),
    (
        'gradle test',
        'CartTest > sumsTheCart() FAILED\n    org.opentest4j.AssertionFailedError at CartTest.java:21\n\n2 tests completed, 1 failed\n\nBUILD FAILED in 3s\n',
        [('AssertionFailedError', 'AssertionFailedError', 'CartTest.sumsTheCart()', 'CartTest.java', 21)],
    ),
    (
        'gradle build',
        'FAILURE: Build failed with an exception.\n\n* Where:\nBuild file \'/r/app/build.gradle.kts\' line: 12\n\n* What went wrong:\nScript compilation error:\n\n  Line 12:     implementatio("x")\n               ^ Unresolved reference: implementatio\n\n1 error\n\nBUILD FAILED in 1s\n',
        [('Unresolved reference: implementatio', None, None, '/r/app/build.gradle.kts', 12)],
    ),
    (
        'gradle check',
        '[ant:checkstyle] [ERROR] /r/src/main/java/Cart.java:12:5: Missing a Javadoc comment. [JavadocVariable]\n\n> Checkstyle rule violations were found. See the report at: file:///r\n',
        [('Missing a Javadoc comment.', 'JavadocVariable', None, '/r/src/main/java/Cart.java', 12)],
    ),
    (
        'mvn test',
        'testSums(com.x.CartTest)  Time elapsed: 0.01 sec  <<< FAILURE!\njava.lang.AssertionError: expected:<7> but was:<5>\n\tat com.x.CartTest.testSums(CartTest.java:21)\n\nResults :\n\nFailed tests: \n  CartTest.testSums:21 expected:<7> but was:<5>\n\nTests run: 2, Failures: 1, Errors: 0, Skipped: 0\n',
        [('expected:<7> but was:<5>', None, 'CartTest.testSums', None, 21)],
    ),
    (
        'sbt compile',
        '[error] /r/src/main/scala/Cart.scala:12:9: not found: value total\n[error]   total\n[error]   ^\n[error] one error found\n[error] (Compile / compileIncremental) Compilation failed\n',
        [('not found: value total', None, None, '/r/src/main/scala/Cart.scala', 12)],
    ),
    (
        'sbt test',
        '[info] CartSpec:\n[info] Cart\n[info] - should sum *** FAILED ***\n[info]   5 did not equal 7 (CartSpec.scala:21)\n[info] Run completed in 200 milliseconds.\n[info] Tests: succeeded 1, failed 1, canceled 0, ignored 0, pending 0\n[info] *** 1 TEST FAILED ***\n[error] Failed tests:\n[error] \tCartSpec\n[error] (Test / test) sbt.TestsFailedException: Tests unsuccessful\n',
        [('5 did not equal 7', None, 'CartSpec.should sum', 'CartSpec.scala', 21)],
    ),
    (
        'dotnet test',
        '  Shop.Tests test failed with 1 error(s) (1.2s)\n    /r/tests/CartTests.cs(21): error TESTERROR: \n      Shop.Tests.CartTests.Sums (12ms): Error Message: Assert.Equal() Failure: Values differ\n      Expected: 7\n      Actual:   5\n      Stack Trace:\n         at Shop.Tests.CartTests.Sums() in /r/tests/CartTests.cs:line 21\n\nTest summary: total: 2, failed: 1, succeeded: 1, skipped: 0, duration: 1.1s\nBuild failed with 1 error(s) in 3.2s\n',
        [('Assert.Equal() Failure: Values differ Expected: 7 Actual: 5', None, 'Shop.Tests.CartTests.Sums', '/r/tests/CartTests.cs', 21)],
    ),
    (
        'dotnet build',
        '/r/src/Shop.csproj : error NU1101: Unable to find package Foo. No packages exist with this id in source(s): nuget.org\n',
        [('NU1101: Unable to find package Foo. No packages exist with this id in source(s): nuget.org', 'NU1101', None, '/r/src/Shop.csproj', None)],
    ),
    (
        'cargo nextest run',
        "    Finished `test` profile [unoptimized + debuginfo] target(s) in 0.02s\n────────────\n Nextest run ID 1 with nextest profile: default\n    Starting 2 tests across 1 binary\n        PASS [   0.004s] (1/2) mycrate tests::adds\n        FAIL [   0.004s] (2/2) mycrate tests::sums\n  stdout ───\n\n    running 1 test\n    test tests::sums ... FAILED\n\n    failures:\n\n    failures:\n        tests::sums\n\n    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 1 filtered out; finished in 0.00s\n    \n  stderr ───\n\n    thread 'tests::sums' (123) panicked at src/lib.rs:12:9:\n    assertion `left == right` failed\n      left: 5\n     right: 7\n    note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\n  Cancelling due to test failure\n────────────\n     Summary [   0.005s] 2 tests run: 1 passed, 1 failed, 0 skipped\n        FAIL [   0.004s] (2/2) mycrate tests::sums\nerror: test run failed\n",
        [('assertion `left == right` failed left: 5 right: 7', 'panic', 'tests::sums', 'src/lib.rs', 12)],
    ),
    (
        'cargo nextest run',
        '     Summary [   0.005s] 2 tests run: 1 passed, 1 failed, 0 skipped\n        FAIL [   0.004s] mycrate tests::sums\nerror: test run failed\n',
        [('test failed', None, 'tests::sums', None, None)],
    ),
    (
        'cargo test',
        '---- src/lib.rs - words (line 3) stdout ----\nerror[E0425]: cannot find function `word` in this scope\n --> src/lib.rs:5:12\n  |\n5 | assert_eq!(word("a"), 1);\n  |            ^^^^ not found in this scope\n\nerror: aborting due to 1 previous error\n\nFor more information about this error, try `rustc --explain E0425`.\nCouldn\'t compile the test.\n\nfailures:\n    src/lib.rs - words (line 3)\n\ntest result: FAILED. 0 passed; 1 failed; 0 ignored;\n',
        [('[E0425] cannot find function `word` in this scope', 'E0425', None, 'src/lib.rs', 5)],
    ),
    (
        'cargo build',
        'error: linking with `cc` failed: exit status: 1\n  |\n  = note:  "cc" "-m64" ...\n  = note: /usr/bin/ld: cannot find -lfoo: No such file or directory\n          collect2: error: ld returned 1 exit status\n\nerror: could not compile `x` (bin "x") due to 1 previous error\n',
        [('cannot find -lfoo: No such file or directory', None, None, None, None)],
    ),
    (
        'gotestsum',
        '=== Failed\n=== FAIL: cart TestSum (0.00s)\n    cart_test.go:12: got 5, want 7\n\nDONE 2 tests, 1 failure in 0.1s\n',
        [('got 5, want 7', None, 'TestSum', 'cart_test.go', 12)],
    ),
    (
        'go test ./...',
        '------------------------------\n• [FAILED] [0.001 seconds]\nCart [It] sums\n/r/cart_test.go:12\n\n  [FAILED] Expected\n      <int>: 5\n  to equal\n      <int>: 7\n  In [It] at: /r/cart_test.go:14 @ 01/01/25 00:00:00\n------------------------------\n\nSummarizing 1 Failure:\n  [FAIL] Cart [It] sums\n  /r/cart_test.go:14\n\nRan 2 of 2 Specs in 0.001 seconds\nFAIL! -- 1 Passed | 1 Failed | 0 Pending | 0 Skipped\n--- FAIL: TestCart (0.00s)\nFAIL\nFAIL\tm/cart\t0.1s\nFAIL\n',
        [('Expected <int>: 5 to equal <int>: 7', None, 'Cart sums', '/r/cart_test.go', 14)],
    ),
    (
        'go test ./...',
        '==================\nWARNING: DATA RACE\nWrite at 0x00c by goroutine 8:\n  m/cart.(*Cart).Add()\n      /r/cart/cart.go:12 +0x44\n\nPrevious write at 0x00c by goroutine 7:\n  m/cart.(*Cart).Add()\n      /r/cart/cart.go:12 +0x44\n==================\n--- FAIL: TestRace (0.00s)\n    testing.go:1398: race detected during execution of test\nFAIL\nFAIL\tm/cart\t0.1s\n',
        [('race detected during execution of test', None, 'TestRace', None, None)],
    ),
    (
        'go mod tidy',
        'go: finding module for package github.com/x/y\ngo: m/cart imports\n\tgithub.com/x/y: cannot find module providing package github.com/x/y\n',
        [('m/cart imports github.com/x/y: cannot find module providing package github.com/x/y', None, None, None, None)],
    ),
    (
        'go build',
        "go: errors parsing go.mod:\n/r/go.mod:3: invalid go version '1.x': must match format 1.23\n",
        [("go.mod:3: invalid go version '1.x': must match format 1.23", None, None, None, None)],
    ),
    (
        'go build',
        'package m/a\n\timports m/b\n\timports m/a: import cycle not allowed\n',
        [('package m/a imports m/b imports m/a: import cycle not allowed', None, None, None, None)],
    ),
    (
        'golangci-lint run',
        'level=error msg="[linters_context] typechecking error: pattern ./...: directory prefix . does not contain main module"\n0 issues.\n',
        [('[linters_context] typechecking error: pattern ./...: directory prefix . does not contain main module', None, None, None, None)],
    ),
    (
        'xcodebuild',
        "Testing failed:\n\tcannot find 'total' in scope\n\tTesting cancelled because the build failed.\n\n** TEST FAILED **\n\n\nThe following build commands failed:\n\tSwiftCompile normal arm64 /r/App/Cart.swift\n(1 failure)\n",
        [("cannot find 'total' in scope", None, None, None, None)],
    ),
    (
        'xcodebuild',
        'xcodebuild: error: Unable to find a device matching the provided destination specifier:\n\t\t{ platform:iOS Simulator, OS:latest, name:iPhone 15 }\n',
        [('Unable to find a device matching the provided destination specifier:', None, None, None, None)],
    ),
    (
        'phpstan analyse',
        ' ------ ---------------------------------------------- \n  Line   src/Cart.php                                  \n ------ ---------------------------------------------- \n  12     Call to an undefined method Cart::total().   \n         🪪 method.notFound                            \n ------ ---------------------------------------------- \n\n [ERROR] Found 1 error\n',
        [('Call to an undefined method Cart::total().', None, None, 'src/Cart.php', 12)],
    ),
    (
        'zig test',
        '1/2 cart.test.sums...expected 7, found 5\nFAIL (TestExpectedEqual)\n/usr/lib/zig/std/testing.zig:93:17: 0x1 in expectEqualInner (test)\n/r/src/cart.zig:21:5: 0x1 in test.sums (test)\n1 passed; 0 skipped; 1 failed.\n',
        [('expected 7, found 5', 'TestExpectedEqual', 'cart.test.sums', '/r/src/cart.zig', 21)],
    ),
    (
        'dart analyze',
        "  error • Undefined name 'total' • lib/cart.dart:12:5 • undefined_identifier\n\n1 issue found.\n",
        [("Undefined name 'total'", 'undefined_identifier', None, 'lib/cart.dart', 12)],
    ),
    (
        'flutter test',
        '00:01 +1 -1: sums the cart [E]\n  Expected: <7>\n    Actual: <5>\n  package:matcher expect\n  test/cart_test.dart 12:5  main.<fn>\n\n00:01 +1 -1: Some tests failed.\n',
        [('Expected: <7> Actual: <5>', None, 'sums the cart', 'test/cart_test.dart', 12)],
    ),
    (
        'busted',
        '●◼\n1 success / 1 failure / 0 errors / 0 pending : 0.001 seconds\n\nFailure → spec/cart_spec.lua @ 10\ncart sums\nspec/cart_spec.lua:12: Expected objects to be equal.\nPassed in:\n(number) 5\nExpected:\n(number) 7\n',
        [('Expected objects to be equal.', None, 'cart sums', 'spec/cart_spec.lua', 10)],
    ),
]
# fmt: on


@pytest.mark.parametrize(("tool", "output", "expected"), OUTPUTS)
def test_an_error_has_its_message_its_test_and_its_place(
    tool: str, output: str, expected: list[tuple[str, str | None, str | None, str | None, int | None]]
) -> None:
    found, _ = cut_errors(output, tool, 1)
    assert [(error.message, error.type, error.test, error.path, error.line) for error in found] == expected


def test_lines_behind_their_counts_are_read_without_them() -> None:
    text = "      2 src/a.ts(1,2): error TS2304: Cannot find name 'a'.\n     1 src/b.ts(1,2): error TS2322: no\n"
    assert [error.path for error in cut_errors(text, "tsc", 2)[0]] == ["src/a.ts", "src/b.ts"]
    source = "     1 int main(void)\nsrc/a.c:1:2: error: no\n"
    assert [error.path for error in cut_errors(source, "make", 2)[0]] == ["src/a.c"]


def test_a_marked_line_names_its_test_though_no_file_is_told() -> None:
    found, _ = cut_errors("[ OK ] adds\n[FAIL] test_sum: expected 7, got 5\n1 failed\n", "make test", 2)
    assert [(error.test, error.message) for error in found] == [("test_sum", "expected 7, got 5")]


def test_a_warning_of_the_compiler_is_not_why_the_program_that_it_built_failed() -> None:
    warned = "src/list.c:9:15: warning: unused variable 'n' [-Wunused-variable]\n"
    found, _ = cut_errors(warned + "make: *** [Makefile:11: test] Segmentation fault (core dumped)\n", "make test", 2)
    assert [error.message for error in found] == ["Segmentation fault"]
    found, _ = cut_errors(warned, "make", 2)
    assert [error.path for error in found] == ["src/list.c"]
