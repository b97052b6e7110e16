import base64
import io

import numpy as np
import torch
from PIL import Image

from elva.apis.recaption import Protocol
from elva.apis.recaption.messages import MessageWriter, data_url, fill
from elva.apis.recaption.samples import Sample


def image_of(url):
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def sample_of(*paths, bounds=None):
    return Sample({}, "a", paths, bounds or [None] * len(paths), "old {frames}")


def urls(messages):
    return [part["image_url"]["url"] for part in messages[-1]["content"] if part["type"] == "image_url"]


def test_a_frame_survives_as_jpeg():
    frame = torch.zeros(3, 20, 30, dtype=torch.uint8)
    frame[0, :, :15] = 200
    pixels = np.asarray(image_of(data_url(frame, 95))).astype(int)
    assert pixels.shape == (20, 30, 3) and abs(pixels[:, :8, 0] - 200).max() < 12 and pixels[:, 24:].max() < 12


def test_frames_are_spread_and_fit_the_side(clip):
    (message,) = MessageWriter(Protocol("m", frames=5, max_side=32)).write(sample_of(clip("h264.mp4")))  # 48 x 64
    assert [image_of(url).size for url in urls([message])] == [(32, 24)] * 5
    assert "at 0.0, 0.4, 0.8, 1.2, 1.6 seconds" in message["content"][-1]["text"]


def test_small_frames_are_not_enlarged_and_a_part_is_a_part(clip):
    writer = MessageWriter(Protocol("m", "{seconds}", frames=2, max_side=512))
    messages = writer.write(sample_of(clip("h264.mp4"), bounds=[(0.4, 0.81)]))
    assert [image_of(url).size for url in urls(messages)] == [(64, 48)] * 2
    first, last = map(float, messages[-1]["content"][-1]["text"].split(", "))
    assert (first, last) == (0.4, 0.8)


def test_several_files_are_numbered_and_the_raw_caption_is_not_filled_in(clip):
    writer = MessageWriter(Protocol("m", "{frames}|{raw_caption}|{}", system="s", frames=1))
    system, user = writer.write(sample_of(clip("h264.mp4"), clip("vp9.webm")))
    assert system == {"role": "system", "content": "s"}
    texts = [part.get("text") for part in user["content"]]
    assert texts == ["File 1:", None, "File 2:", None, "2|old {frames}|{}"]


def test_fill_leaves_other_braces():
    assert fill('Answer as {"caption": "..."}', [], "x") == 'Answer as {"caption": "..."}'
