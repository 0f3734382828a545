"""The five dimensions of quality, by their criteria."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debug_loop_pipeline.compute.stf_quality import (
    QualityInputs,
    complexity_score,
    quality,
    score_code,
    tier_of,
)
from debug_loop_pipeline.models.stf import CodeScores, QualityTier

BEST_PYTHON = '''
def load_user(raw: str, limit: int) -> User:
    """Load a user."""
    # the wire format allows nothing
    if not raw:
        raise ValueError("empty")
    try:
        return User.model_validate_json(raw[:limit])
    except KeyError as err:
        raise LookupError(raw) from err
'''
BEST_TYPESCRIPT = """
/** Load a user. */
export async function loadUser(raw: string, limit: number): Promise<User> {
  // the wire format allows nothing
  if (raw === "") throw new Error("empty");
  try {
    return await parse(raw, limit);
  } catch (err) {
    throw new LookupError(raw);
  }
}
"""
BEST_JAVASCRIPT = """
/**
 * Load a user.
 * @param {string} raw
 * @returns {User}
 */
function loadUser(raw) {
  // the wire format allows nothing
  if (typeof raw !== "string") throw new TypeError("raw");
  try { return parse(raw); } catch (err) { return null; }
}
"""
BEST_GO = """
// LoadUser loads a user.
func LoadUser(raw string, limit int) (*User, error) {
	// the wire format allows nothing
	if len(raw) == 0 {
		return nil, errors.New("empty")
	}
	user, err := parse(raw, limit)
	if err != nil {
		return nil, err
	}
	return user, nil
}
"""


@pytest.mark.parametrize(
    ("language", "code"),
    [("python", BEST_PYTHON), ("typescript", BEST_TYPESCRIPT), ("javascript", BEST_JAVASCRIPT), ("go", BEST_GO)],
)
def test_a_function_that_meets_every_criterion_is_excellent(language: str, code: str) -> None:
    scores = score_code(code, language)
    assert (scores.completeness, scores.documentation, scores.onex_compliance, scores.complexity) == (1, 1, 1, 1)
    found = quality(scores, QualityInputs(version_known=True, description=None, author_known=True))
    assert (found.quality_score, found.tier, found.metadata) == (1.0, QualityTier.EXCELLENT, 1.0)


CRITERIA = [
    ("python", "def f(a):\n    pass", "real_body", False),
    ("python", "def f(a):\n    return a + 1", "real_body", True),
    ("python", "def f(a):\n    with suppress(E):\n        g(a)\n    return a", "error_handling", True),
    ("python", "def f(a):\n    raise E(a)", "error_handling", False),
    ("javascript", "const f = (a) => g(a).catch(h)", "error_handling", True),
    ("go", "func f() { defer func() { recover() }() }", "error_handling", True),
    (
        "go",
        "func f() error {\n\tif err := g(); err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}",
        "error_handling",
        True,
    ),
    (
        "go",
        "func f() error {\n\tif err := g(); err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}",
        "edge_cases",
        False,
    ),
    ("go", "func f(a *T) int {\n\tif a == nil {\n\t\treturn 0\n\t}\n\treturn a.b\n}", "edge_cases", True),
    ("go", "func f(a *T) int {\n\tif a == nil {\n\t\treturn 0\n\t}\n\treturn a.b\n}", "error_handling", False),
    ("python", "def f(a):\n    if a is None:\n        return 0\n    return a", "edge_cases", True),
    ("python", "def f(a):\n    if len(a) == 0:\n        return 0\n    return a", "edge_cases", True),
    ("python", "def f(a, b):\n    if a == b:\n        return 0\n    return a", "edge_cases", False),
    ("python", "def f(a):\n    if a is None:\n        a = 0\n    return a", "edge_cases", False),
    ("python", "def f(a):\n    g(a)\n    if a > 0:\n        return a", "edge_cases", False),
    ("javascript", "function f(a) { if (!Array.isArray(a)) { return []; } return a }", "edge_cases", True),
    ("javascript", "function f(a) { if (a) { return []; } return a }", "edge_cases", False),
    ("python", "def f(a):\n    # noqa: E501\n    return a", "comments", False),
    ("python", "def f(a):\n    # why\n    return a", "comments", True),
    ("go", "// F is.\nfunc F(a int) int {\n\treturn a\n}", "comments", False),
    ("python", "def f(a: int, *b: int) -> int:\n    return a", "type_hints", True),
    ("python", "def f(a: int, b) -> int:\n    return a", "type_hints", False),
    ("python", "def f(a: int):\n    return a", "type_hints", False),
    ("python", "class A:\n    def f(self, a: int) -> int:\n        return a", "type_hints", True),
    ("typescript", "const f = (a: number, b) => a", "type_hints", False),
    ("typescript", "set a(b: number) { this.c = b }", "type_hints", True),
    ("python", "def f(a: dict[str, int]) -> list[Any]:\n    return a", "typed_models", False),
    ("python", "def f(a: Optional[Order]) -> int:\n    return a", "typed_models", True),
    ("go", "func F(a map[string]int) error {\n\treturn g(a)\n}", "typed_models", False),
    ("go", "func F(a []*Order) error {\n\treturn g(a)\n}", "typed_models", True),
    ("python", "def loadUser(a):\n    return a", "naming", False),
    ("python", "def _load_user2(a):\n    return a", "naming", True),
    ("python", "class NodeStfHashCompute:\n    def f(self):\n        return 1", "naming", True),
    ("javascript", "function load_user(a) { return a }", "naming", False),
    ("javascript", "const Card = (a) => <p>{a}</p>", "naming", True),
    ("javascript", "const Card = (a) => a", "naming", False),
    ("go", "func load_user(a int) int { return a }", "naming", False),
    ("python", "def f(a):\n    assert a, 'a'\n    return a", "validates_inputs", True),
    ("python", "def f(a):\n    b = g()\n    assert b\n    return a", "validates_inputs", False),
    ("python", "def f(a):\n    validate_order(a)\n    return a", "validates_inputs", True),
    (
        "python",
        "def f(a):\n    if not isinstance(a, int):\n        return None\n    return a",
        "validates_inputs",
        True,
    ),
    ("python", "def f(a):\n    if a is None:\n        return None\n    return a", "validates_inputs", False),
    ("python", "def f(a):\n    if g():\n        raise ValueError\n    return a", "validates_inputs", False),
    ("typescript", "function f(a: A) { return schema.safeParse(a) }", "validates_inputs", True),
    ("go", "func F(a int) int {\n\tif a < 0 {\n\t\tpanic(a)\n\t}\n\treturn a\n}", "validates_inputs", True),
    (
        "go",
        "func F(a int) error {\n\terr := g(a)\n\tif err != nil {\n\t\treturn err\n\t}\n\treturn nil\n}",
        "validates_inputs",
        False,
    ),
]


@pytest.mark.parametrize(("language", "code", "criterion", "met"), CRITERIA)
def test_each_criterion_means_what_it_says(language: str, code: str, criterion: str, met: bool) -> None:
    if code.startswith("class A"):
        code = code.removeprefix("class A:\n    ").replace("\n    ", "\n")
    assert (criterion in score_code(code, language).reasons) is met


@pytest.mark.parametrize(
    ("language", "code", "cyclomatic"),
    [
        ("python", "def f():\n    return 1", 1),
        ("python", "def f(a):\n    if a:\n        b\n    elif c or d:\n        e\n    return [g for g in a if g]", 6),
        ("python", "def f(a):\n    match a:\n        case 1: b\n        case 2: c\n        case _: d", 3),
        (
            "javascript",
            "function f(a) { switch (a) { case 1: b; case 2: c; default: d } return a ? b ?? c : d && e }",
            6,
        ),
        ("go", "func f() { for a { if b || c { } }; select { case <-d: default: } }", 5),
    ],
)
def test_cyclomatic_complexity_counts_the_ways(language: str, code: str, cyclomatic: int) -> None:
    assert score_code(code, language).cyclomatic == cyclomatic


@pytest.mark.parametrize(
    ("cyclomatic", "score"),
    [(1, 1.0), (5, 1.0), (6, 0.8), (10, 0.8), (11, 0.6), (15, 0.6), (16, 0.4), (20, 0.4), (21, 0.2)],
)
def test_complexity_scores_fall_in_steps(cyclomatic: int, score: float) -> None:
    assert complexity_score(cyclomatic) == score


@pytest.mark.parametrize(
    ("score", "tier"),
    [
        (1.0, "excellent"),
        (0.9, "excellent"),
        (0.8999, "good"),
        (0.7, "good"),
        (0.5, "fair"),
        (0.4999, "poor"),
        (0, "poor"),
    ],
)
def test_tiers_begin_at_their_thresholds(score: float, tier: str) -> None:
    assert tier_of(score) == tier


UNIT = st.floats(0, 1)


@given(UNIT, UNIT, UNIT, UNIT, st.booleans(), st.booleans(), st.sampled_from([None, "", "text"]))
def test_the_score_is_the_weighted_sum(
    a: float, b: float, c: float, d: float, version: bool, author: bool, text: str | None
) -> None:
    scores = CodeScores(completeness=a, documentation=b, onex_compliance=c, complexity=d, cyclomatic=1)
    found = quality(scores, QualityInputs(version_known=version, description=text, author_known=author))
    metadata = 0.3 * version + 0.4 * (text == "text") + 0.3 * author
    assert found.metadata == pytest.approx(metadata)
    assert found.quality_score == pytest.approx(0.3 * a + 0.25 * b + 0.2 * c + 0.15 * metadata + 0.1 * d, abs=1e-4)
    assert found.tier == tier_of(found.quality_score)


def test_a_docstring_is_a_description() -> None:
    nothing = QualityInputs(version_known=False, description=None, author_known=False)
    assert quality(score_code(BEST_PYTHON, "python"), nothing).metadata == 0.4
    assert quality(score_code("def f(): return 1", "python"), nothing).metadata == 0.0
