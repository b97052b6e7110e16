"""Each stage starts from the last checkpoint of the one before."""

from pathlib import Path

import pytest

from elva.utils.stages import last_checkpoints

CONFIGS = Path(__file__).parents[2] / "configs"


def write(folder: Path, name: str, load_from: str | None, iters: int) -> Path:
    path = folder / name
    path.write_text(f"work_dir = 'w/{path.stem}'\nload_from = {load_from!r}\ntrain_cfg = dict(max_iters={iters})\n")
    return path


def test_checkpoints_follow_from_work_dir_and_length(tmp_path: Path) -> None:
    one = write(tmp_path, "one.py", None, 10)
    two = write(tmp_path, "two.py", "w/one/iter_10.pth", 20)
    assert last_checkpoints([one, two]) == ["w/one/iter_10.pth", "w/two/iter_20.pth"]


@pytest.mark.parametrize("start", [None, "w/one/iter_9.pth"])
def test_a_stage_that_starts_elsewhere_is_refused(tmp_path: Path, start: str | None) -> None:
    one = write(tmp_path, "one.py", None, 10)
    two = write(tmp_path, "two.py", start, 20)
    with pytest.raises(ValueError, match=r"two\.py: load_from is .* ends with 'w/one/iter_10\.pth'"):
        last_checkpoints([one, two])


def test_the_first_stage_starts_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"load_from is 'x\.pth'"):
        last_checkpoints([write(tmp_path, "one.py", "x.pth", 10)])


def test_the_tiny_stages_are_chained() -> None:
    ends = last_checkpoints([CONFIGS / f"elva_tiny_stage{stage}.py" for stage in (1, 2, 3)])
    assert [Path(end).parent for end in ends] == [Path(f"work_dirs/demo/stage{stage}") for stage in (1, 2, 3)]
