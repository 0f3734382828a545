"""The menu of repairs: real edits of real text."""

from __future__ import annotations

import ast

import pytest

from examples.bug_hunt.candidates import candidates
from examples.bug_hunt.corpus import load_programs
from examples.bug_hunt.source import Replacement, Source


def _results(text, name, **modules):
    found = candidates({"m.py": text, **{f"{module}.py": content for module, content in modules.items()}})
    return [c.changed["m.py"] for c in found if c.made_by == name and "m.py" in c.changed]


@pytest.mark.parametrize(
    ("operator", "before", "after"),
    [
        (
            "text_default",
            "def f(r):\n    return r.get('k').lower()\n",
            "def f(r):\n    return (r.get('k') or \"\").lower()\n",
        ),
        ("get_default_zero", "def f(d):\n    return d['k'] + 1\n", "def f(d):\n    return d.get('k', 0) + 1\n"),
        ("key_strip", "def f(d, k):\n    return f'{d[k]}'\n", "def f(d, k):\n    return f'{d[k.strip()]}'\n"),
        ("nonzero_divisor", "def f(a, b):\n    return a / len(b)\n", "def f(a, b):\n    return a / (len(b) or 1)\n"),
        ("range_shorter", "def f(n):\n    return list(range(n))\n", "def f(n):\n    return list(range(n - 1))\n"),
        ("range_longer", "def f(n):\n    return list(range(1, n))\n", "def f(n):\n    return list(range(1, n + 1))\n"),
        ("boundary", "def f(n):\n    return n < 3\n", "def f(n):\n    return n <= 3\n"),
        (
            "iterate_over_copy",
            "def f(d):\n    for k in d:\n        d.pop(k)\n",
            "def f(d):\n    for k in list(d):\n        d.pop(k)\n",
        ),
        ("json_default", "import json\njson.dumps({})\n", "import json\njson.dumps({}, default=str)\n"),
        ("encoding_utf8", "b''.decode('ascii')\n", "b''.decode(\"utf-8\")\n"),
        ("stdlib_json", "import ujson\n", "import json as ujson\n"),
        ("stdlib_json", "from ujson import dumps\n", "from json import dumps\n"),
        (
            "aware_now",
            "from datetime import datetime\nx = datetime.now()\n",
            "from datetime import UTC, datetime\nx = datetime.now(UTC)\n",
        ),
        (
            "fresh_default",
            "def f(x, xs=[]):\n    '''Doc.'''\n    return xs\n",
            "def f(x, xs=None):\n    '''Doc.'''\n    if xs is None:\n        xs = []\n    return xs\n",
        ),
        (
            "guard_empty",
            "def f(xs):\n    return xs[0]\n",
            "def f(xs):\n    if not xs:\n        return None\n    return xs[0]\n",
        ),
        (
            "return_self",
            "class A:\n    def f(self):\n        self.x = 1\n",
            "class A:\n    def f(self):\n        self.x = 1\n        return self\n",
        ),
    ],
)
def test_an_operator_changes_one_place_and_leaves_the_rest(operator, before, after):
    assert after in _results(before, operator)


def test_an_import_moves_into_the_functions_that_use_it():
    text = '"""Doc."""\n\nfrom other import g\n\n\ndef f():\n    """Doc."""\n    return g()\n'
    (moved,) = _results(text, "move_import", other="def g():\n    return 1\n")
    assert "from other" not in moved.split("def f")[0]
    assert '"""Doc."""\n    from other import g\n    return g()' in moved


def test_an_import_that_the_module_itself_needs_stays():
    assert _results("from other import g\nX = g()\n", "move_import", other="def g():\n    return 1\n") == []


def test_installed_modules_and_neighbours_are_not_replaced():
    assert _results("import csv\nimport other\n", "stdlib_json", other="") == []


def test_hunks_are_whole_lines_that_lead_from_one_text_to_the_other():
    for program in load_programs().values():
        for candidate in candidates(program.modules):
            for path, after in candidate.changed.items():
                text = program.modules[path]
                shift = 0
                for hunk in candidate.hunks:
                    lines = text.split("\n")
                    at = hunk.line - 1 + shift
                    height = hunk.before.count("\n") + 1
                    assert "\n".join(lines[at : at + height]) == hunk.before
                    put = hunk.after.split("\n") if hunk.after else []
                    text = "\n".join([*lines[:at], *put, *lines[at + height :]])
                    shift += len(put) - height
                assert text == after
                ast.parse(after)


def test_candidates_are_distinct_and_always_the_same():
    for program in list(load_programs().values())[:20]:
        found = candidates(program.modules)
        assert len({tuple(c.changed.items()) for c in found}) == len(found)
        assert found == candidates(program.modules)


def test_places_are_counted_in_characters_not_bytes():
    source = Source("m.py", "x = 'äöü' + y\n")
    (name,) = [node for node in source.nodes(ast.Name) if node.id == "y"]
    assert source.segment(name) == "y"
    text, (hunk,) = source.apply([Replacement(source.start(name), source.end(name), "z")])
    assert text == "x = 'äöü' + z\n"
    assert (hunk.before, hunk.after, hunk.line) == ("x = 'äöü' + y", "x = 'äöü' + z", 1)


def test_changes_on_one_line_are_one_hunk_and_on_others_their_own():
    source = Source("m.py", "a = f(1)\nb = 2\nc = 3\n")
    _, hunks = source.apply([Replacement(4, 4, "g("), Replacement(8, 8, ")"), Replacement(19, 20, "4")])
    assert [(h.before, h.after) for h in hunks] == [("a = f(1)", "a = g(f(1))"), ("c = 3", "c = 4")]
