"""A number never parts from what belongs to it at a line's end; nothing else changes."""

import pytest

from inside.reporting_page import whole


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("95 % interval 0.66 to 1.12", "95\xa0% interval 0.66\xa0to\xa01.12"),
        ("lost 0.25 points over 8 weeks", "lost 0.25\xa0points over 8\xa0weeks"),
        ("30 therapists, 764 clients.", "30\xa0therapists, 764\xa0clients."),
        ("n = 812; p < .001", "n\xa0=\xa0812; p\xa0<\xa0.001".replace("<", "&lt;")),
        ("about ± 3 points", "about\xa0±\xa03\xa0points"),
        ("in 12 Übungen", "in 12\xa0Übungen"),
        ("more PHQ-9 points", 'more <span class="whole">PHQ-9</span>\xa0points'),
        ("OQ-45.2 and WAI-SR", '<span class="whole">OQ-45</span>.2\xa0and <span class="whole">WAI-SR</span>'),
        ("Psychology, 17. doi 10.1002/cpp.658", "Psychology, 17. doi\xa010.1002/cpp.658"),
        ("a client-level effect", "a client-level effect"),
        ("sessions 1-5", 'sessions <span class="whole">1-5</span>'),
        ("of sessions. Then", "of sessions. Then"),
        ("<b>5 & 6</b>", "&lt;b&gt;5 &amp; 6&lt;/b&gt;"),
    ],
)
def test_what_belongs_together_stays_together(text: str, wanted: str) -> None:
    assert str(whole(text)) == wanted


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)</script>", '" onload="x-1', "a-1<img src=x>", "&lt;", "'"]
)
def test_text_stays_text(text: str) -> None:
    import html

    shown = str(whole(text)).replace('<span class="whole">', "").replace("</span>", "").replace("\xa0", " ")
    assert "<" not in shown
    assert html.unescape(shown) == text


def test_numbers_that_are_not_text() -> None:
    assert str(whole(812)) == "812"
