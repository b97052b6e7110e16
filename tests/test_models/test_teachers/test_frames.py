import torch

from elva.models.teachers import resize_frames, teacher_frames
from elva.models.tokenizers import TubeletEmbed
from elva.structures import Clip, FramePlan

BIG, SMALL = (16, 16), (8, 8)


def clip_of(sizes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    plan = FramePlan(tuple(float(t) for t in range(len(sizes))), tuple(sizes))
    return Clip(plan, tuple(torch.rand(len(f), 3, *size, generator=generator) for size, f in plan.groups().items()))


def test_equal_clips_pass_unchanged_but_denormalised():
    clips = [clip_of((BIG,) * 4, seed) for seed in range(3)]
    frames, unit = teacher_frames(clips, 16, lambda pixels: 1 - pixels, 2)
    assert torch.equal(frames, torch.stack([1 - clip.pixels[0] for clip in clips]))
    assert unit.tolist() == [[0, 0, 1, 1]] * 3


def test_mixed_sizes_return_to_the_order_of_time():
    clip = clip_of((BIG, SMALL, SMALL, BIG))
    frames, unit = teacher_frames([clip, clip_of((SMALL,), 1)], 16, lambda pixels: pixels, 1)
    assert frames.shape == (2, 4, 3, 16, 16)
    assert torch.equal(frames[0, [0, 3]], clip.pixels[0])
    assert torch.equal(frames[0, 1:3], resize_frames(clip.pixels[1], 16))
    assert unit.tolist() == [[0, 1, 2, 3], [0, -1, -1, -1]]


def test_units_are_those_of_the_tokenizer():
    clips = [clip_of((BIG, SMALL, SMALL, SMALL, BIG, BIG)), clip_of((BIG,) * 3)]
    _, unit = teacher_frames(clips, 16, lambda pixels: pixels, 2)
    tokens = TubeletEmbed(8, patch_size=8, tubelet=2, embed_channels=8)(clips)
    for video, clip in enumerate(clips):
        for index in tokens.frame[video][tokens.valid[video]].unique():
            own = [clip.plan.seconds[t] for t in range(len(clip.plan)) if unit[video, t] == index]
            assert tokens.seconds[video][tokens.frame[video] == index][0] == sum(own) / len(own)


def test_resizing_keeps_values_in_range_and_places():
    frames = torch.zeros(1, 3, 8, 8)
    frames[..., 4:] = 1  # the right half
    big = resize_frames(frames, 32)
    assert big.shape == (1, 3, 32, 32)
    assert big.min() >= 0
    assert big.max() <= 1
    assert big[..., :12].max() < 0.01
    assert big[..., 20:].min() > 0.99
    assert resize_frames(frames, 8) is frames
