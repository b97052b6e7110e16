from pathlib import Path

import pytest

from elva.apis.question_item import place_videos, question_item


def test_videos_stand_before_a_question_or_at_its_tags():
    assert place_videos("Why?", 2) == "<video>\n<video>\nWhy?"
    assert place_videos("Is <image> in <video>?", 2) == "Is <video> in <video>?"
    assert place_videos("Why?", 0) == "Why?"


@pytest.mark.parametrize("count", [0, 2])
def test_tags_that_are_not_one_for_each_video_are_refused(count):
    with pytest.raises(ValueError, match=f"has 1 <image>/<video> tags, but {count} videos are given: 'In <video>"):
        place_videos("In <video>?", count)


def test_an_item_is_what_a_pipeline_starts_from():
    one = question_item(Path("a.mp4"), "Why?")
    assert one["videos"] == ["a.mp4"]
    assert one["conversations"] == [{"role": "user", "content": "<video>\nWhy?"}]
    assert question_item(["a.mp4", Path("b.png")], "Why?", "7") | {"conversations": 0} == {
        "id": "7",
        "videos": ["a.mp4", "b.png"],
        "conversations": 0,
        "meta": {},
    }
