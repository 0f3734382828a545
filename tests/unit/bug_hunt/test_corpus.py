"""The programs: enough of them, in families that the agent cannot see."""

from __future__ import annotations

import ast
import re
from collections import Counter
from itertools import pairwise

import pytest

from examples.bug_hunt.candidates import MENU, candidates
from examples.bug_hunt.corpus import halves, load_families, load_programs

PROGRAMS = load_programs()
FAMILIES = load_families()


def test_there_are_enough_programs_and_families():
    assert len(PROGRAMS) >= 96
    assert len(FAMILIES) >= 12
    assert all(len(family.programs) >= 8 for family in FAMILIES.values())


def test_each_program_is_in_one_family():
    assert Counter(name for family in FAMILIES.values() for name in family.programs) == Counter(
        dict.fromkeys(PROGRAMS, 1)
    )


def test_at_least_three_pairs_of_families_share_a_signature():
    pairs = {frozenset((name, family.shares)) for name, family in FAMILIES.items() if family.shares}
    assert len(pairs) >= 3
    assert all(FAMILIES[FAMILIES[name].shares].shares == name for pair in pairs for name in pair)


def test_the_menu_holds_every_intended_repair_and_many_others():
    names = {operator.__name__ for operator in MENU}
    assert {family.repair for family in FAMILIES.values()} < names
    assert len(names) >= 20


def test_names_of_programs_do_not_tell_the_family():
    told = {*FAMILIES, *(family.repair for family in FAMILIES.values())}
    for program in PROGRAMS.values():
        for name in (program.id, *program.files):
            assert not any(word in name for word in told)
        assert re.fullmatch(r"p\d{3}", program.id)


def test_ids_do_not_lie_together_by_family():
    of = {name: family.name for family in FAMILIES.values() for name in family.programs}
    in_order = [of[name] for name in sorted(PROGRAMS)]
    neighbours = sum(a == b for a, b in pairwise(in_order))
    assert neighbours < len(in_order) / 8


def test_members_of_a_family_are_different_code():
    for family in FAMILIES.values():
        functions = [
            {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            for name in family.programs
            for text in PROGRAMS[name].modules.values()
        ]
        assert len({frozenset(names) for names in functions}) == len(functions)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_halves_split_every_family(seed):
    learn, test = halves(seed)
    assert sorted(learn + test) == sorted(PROGRAMS)
    for family in FAMILIES.values():
        assert len(set(family.programs) & set(learn)) == len(family.programs) // 2
    assert halves(seed) == (learn, test)


def test_the_split_depends_on_the_seed():
    assert halves(1) != halves(2)


def test_every_program_leaves_a_choice():
    sizes = [len(candidates(program.modules)) for program in PROGRAMS.values()]
    assert min(sizes) >= 3
    assert sum(sizes) / len(sizes) > 10
