import math

import pytest
import torch

from elva.models.teachers import HOGTeacher


def ramp(angle, side=16):
    """A frame whose brightness rises in the direction ``angle``."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    return (0.5 + 0.02 * (x * math.cos(angle) + y * math.sin(angle))).expand(1, 1, 3, side, side)


def test_features_have_the_promised_shape():
    for colour, channels in ((False, 27), (True, 30)):
        teacher = HOGTeacher(cell=8, image_size=32, colour=colour)
        assert teacher.channels == channels
        assert teacher(torch.rand(2, 3, 3, 32, 32)).shape == (2, 3, 4, 4, channels)
    assert not list(teacher.parameters())
    assert not teacher.state_dict()


@pytest.mark.parametrize("step", range(9))
def test_an_edge_falls_into_the_bin_of_its_direction_either_way_round(step):
    teacher = HOGTeacher(cell=8, bins=9, image_size=16)
    angle = (step + 0.5) * math.pi / 9  # half way between two bins
    there, back = teacher(ramp(angle)), teacher(ramp(angle + math.pi))
    torch.testing.assert_close(there, back, atol=1e-4, rtol=0)
    for inner in there[0, 0, 0, 0].view(3, 9):
        two = sorted(inner.topk(2).indices.tolist())
        assert two == sorted([step, (step + 1) % 9])


def test_equals_a_loop_over_pixels():
    torch.manual_seed(0)
    frames, cell, bins = torch.rand(1, 1, 3, 8, 8), 4, 5
    expected = torch.zeros(2, 2, 3, bins)
    at = lambda c, y, x: frames[0, 0, c, min(max(y, 0), 7), min(max(x, 0), 7)].item()  # noqa: E731
    for c in range(3):
        for y in range(8):
            for x in range(8):
                dx, dy = (at(c, y, x + 1) - at(c, y, x - 1)) / 2, (at(c, y + 1, x) - at(c, y - 1, x)) / 2
                place = math.atan2(dy, dx) % math.pi / math.pi * bins
                low, share = int(place), place - int(place)
                for bin_, part in ((low % bins, 1 - share), ((low + 1) % bins, share)):
                    expected[y // cell, x // cell, c, bin_] += math.hypot(dx, dy) * part / cell**2
    expected = expected.flatten(2)
    expected = expected / (expected.square().sum(-1, keepdim=True) + HOGTeacher.FAINT**2).sqrt()
    got = HOGTeacher(cell=cell, bins=bins, image_size=8)(frames)[0, 0]
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_a_frame_does_not_depend_on_those_beside_it():
    teacher, frames = HOGTeacher(image_size=16), torch.rand(3, 7, 3, 16, 16)  # more than are computed at once
    torch.testing.assert_close(teacher(frames)[2, 5], teacher(frames[2:, 5:6])[0, 0])


def test_flat_frames_give_zero_and_noise_stays_faint():
    teacher = HOGTeacher(image_size=16)
    assert teacher(torch.full((1, 1, 3, 16, 16), 0.3)).abs().max() < 1e-6
    noise = teacher(0.3 + 0.002 * torch.rand(1, 1, 3, 16, 16))
    assert noise.norm(dim=-1).max() < 0.3
    assert teacher(torch.rand(1, 1, 3, 16, 16)).norm(dim=-1).min() > 0.95


def test_colour_tells_red_from_green():
    red, green = torch.zeros(2, 1, 1, 3, 16, 16)
    red[:, :, 0], green[:, :, 1] = 1, 1
    teacher = HOGTeacher(image_size=16, colour=True)
    assert teacher(red)[0, 0, 0, 0, -3:].tolist() == [1, -1, -1]
    assert teacher(green)[0, 0, 0, 0, -3:].tolist() == [-1, 1, -1]


def test_no_gradient_is_recorded():
    assert not HOGTeacher(image_size=16)(torch.rand(1, 1, 3, 16, 16, requires_grad=True)).requires_grad


def test_frames_of_another_size_are_resized():
    assert HOGTeacher(cell=8, image_size=32)(torch.rand(1, 2, 3, 20, 48)).shape == (1, 2, 4, 4, 27)


def test_settings_are_in_its_identity():
    assert HOGTeacher(image_size=16).identity != HOGTeacher(image_size=16, colour=True).identity
    assert HOGTeacher(image_size=16).identity == HOGTeacher(image_size=16).identity


def test_a_size_that_does_not_divide_into_cells_is_refused():
    with pytest.raises(ValueError, match="image_size=20.*cell=8"):
        HOGTeacher(cell=8, image_size=20)
