import pytest
import torch

from elva.models.data_preprocessor import IGNORE, VideoDataPreprocessor
from elva.structures import Clip, FramePlan, VideoQASample


def make_clip(*sizes: tuple[int, int], value: int = 255) -> Clip:
    plan = FramePlan(tuple(map(float, range(len(sizes)))), sizes)
    pixels = [torch.full((len(t), 3, *size), value, dtype=torch.uint8) for size, t in plan.groups().items()]
    return Clip(plan, tuple(pixels), "a.mp4")


def make_batch(labels: bool = True):
    clips = [[make_clip((8, 8), (4, 4)), make_clip((8, 8), value=0)], []]
    ids = [torch.tensor([1, 2, 3]), torch.tensor([4])]
    own = [torch.tensor([IGNORE, 2, 3]), torch.tensor([4])] if labels else None
    samples = [VideoQASample("a"), VideoQASample("b")]
    return {"inputs": {"clips": clips, "input_ids": ids, "labels": own}, "data_samples": samples}


def test_text_is_padded_on_the_right():
    batch = make_batch()
    out = VideoDataPreprocessor()(batch, training=True)
    inputs = out["inputs"]
    assert inputs["ids"].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert inputs["valid"].tolist() == [[True, True, True], [True, False, False]]
    assert inputs["labels"].tolist() == [[IGNORE, 2, 3], [4, IGNORE, IGNORE]]
    assert out["data_samples"] is batch["data_samples"]


def test_without_labels_there_are_none():
    assert VideoDataPreprocessor()(make_batch(labels=False))["inputs"]["labels"] is None


def test_the_clips_of_all_samples_stand_in_order_and_keep_their_plans():
    clips = VideoDataPreprocessor()(make_batch())["inputs"]["clips"]
    assert [len(clip.plan) for clip in clips] == [2, 1]
    assert [tuple(p.shape) for p in clips[0].pixels] == [(1, 3, 8, 8), (1, 3, 4, 4)]
    assert clips[0].path == "a.mp4"


def test_pixels_are_normalised_to_plus_minus_one_by_default():
    clips = VideoDataPreprocessor()(make_batch())["inputs"]["clips"]
    assert clips[0].pixels[0].dtype == torch.float32
    assert (clips[0].pixels[1] == 1).all()
    assert (clips[1].pixels[0] == -1).all()


def test_mean_and_std_are_those_of_each_colour():
    preprocessor = VideoDataPreprocessor(mean=(255.0, 0.0, 127.5), std=(1.0, 255.0, 127.5))
    pixels = preprocessor(make_batch())["inputs"]["clips"][0].pixels[0]
    assert pixels[0, :, 0, 0].tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("settings", [{}, {"mean": (123.0, 116.0, 103.0), "std": (58.0, 57.0, 57.0)}])
def test_denormalise_gives_rgb_from_zero_to_one(settings):
    preprocessor = VideoDataPreprocessor(**settings)
    for value in (0, 51, 255):
        clip = make_clip((4, 4), value=value)
        batch = {"inputs": {"clips": [[clip]], "input_ids": [torch.tensor([1])], "labels": None}, "data_samples": []}
        pixels = preprocessor(batch)["inputs"]["clips"][0].pixels[0]
        torch.testing.assert_close(preprocessor.denormalise(pixels), torch.full((1, 3, 4, 4), value / 255))


def test_it_adds_nothing_to_a_checkpoint():
    assert VideoDataPreprocessor().state_dict() == {}


def test_everything_moves_to_the_device_of_the_model():
    out = VideoDataPreprocessor().to("meta")(make_batch())["inputs"]
    tensors = [out["ids"], out["valid"], out["labels"], *out["clips"][0].pixels]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
