import math

import numpy as np
import pytest
from PIL import Image

from elva.datasets.readers.still_image import read_image
from elva.integrations.lmms_eval.items import MediaFolder, chat_item, simple_item


@pytest.fixture
def media(tmp_path):
    return MediaFolder(tmp_path)


def test_an_image_in_memory_is_written_without_loss_and_deleted_again(media, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    item = simple_item(media, "shapes-3", "Why?", ["/clips/a.mp4", Image.fromarray(pixels)])
    assert item["videos"] == ["/clips/a.mp4", str(tmp_path / "shapes-3-1.png")]
    assert item["conversations"] == [{"role": "user", "content": "<video>\n<video>\nWhy?"}]
    assert (read_image(item["videos"][1])[0][0] == pixels).all()
    media.discard(item["videos"])
    assert list(tmp_path.iterdir()) == []


def test_other_peoples_files_are_never_deleted(media, tmp_path):
    other = tmp_path / "folder" / "a.png"
    other.parent.mkdir()
    other.touch()
    media.discard([str(other)])
    assert other.exists()


def test_a_task_without_visuals_and_one_whose_text_has_their_places(media):
    assert simple_item(media, "a", "Why?", None)["videos"] == []
    placed = simple_item(media, "a", "First <image>, then <image>.", ["1.png", "2.png"])
    assert placed["conversations"][0]["content"] == "First <video>, then <video>."


def test_what_cannot_be_seen_is_refused(media):
    with pytest.raises(ValueError, match="a-0: a visual is a dict; ELVA takes paths of videos and images"):
        simple_item(media, "a", "Why?", [{"array": [0.0], "sampling_rate": 16000}])


def test_a_chat_keeps_its_turns_its_order_and_parts_of_videos(media):
    messages = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Compare"},
                {"type": "video", "url": "a.mp4", "start_time": 2, "end_time": 4.5},
                {"type": "text", "text": "with"},
                {"type": "image", "url": "b.png"},
            ],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "Both are red."}]},
        {
            "role": "user",
            "content": [{"type": "video", "url": "c.mp4", "start_time": 1}, {"type": "text", "text": "?"}],
        },
    ]
    item = chat_item(media, "a", messages)
    assert item["videos"] == ["a.mp4", "b.png", "c.mp4"]
    assert item["bounds"] == [(2.0, 4.5), None, (1.0, math.inf)]
    assert [(turn["role"], turn["content"]) for turn in item["conversations"]] == [
        ("system", "Be brief."),
        ("user", "Compare\n<video>\nwith\n<video>"),
        ("assistant", "Both are red."),
        ("user", "<video>\n?"),
    ]


def test_a_chat_whose_text_has_the_places(media):
    parts = [{"type": "image", "url": "b.png"}, {"type": "text", "text": "Is <image> red?"}]
    assert (
        chat_item(media, "a", [{"role": "user", "content": parts}])["conversations"][0]["content"] == "Is <video> red?"
    )
    parts.append({"type": "image", "url": "c.png"})
    with pytest.raises(ValueError, match="has 1 <image>/<video> tags, but 2 videos"):
        chat_item(media, "a", [{"role": "user", "content": parts}])


@pytest.mark.parametrize(
    ("role", "part", "message"),
    [
        ("user", {"type": "audio", "url": "a.wav"}, "a: a message has a part of type 'audio'"),
        ("assistant", {"type": "image", "url": "a.png"}, "a: a message of the assistant has an image or a video"),
    ],
)
def test_a_chat_with_sound_or_with_pictures_of_the_assistant_is_refused(media, role, part, message):
    with pytest.raises(ValueError, match=message):
        chat_item(media, "a", [{"role": role, "content": [part]}])
