import pytest

from alliance_longitudinal.errors import StudyError
from alliance_longitudinal.timing import TimeWindow


@pytest.mark.parametrize("text", [(1, 5), [1, 5], "1,5", "(1, 5)", "1-5", " 1 , 5 ", "1 to 5"])
def test_a_range_is_read_in_every_spelling(text: object) -> None:
    assert TimeWindow.parse(text) == TimeWindow(1, 5)


@pytest.mark.parametrize("text", [3, "3", (3,), [3, 3]])
def test_a_single_session_is_a_window(text: object) -> None:
    window = TimeWindow.parse(text)
    assert (window, window.sessions, str(window)) == (TimeWindow(3, 3), 1, "session 3")


@pytest.mark.parametrize("text", ["one", None, True, "1,2,3", [], 1.5])
def test_what_is_no_window_is_refused_with_examples(text: object) -> None:
    with pytest.raises(
        StudyError, match=r"cannot be read\. Give the first and the last session, such as 1,5"
    ):
        TimeWindow.parse(text)


@pytest.mark.parametrize("text", ["5,1", (-1, 3)])
def test_a_backward_or_negative_range_is_refused(text: object) -> None:
    with pytest.raises(StudyError, match="is not a range of sessions"):
        TimeWindow.parse(text)
