"""Failing tests of a JUnit report are the errors that the runner shows in a terminal."""

from __future__ import annotations

import pytest

from debug_loop_pipeline.compute.commands.error_cutting import cut_errors
from debug_loop_pipeline.compute.event_errors import pattern_of
from debug_loop_pipeline.compute.junit_report import JunitError, read_junit
from debug_loop_pipeline.models.execution import ExecutionError

TERMINAL = """============================= test session starts ==============================
collected 2 items

tests/test_prices.py .F                                                  [100%]

=================================== FAILURES ===================================
____________________________ TestPrices.test_total _____________________________

self = <tests.test_prices.TestPrices object at 0x7f1>

    def test_total(self):
>       assert total({"a": 1}) == 2

tests/test_prices.py:9:
_ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _

items = {'a': 1}

    def total(items):
>       return items["tax"]
E       KeyError: 'tax'

prices.py:4: KeyError
=========================== short test summary info ============================
FAILED tests/test_prices.py::TestPrices::test_total - KeyError: 'tax'
========================= 1 failed, 1 passed in 0.05s ==========================
"""
BODY = TERMINAL.partition("test_total _____________________________\n\n")[2].partition("\n====")[0]
PYTEST = (
    '<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" tests="2" failures="1">'
    '<testcase classname="tests.test_prices.TestPrices" name="test_zero"/>'
    '<testcase classname="tests.test_prices.TestPrices" name="test_total">'
    f"""<failure message="KeyError: 'tax'">{BODY.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}</failure>"""
    "</testcase></testsuite></testsuites>"
)


def test_pytests_report_gives_the_signature_of_its_terminal() -> None:
    report = read_junit(PYTEST.encode())
    (shown,), _ = cut_errors(TERMINAL, "pytest")
    (told,) = report.failures
    assert report.tests == 2
    assert (told.type, told.message, told.test, told.path, told.line) == (
        shown.type,
        shown.message,
        shown.test,
        shown.path,
        shown.line,
    )
    console = ExecutionError(type=shown.type, message=shown.message, stacktrace=shown.stacktrace, tool="pytest")
    assert pattern_of(told).signature == pattern_of(console).signature


def test_go_and_java_and_javascript() -> None:
    report = read_junit(
        b"""<testsuites><testsuite name="example.com/m/calc" tests="1">
        <testcase classname="example.com/m/calc" name="TestAdd/negative"><failure message="Failed">    calc_test.go:12: got 1, want 2
</failure></testcase></testsuite>
        <testsuite name="com.example.CalcTest"><testcase classname="com.example.CalcTest" name="adds">
        <error type="java.lang.IllegalStateException" message="no engine">java.lang.IllegalStateException: no engine
\tat com.example.Calc.add(Calc.java:7)
\tat com.example.CalcTest.adds(CalcTest.java:20)</error></testcase></testsuite>
        <testsuite name="sum"><testcase classname="sum adds" name="sum adds">
        <failure>TypeError: undefined is not a function
    at Object.add (/app/sum.js:3:9)</failure></testcase>
        <testcase name="skipped"><skipped/></testcase></testsuite></testsuites>"""
    )
    go, java, javascript = report.failures
    assert report.tests == 4
    assert (go.test, go.message, go.path, go.line) == ("TestAdd/negative", "got 1, want 2", "calc_test.go", 12)
    assert (java.test, java.type, java.message) == (
        "CalcTest.adds",
        "IllegalStateException",
        "IllegalStateException: no engine",
    )
    assert (javascript.test, javascript.type) == ("sum adds", "TypeError")
    assert javascript.message == "TypeError: undefined is not a function"


def test_a_suite_may_be_the_root_and_have_a_namespace() -> None:
    assert read_junit(b'<testsuite xmlns="urn:j"><testcase name="a"/></testsuite>').tests == 1


def test_an_empty_failure_still_is_one() -> None:
    (told,) = read_junit(b'<testsuite><testcase name="a b"><failure/></testcase></testsuite>').failures
    assert (told.test, told.message) == ("a b", "test failed")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no xml",
        b"<html/>",
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite>&a;</testsuite>',
        "<testsuite/>".encode("utf-16"),
    ],
)
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(JunitError):
        read_junit(data)
