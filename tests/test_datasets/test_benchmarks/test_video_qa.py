import json
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.datasets.benchmarks import MSRVTTQA, MSVDQA
from tests.test_datasets.test_benchmarks.layouts_b import write_msrvtt_qa, write_msvd_qa, write_zero_shot

Clip = Callable[[str], str]


def test_msvd_names_its_numbered_videos_by_the_mapping(tmp_path: Path, clip: Clip) -> None:
    write_msvd_qa(tmp_path, clip("b_frames.avi"))
    benchmark = MSVDQA(str(tmp_path), layout="original")
    first, second = benchmark.questions
    assert (first.id, first.text, first.answer) == ("30933", "who pours liquid?", "someone")
    assert first.groups == {"question": "who"} and second.groups == {"question": "what"}
    assert second.video == "YouTubeClips/-7KMZQEsJW4_205_208.avi"
    assert benchmark.verify().missing == ()
    assert benchmark.protocol()["layout"] == "original"


def test_msrvtt_has_categories(tmp_path: Path, clip: Clip) -> None:
    write_msrvtt_qa(tmp_path, clip("h264.mp4"))
    (question,) = MSRVTTQA(str(tmp_path), layout="original").questions
    assert question.video == "videos/all/video6513.mp4"
    assert question.groups == {"question": "how", "category": "kids/family"}


@pytest.mark.parametrize(
    ("kind", "video"), [(MSVDQA, "videos/-4wsuPCjDBc_5_15.avi"), (MSRVTTQA, "videos/all/video7010.mp4")]
)
def test_zero_shot_answers_are_matched_by_id(kind: type, video: str, tmp_path: Path, clip: Clip) -> None:
    write_zero_shot(tmp_path, clip("h264.mp4"), video)
    benchmark = kind(str(tmp_path))
    assert [(q.text, q.answer) for q in benchmark.questions] == [
        ("what is a cat doing?", "play"),
        ("Is it asleep?", "no"),
    ]
    assert {q.video for q in benchmark.questions} == {video} and benchmark.verify().missing == ()
    assert benchmark.questions[1].groups == {"question": "other"}


def test_another_folder_of_videos(tmp_path: Path, clip: Clip) -> None:
    write_msrvtt_qa(tmp_path, clip("h264.mp4"))
    assert MSRVTTQA(str(tmp_path), "original", videos="TestVideo").questions[0].video == "TestVideo/video6513.mp4"


def test_a_video_that_the_mapping_lacks(tmp_path: Path, clip: Clip) -> None:
    write_msvd_qa(tmp_path, clip("h264.mp4"))
    (tmp_path / "youtube_mapping.txt").write_text("-4wsuPCjDBc_5_15 vid1\n")
    with pytest.raises(ValueError, match="test_qa.json: row 2: 'vid2' is not in .*youtube_mapping.txt"):
        MSVDQA(str(tmp_path), layout="original")
    (tmp_path / "youtube_mapping.txt").write_text("vid1 -4wsuPCjDBc_5_15\n")
    with pytest.raises(ValueError, match="line 1: expected '<file name> vid<number>'"):
        MSVDQA(str(tmp_path), layout="original")


def test_missing_files_are_all_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="(?s)test_qa.json.*youtube_mapping.txt"):
        MSVDQA(str(tmp_path), layout="original")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": "videollava"}, "MSVDQA: layout must be one of original, zero_shot, got 'videollava'"),
        ({"split": "val"}, "split must be one of test in layout 'zero_shot', got 'val'"),
        ({"layout": "original", "split": "dev"}, "split must be one of train, val, test in layout 'original'"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        MSVDQA(str(tmp_path), **arguments)


def test_an_unknown_category(tmp_path: Path, clip: Clip) -> None:
    write_msrvtt_qa(tmp_path, clip("h264.mp4"))
    rows = json.loads((tmp_path / "test_qa.json").read_text())
    (tmp_path / "test_qa.json").write_text(json.dumps([rows[0] | {"category_id": 20}]))
    with pytest.raises(ValueError, match=r"row 1: 'category_id' must lie in \[0, 19\], got 20"):
        MSRVTTQA(str(tmp_path), layout="original")
