"""The report on sections: parts of known form, and scores that know right from wrong."""

from __future__ import annotations

from mt3drum.rhythm.sections import Form, Section
from scripts.sections_report import form_of, make_part, score


def test_the_true_form_scores_one_and_another_less() -> None:
    part = make_part(0, 0.1)
    sections = tuple(Section(label, 1, start, end) for start, end, label in part.sections)
    assert score(part, Form(sections, part.fills))[:2] == (1.0, 1.0)
    assert score(part, Form(sections, part.fills))[3:] == (0, 0)
    one = (Section("A", 1, 0, part.bars),)
    boundaries, pairs, *_ = score(part, Form(one, frozenset()))
    assert boundaries < 0.5 and pairs < 0.7


def test_most_of_a_part_is_found() -> None:
    part = make_part(3, 0.05)
    assert score(part, form_of(part))[1] > 0.7
