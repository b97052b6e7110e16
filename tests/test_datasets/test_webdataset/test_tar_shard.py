import json
import os
from pathlib import Path

import pytest

from elva.datasets import VideoTextDataset
from elva.datasets.annotations import TarShard
from elva.utils.media_path import member_path
from tests.test_datasets.test_webdataset.shards import captioned, conversation, write_shard, write_shards


def test_captions_become_conversations_about_the_sample_own_media(tmp_path):
    members = [*captioned("a/1"), *captioned("2", suffix="jpg"), ("3.mp4", b"x"), ("3.json", b'{"caption": "three"}')]
    shard = write_shard(tmp_path / "0.tar", members)
    items = [VideoTextDataset(str(shard)).raw(index) for index in range(3)]
    assert [item["id"] for item in items] == ["0/a/1", "0/2", "0/3"]
    names = ("a/1.mp4", "2.jpg", "3.mp4")
    assert [item["videos"] for item in items] == [[member_path(shard, name)] for name in names]
    talks = [[turn["content"] for turn in item["conversations"]] for item in items]
    assert talks[0] == ["<video>\nDescribe the video.", "a/1"]
    assert talks[1] == ["<video>\nDescribe the image.", "2"]
    assert talks[2] == ["<video>\nDescribe the video.", "three"]


def test_a_row_in_json_keeps_its_keys_but_not_its_paths(tmp_path):
    row = conversation({"id": "q1", "video": "elsewhere/x.mp4", "skill": "colour"})
    shard = write_shard(tmp_path / "0.tar", [("1.json", row), ("1.mp4", b"x"), ("1.txt", b"a caption")])
    item = VideoTextDataset(str(shard), data_root="root").raw(0)
    assert item["id"] == "q1"
    assert item["meta"] == {"skill": "colour"}
    assert item["videos"] == [member_path(shard, "1.mp4")]
    assert item["conversations"][1]["content"] == "That."


def test_several_media_come_as_the_row_names_them(tmp_path):
    turns = [{"from": "human", "value": "<video> or <video>?"}, {"from": "gpt", "value": "Both."}]
    members = [("1.left.mp4", b"x"), ("1.right.mp4", b"x")]
    for named, expected in [(["b/1.right.mp4", "b/1.left.mp4"], ["right", "left"]), (["p", "q"], ["left", "right"])]:
        row = json.dumps({"conversations": turns, "video": named}).encode()
        shard = write_shard(tmp_path / "0.tar", [*members, ("1.json", row)])
        videos = VideoTextDataset(str(shard)).raw(0)["videos"]
        assert videos == [member_path(shard, f"1.{name}.mp4") for name in expected]


def test_a_relative_path_of_a_shard_will_do(tmp_path, monkeypatch):
    write_shards(tmp_path, [1])
    monkeypatch.chdir(tmp_path)
    item = VideoTextDataset("00000.tar", data_root="root").raw(0)
    assert item["videos"] == [member_path(tmp_path / "00000.tar", "000000.mp4")]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("1.mp4", b"x")], r"has neither \.json nor \.txt \(but: mp4\)"),
        ([("1.json", b"{")], r"Expecting property name"),
        ([("1.json", b"{")], r"the \.json is not JSON: Expecting property name .*line 1 column 2"),
        ([("1.json", b'{"a": "\xe9"}')], r"the \.json is not UTF-8 text"),
        ([("1.json", b"[1]")], r"the \.json is a list, expected an object"),
        ([("1.txt", b"\xff")], r"can't decode"),
        ([("1.txt", b"about nothing")], r"neither 'video' nor 'image' names a file"),
    ],
)
def test_bad_samples_say_what_and_where(tmp_path, members, message):
    shard = write_shard(tmp_path / "0.tar", [*captioned("0"), *members])
    with pytest.raises(ValueError, match=r"0\.tar: sample '1' \(byte \d+\).*" + message):
        VideoTextDataset(str(shard)).raw(1)


def test_a_cut_shard_is_named_and_its_last_sample_replaced(tmp_path):
    paths = write_shards(tmp_path, [3, 3])
    whole = os.path.getsize(paths[0])
    shard = Path(paths[0])
    shard.write_bytes(shard.read_bytes()[: shard.read_bytes().index(b"000002.txt") + 512 + 3])
    dataset = VideoTextDataset(paths, max_skip_share=0.2)
    assert os.path.getsize(shard) < whole
    assert len(dataset) == 6
    replacement = dataset[2]["id"]
    assert replacement == dataset[2]["id"] != "00000/000002"
    ((name, error),) = dataset.skip_log.errors(dataset.source).items()
    assert name == "00000/000002"
    assert "00000.tar: sample '000002'" in error
    assert "3 of its 6 bytes" in error
    assert [dataset[index]["id"] for index in (0, 1, 3, 4, 5)] == [f"0000{i // 3}/00000{i}" for i in (0, 1, 3, 4, 5)]


def test_opening_a_damaged_shard_warns(tmp_path, monkeypatch):
    warnings = []
    monkeypatch.setattr("elva.datasets.annotations.tar_shard.print_log", lambda text, *_: warnings.append(text))
    (path,) = write_shards(tmp_path, [2])
    os.truncate(path, 514)
    TarShard(path)
    found = "it ends at byte 514, inside of '000000.mp4' (from byte 512 on)"
    assert warnings == [f"Shard {path} is damaged: {found}. Samples found before: 1."]


def test_an_empty_shard_among_others_is_no_error(tmp_path):
    paths = write_shards(tmp_path, [2, 0, 1])
    dataset = VideoTextDataset(paths)
    assert dataset.file_sizes == [2, 0, 1]
    assert [dataset[index]["id"] for index in range(3)] == ["00000/000000", "00000/000001", "00002/000002"]
    with pytest.raises(ValueError, match=r"00001\.tar has no samples"):
        VideoTextDataset(paths[1])


def test_a_pattern_names_shards_and_all_that_are_missing_are_listed(tmp_path):
    write_shards(tmp_path, [1, 2, 1])
    dataset = VideoTextDataset(f"{tmp_path}/{{00000..00002}}.tar", take="first:3")
    assert dataset.file_sizes == [1, 2, 0]
    assert dataset.source.endswith("{00000..00002}.tar")
    with pytest.raises(FileNotFoundError, match=r"2 of 5 annotation files do not exist:\n.*00003\.tar\n.*00004\.tar"):
        VideoTextDataset(f"{tmp_path}/{{00000..00004}}.tar")


def test_too_many_bad_samples_stop_the_run(tmp_path):
    good = [member for key in range(8) for member in captioned(str(key))]
    shard = write_shard(tmp_path / "0.tar", [*good, ("8.mp4", b"x"), ("9.mp4", b"x")])
    dataset = VideoTextDataset(str(shard), max_skip_share=0.1)
    dataset[8]
    with pytest.raises(ValueError, match=r"2 of 10 samples of .*0\.tar had to be skipped(.|\n)*0/8: (.|\n)*0/9: "):
        dataset[9]


def test_the_digest_follows_names_and_sizes_and_reads_no_media(tmp_path):
    first, same, other = (
        TarShard(write_shard(tmp_path / f"{number}.tar", captioned("1", media))).digest()
        for number, media in enumerate((b"pixels", b"PIXELS", b"more pixels"))
    )
    assert first == same != other
