import os
from pathlib import Path

import pytest

from elva.apis.check_dataset.journal import Journal
from elva.apis.check_dataset.media import FileFound, FileJob, stamp
from elva.structures import VideoMeta


@pytest.fixture
def jobs(tmp_path):
    """Three files."""
    for name in "abc":
        (tmp_path / name).write_text(name)
    return [FileJob(str(tmp_path / name), ((0, None),)) for name in "abc"]


def found(job: FileJob, error: str = "") -> FileFound:
    return FileFound(stamp(job.path), VideoMeta(job.path, 2.5, 30000 / 1001, 48, 64, 0.1, "h264"), error)


def written(path: Path, *entries: tuple[FileJob, FileFound]) -> None:
    with Journal(path) as journal:
        for job, result in entries:
            journal.add(job, "how", result)


def test_what_is_written_is_found_again(tmp_path, jobs):
    path = tmp_path / "new" / "journal.jsonl"
    expected = [found(jobs[0]), found(jobs[1], "is “broken”")]
    written(path, *zip(jobs, expected, strict=False))
    with Journal(path) as journal:
        assert len(journal) == 2
        assert [journal.find(job, "how") for job in jobs] == [*expected, None]
        assert journal.find(jobs[0], "another way") is None


def test_a_file_that_changed_is_new(tmp_path, jobs):
    path = tmp_path / "journal.jsonl"
    written(path, *((job, found(job)) for job in jobs))
    Path(jobs[0].path).write_text("longer")
    os.utime(jobs[1].path, ns=(1, 1))
    Path(jobs[2].path).unlink()
    with Journal(path) as journal:
        assert [journal.find(job, "how") for job in jobs] == [None] * 3


@pytest.mark.parametrize("cut", [1, 20])
def test_a_torn_last_line_is_dropped_and_written_over(tmp_path, jobs, cut):
    path = tmp_path / "journal.jsonl"
    written(path, *((job, found(job)) for job in jobs[:2]))
    path.write_bytes(path.read_bytes()[:-cut])
    written(path, (jobs[2], found(jobs[2])))
    with Journal(path) as journal:
        assert [journal.find(job, "how") is not None for job in jobs] == [True, False, True]
    assert path.read_bytes().count(b"\n") == 2


def test_lines_that_are_none_are_passed_over(tmp_path, jobs):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"half": 1}\nnot json\n[]\n7\n')
    written(path, (jobs[0], found(jobs[0])))
    with Journal(path) as journal:
        assert journal.find(jobs[0], "how") == found(jobs[0])


def test_the_newest_line_counts(tmp_path, jobs):
    path = tmp_path / "journal.jsonl"
    written(path, (jobs[0], found(jobs[0], "too slow")), (jobs[1], found(jobs[1])), (jobs[0], found(jobs[0])))
    with Journal(path) as journal:
        assert journal.find(jobs[0], "how") == found(jobs[0])


def test_bad_files_are_looked_at_again_and_everything_afresh_if_asked(tmp_path, jobs):
    path = tmp_path / "journal.jsonl"
    written(path, (jobs[0], found(jobs[0], "too slow")), (jobs[1], found(jobs[1])))
    with Journal(path, retry=True) as journal:
        assert [journal.find(job, "how") is not None for job in jobs[:2]] == [False, True]
    with Journal(path, fresh=True) as journal:
        assert len(journal) == 0


def test_a_missing_file_is_not_remembered(tmp_path):
    path, job = tmp_path / "journal.jsonl", FileJob(str(tmp_path / "gone"), ((0, None),))
    written(path, (job, FileFound("", None, "cannot be found")))
    with Journal(path) as journal:
        assert journal.find(job, "how") is None
