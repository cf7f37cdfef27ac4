"""Bars: what is shown of long work, to whom, and that the work is done all the same."""

from __future__ import annotations

import pytest

from splinescope import progress


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars that appear without delay."""
    monkeypatch.setattr(progress, "_DELAY", 0.0)


@pytest.mark.usefixtures("at_once")
def test_nothing_is_shown_to_those_who_want_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.counting(3, "points", progress=False) as advance:
        advance(3)
    assert list(progress.each("abc", "points", progress=False)) == ["a", "b", "c"]
    with progress.reporting(False) as report:
        report(1.0, 7)
    assert capsys.readouterr() == ("", "")


def test_short_work_shows_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.counting(3, "points", progress=True) as advance:
        advance(3)
    assert list(progress.each("abc", "points", progress=True)) == ["a", "b", "c"]
    assert capsys.readouterr().err.strip("\r\n ") == ""


@pytest.mark.usefixtures("at_once")
def test_counts_say_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.counting(8, "points", progress=True) as advance:
        assert "0/8" in capsys.readouterr().err
        advance(2)
    assert list(progress.each(range(3, 5), "steps", progress=True, done=3)) == [3, 4]
    told = capsys.readouterr().err
    assert " 3/5 " in told
    assert "steps/s" in told
    with progress.counting(1, "points", progress=True, form="{percentage:.0f} % proved"):
        pass
    assert "0 % proved" in capsys.readouterr().err


@pytest.mark.usefixtures("at_once")
def test_cells_are_told_and_the_share_never_goes_back(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.reporting(True) as report:
        for share, cells in ((0.5, 1000), (0.25, 2000), (1.5, 3000)):
            report(share, cells)
    told = capsys.readouterr().err
    assert "3,000 cells" in told
    assert told.rstrip().rpartition("\r")[2].startswith("100%")


def test_a_function_of_the_user_is_called_as_it_is() -> None:
    seen: list[tuple[float, int]] = []

    def note(share: float, cells: int) -> None:
        seen.append((share, cells))

    with progress.reporting(note) as report:
        report(0.5, 3)
    assert seen == [(0.5, 3)]


@pytest.mark.usefixtures("at_once")
def test_bars_name_their_phase_and_remarks_reach_those_who_look(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.reporting(True, phase="cutting") as report:
        report(0.5, 1000)
    progress.remark(True, "interrupted: 12 cells are kept")
    told = capsys.readouterr().err
    assert "cutting:" in told
    assert told.endswith("interrupted: 12 cells are kept\n")
    progress.remark(False, "nothing")
    progress.remark(lambda share, cells: None, "nothing")
    assert capsys.readouterr().err == ""
