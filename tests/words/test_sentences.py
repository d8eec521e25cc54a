"""Sentences keep their numbers as values; outsiders see of them what they may."""

import copy
import pickle

import pytest

from alliance_longitudinal.counts import Count, Number, Outsiders, Share
from alliance_longitudinal.findings import Finding
from alliance_longitudinal.sentences import Sentence, for_outsiders, joined, listed, say, told

TEN = Outsiders(10)


@pytest.mark.parametrize(
    ("n", "inside", "outside"),
    [
        (0, "0 clients have left.", "0 clients have left."),
        (1, "1 client has left.", "Fewer than 10 clients have left."),
        (9, "9 clients have left.", "Fewer than 10 clients have left."),
        (10, "10 clients have left.", "About 10 clients have left."),
        (14, "14 clients have left.", "About 10 clients have left."),
        (15, "15 clients have left.", "About 20 clients have left."),
        (1234, "1\u202f234 clients have left.", "About 1\u202f230 clients have left."),
    ],
)
def test_a_count_as_its_owner_and_as_an_outsider_reads_it(n, inside, outside):
    text = say("{n:noun} {n:has|have} left.", n=Count(n, "client"))
    assert text == inside
    assert for_outsiders(text, TEN) == outside


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [
        (0, 240, "0\xa0%"),
        (3, 240, "a small share"),
        (237, 240, "nearly all"),
        (240, 240, "100\xa0%"),
        (104, 239, "about 42\xa0%"),  # 100 of 240
        (12, 14, "nearly all"),
    ],
)
def test_a_share_for_outsiders_is_made_from_rounded_counts(part, whole, shown):
    assert for_outsiders(say("x {s}", s=Share(part, whole)), TEN) == f"x {shown}"


def test_limits_of_a_share_go_outwards_and_hold_the_rounded_share():
    share = Share(104, 239, 0.3711, 0.5012)
    assert say("{s} ({s:interval})", s=share) == "44\xa0% (37\xa0% to 50\xa0%)"
    assert for_outsiders(say("{s} ({s:interval})", s=share), TEN) == "About 42\xa0% (37\xa0% to 51\xa0%)"
    few = Share(4, 239, 0.001, 0.05)
    assert for_outsiders(say("It is {s} ({s:interval})", s=few), TEN) == "It is a small share (not shown)"


def test_what_counts_no_people_stays():
    text = say(
        "Session {s}, {w:noun}, {t:noun}.",
        s=Number(3, "integer"),
        w=Number(1, "integer", "week"),
        t=Number(7, "integer", "therapist"),
    )
    assert text == "Session 3, 1 week, 7 therapists."
    assert for_outsiders(text, TEN) == text


def test_a_mean_tells_outsiders_no_number_of_people():
    mean = Number(379 / 22, n=22)
    assert for_outsiders(say("{m}", m=mean), TEN) == "17.2"
    assert for_outsiders(say("{m}", m=Number(4.5, n=4)), TEN) == "Not shown"


@pytest.mark.parametrize("n", [12, 22, 57, 130, 480])
def test_every_number_of_people_could_have_given_the_mean(n):
    """From a rounded mean nobody can tell by how many persons a sum of whole scores was divided."""
    total = 7 * n + n // 3
    shown = TEN.number(total / n, n)
    half = 0.5 * 10 ** -min(2, len(str(n)) - 1)
    near = range(max(10, n - n // 4), n + n // 4)
    assert all(round(shown * m) / m - shown <= half + 1e-12 for m in near)


def test_a_bare_number_is_refused():
    with pytest.raises(
        TypeError, match="The value 'n' of a sentence is 3: make it a Count, a Share or a Number"
    ):
        say("{n} left", n=3)


def test_sentences_stay_sentences_when_they_are_put_together():
    one, two = say("{n:noun} left.", n=Count(3, "client")), say("{n} stayed.", n=Count(30, "client"))
    together = [
        one + " " + two,
        "Note: " + one,
        joined([one, two]),
        listed([one, "b", two]),
        say("{a}!", a=one),
    ]
    assert [str(t) for t in together] == [
        "3 clients left. 30 stayed.",
        "Note: 3 clients left.",
        "3 clients left. 30 stayed.",
        "3 clients left., b and 30 stayed.",
        "3 clients left.!",
    ]
    assert for_outsiders(together[0], TEN) == "Fewer than 10 clients left. About 30 stayed."
    for text in together:
        assert "3 clients" not in for_outsiders(text, TEN)


def test_copies_and_findings_keep_the_values():
    text = say("{n:noun} left.", n=Count(3, "client"))
    for same in (copy.deepcopy(text), pickle.loads(pickle.dumps(text)), Finding("a", "info", text).message):
        assert isinstance(same, Sentence)
        assert for_outsiders(same, TEN) == "Fewer than 10 clients left."


def test_a_plain_text_is_not_touched():
    assert for_outsiders("PHQ-9, rank 1", TEN) == "PHQ-9, rank 1"


def test_an_error_with_plain_digits_is_not_told_to_outsiders():
    """Text of the engine may count a model's rows; what `say` made keeps its values instead."""
    plain = told(ValueError("The term has 897 effects for 897 rows."))
    assert plain == "The term has 897 effects for 897 rows."
    assert for_outsiders(plain, Outsiders(10)) == "The reason contains exact numbers and is not shown."
    made = told(ValueError(say("{n:noun} are too few.", n=Count(12, "client"))))
    assert for_outsiders(made, Outsiders(10)) == "About 10 clients are too few."
    assert told(ValueError("It did not converge.")) == "It did not converge."
