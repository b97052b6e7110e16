import os

import pytest

from elva.utils.media_path import member_path, path_identity, split_member


def test_a_member_is_found_in_its_path():
    assert split_member(member_path("train/0.tar", "a/1.mp4")) == ("train/0.tar", "a/1.mp4")
    assert split_member("train/0.tar") is None
    assert split_member("train/a::b.mp4") is None


def test_a_file_is_told_by_place_size_and_time(tmp_path):
    file = tmp_path / "a.mp4"
    file.write_bytes(b"12345")
    before = path_identity(str(file))
    assert path_identity(str(file)) == before
    os.utime(file, ns=(1, 1))
    assert path_identity(str(file)) != before


def test_a_member_is_told_by_its_name_and_the_shard(tmp_path):
    shard = tmp_path / "0.tar"
    shard.write_bytes(b"1")
    one, other = (path_identity(member_path(shard, name)) for name in ("1.mp4", "2.mp4"))
    assert one != other
    shard.write_bytes(b"12")
    assert path_identity(member_path(shard, "1.mp4")) != one


def test_a_folder_is_told_by_all_of_its_files(tmp_path):
    (tmp_path / "0.png").write_bytes(b"1")
    before = path_identity(str(tmp_path))
    (tmp_path / "1.png").write_bytes(b"1")
    assert len(path_identity(str(tmp_path))) == len(before) + 1


def test_a_missing_file_has_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        path_identity(str(tmp_path / "a.mp4"))
