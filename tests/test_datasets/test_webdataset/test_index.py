import os

import pytest

from elva.datasets.webdataset import copy_member, read_member, shard_index
from tests.test_datasets.test_webdataset.shards import captioned, write_shard, write_shards

MODULE = "elva.datasets.webdataset.index"
ARRAYS = ("starts", "offsets", "sizes", "first")


def test_samples_are_consecutive_members_with_one_key(tmp_path):
    names = ["a/1.mp4", "a/1.json", "b/1.json", "2.left.jpg", "2.right.jpg", "2.txt"]
    index = shard_index(write_shard(tmp_path / "0.tar", [(name, name.encode()) for name in names]))
    assert len(index) == 3
    assert [[member.name for member in index.members(i)] for i in range(3)] == [names[:2], names[2:3], names[3:]]
    assert all(read_member(index.path, index.find(name)) == name.encode() for name in names)


def test_a_name_is_found_whole(tmp_path):
    index = shard_index(
        write_shard(tmp_path / "0.tar", [("11.mp4", b"a"), ("a/1.mp4", b"d"), ("1.mp4", b"b"), ("1.mp4x", b"c")])
    )
    assert read_member(index.path, index.find("1.mp4")) == b"b"
    with pytest.raises(ValueError, match=r"0\.tar has no member '1\.mp'"):
        index.find("1.mp")


def test_scattered_members_are_refused(tmp_path):
    shard = write_shard(tmp_path / "0.tar", [("1.mp4", b""), ("2.mp4", b""), ("1.txt", b"")])
    with pytest.raises(ValueError, match=r"members of sample '1' are not next to each other\. .*--sort=name"):
        shard_index(shard)


def test_an_empty_shard_has_no_samples(tmp_path):
    assert len(shard_index(write_shard(tmp_path / "0.tar", []))) == 0


def test_headers_are_read_once_unless_the_file_changes(tmp_path, monkeypatch):
    (path,) = write_shards(tmp_path, [2])
    assert len(shard_index(path)) == 2
    monkeypatch.setattr(f"{MODULE}.read_headers", lambda path: pytest.fail("read again"))
    assert len(shard_index(path)) == 2
    monkeypatch.undo()
    write_shards(tmp_path, [3])
    assert len(shard_index(path)) == 3


def test_another_process_reads_the_index_not_the_headers(tmp_path, monkeypatch):
    paths = [*write_shards(tmp_path, [3, 0]), str(write_shard(tmp_path / "cut.tar", captioned("ü")))]
    os.truncate(paths[2], 1540)
    first = [shard_index(path) for path in paths]
    monkeypatch.setattr(f"{MODULE}._known", {})
    monkeypatch.setattr(f"{MODULE}.read_headers", lambda path: pytest.fail("read again"))
    for before, index in zip(first, map(shard_index, paths), strict=True):
        assert (before.names, before.damage, before.path) == (index.names, index.damage, index.path)
        assert all((getattr(before, key) == getattr(index, key)).all() for key in ARRAYS)
        assert [before.members(i) for i in range(len(before))] == [index.members(i) for i in range(len(index))]
    assert "byte 1540, inside of 'ü.mp4'" in first[2].damage


def test_without_a_place_to_keep_it_the_index_is_made_each_time(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(shard_index(*write_shards(tmp_path, [2]))) == 2


def test_a_member_is_copied_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{MODULE}._CHUNK", 7)
    path = str(write_shard(tmp_path / "0.tar", captioned("1", bytes(range(100)))))
    copy_member(path, "1.mp4", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == bytes(range(100))


def test_a_cut_member_says_what_is_missing(tmp_path):
    path = write_shard(tmp_path / "0.tar", captioned("1", b"0" * 2000))
    os.truncate(path, 612)
    member = shard_index(path).find("1.mp4")
    with pytest.raises(ValueError, match=r"ends inside of '1\.mp4': 1900 of its 2000 bytes from byte 512 on"):
        read_member(path, member)
