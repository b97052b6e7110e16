import gzip
import tarfile

import pytest

from elva.datasets.webdataset.headers import Member, read_headers
from tests.test_datasets.test_webdataset.shards import captioned, write_shard


def test_members_are_told_by_name_and_place(tmp_path):
    shard = write_shard(tmp_path / "0.tar", [("a/1.mp4", b"12345"), ("a/1.json", b"{}")])
    members, damage = read_headers(shard)
    assert damage == ""
    assert [(m.name, m.size) for m in members] == [("a/1.mp4", 5), ("a/1.json", 2)]
    assert [shard.read_bytes()[m.offset : m.offset + m.size] for m in members] == [b"12345", b"{}"]


@pytest.mark.parametrize(
    ("name", "key", "extension"),
    [
        ("000.mp4", "000", "mp4"),
        ("a/b/000.Left.JPG", "a/b/000", "left.jpg"),
        ("v1.5/000.mp4", "v1.5/000", "mp4"),
    ],
)
def test_the_key_ends_at_the_first_dot_of_the_files_own_name(name, key, extension):
    assert (Member(name, 0, 0).key, Member(name, 0, 0).extension) == (key, extension)


def test_what_is_no_part_of_a_sample_is_left_out(tmp_path):
    names = ["__meta__.json", "a/__index__/0.txt", ".hidden.mp4", "a/._0.mp4", "README", "./0.mp4"]
    shard = write_shard(tmp_path / "0.tar", [(name, b"x") for name in names])
    with tarfile.open(shard, "a") as tar:
        folder, link = tarfile.TarInfo("a.b"), tarfile.TarInfo("1.mp4")
        folder.type, link.type, link.linkname = tarfile.DIRTYPE, tarfile.SYMTYPE, "0.mp4"
        tar.addfile(folder)
        tar.addfile(link)
    assert [member.name for member in read_headers(shard)[0]] == ["0.mp4"]


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_long_names_and_letters_of_all_kinds(tmp_path, format):
    names = ["folder/" * 40 + "0.mp4", "лето/ü 1.mp4"]
    shard = write_shard(tmp_path / "0.tar", [(name, b"x") for name in names], format)
    assert [member.name for member in read_headers(shard)[0]] == names


def test_a_shard_that_was_cut_says_where(tmp_path):
    shard = write_shard(tmp_path / "0.tar", [*captioned("1"), *captioned("2", b"0" * 5000)])
    whole = shard.read_bytes()
    offset = read_headers(shard)[0][2].offset
    shard.write_bytes(whole[: offset + 100])
    members, damage = read_headers(shard)
    assert [member.name for member in members] == ["1.mp4", "1.txt", "2.mp4"]
    assert damage == f"it ends at byte {offset + 100}, inside of '2.mp4' (from byte {offset} on)"


def test_a_shard_that_was_cut_between_members_is_suspicious(tmp_path):
    shard = write_shard(tmp_path / "0.tar", [*captioned("1"), *captioned("2")])
    offset = read_headers(shard)[0][2].offset - 512
    shard.write_bytes(shard.read_bytes()[:offset])
    members, damage = read_headers(shard)
    assert len(members) == 2
    assert damage == f"it ends at byte {offset} without an end mark, so it may have been cut there"


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path):
    shard = write_shard(tmp_path / "0.tar", [*captioned("1"), *captioned("2")])
    offset = read_headers(shard)[0][2].offset - 512
    content = bytearray(shard.read_bytes())
    content[offset : offset + 512] = b"\xff" * 512
    shard.write_bytes(content)
    members, damage = read_headers(shard)
    assert len(members) == 2
    assert f"byte {offset} is no header" in damage


def test_empty_shards_are_empty(tmp_path):
    assert read_headers(write_shard(tmp_path / "0.tar", [])) == ([], "")
    (tmp_path / "1.tar").write_bytes(b"")
    assert read_headers(tmp_path / "1.tar") == ([], "it ends at byte 0, before the first member")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "0.tar").write_bytes(b"this is no tar file" * 100)
    with pytest.raises(ValueError, match=r"0\.tar is no tar file \("):
        read_headers(tmp_path / "0.tar")
    shard = write_shard(tmp_path / "1.tar", [(f"{i}.txt", bytes([i, i + 1]) * 700) for i in range(9)])
    shard.write_bytes(gzip.compress(shard.read_bytes(), 0))
    with pytest.raises(ValueError, match=r"1\.tar is no tar file but gzip: unpack it"):
        read_headers(shard)


def test_no_content_is_read(tmp_path):
    """A hole of a terabyte instead of a video: whoever read it would not come back."""
    shard, size = tmp_path / "0.tar", 1 << 40
    info = tarfile.TarInfo("0.mp4")
    info.size = size
    with shard.open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.truncate(512 + size + 1024)
    assert read_headers(shard) == ([Member("0.mp4", 512, size)], "")


def test_a_shard_that_was_cut_in_a_long_name_keeps_what_is_before(tmp_path):
    shard = write_shard(tmp_path / "0.tar", [*captioned("1"), ("long" * 80 + ".mp4", b"0")])
    content = shard.read_bytes()
    (tmp_path / "1.tar").write_bytes(content[: content.index(b"longlong") + 50])
    members, damage = read_headers(tmp_path / "1.tar")
    assert [member.name for member in members] == ["1.mp4", "1.txt"]
    assert damage == "what follows byte 1537 cannot be read (empty header)"
