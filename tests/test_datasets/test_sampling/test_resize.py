import numpy as np
import pytest
import torch

from elva.datasets.sampling import resize_frames


def _ramp(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    frame = np.stack([(x + 0.5) * 255 / width, (y + 0.5) * 255 / height, np.full(x.shape, 7)], -1)
    return np.stack([frame, 255 - frame]).astype(np.uint8)


@pytest.mark.parametrize("size", [(32, 48), (9, 16), (100, 120), (64, 16)])
def test_frames_get_the_size_and_keep_their_content(size: tuple[int, int]) -> None:
    resized = resize_frames(_ramp(64, 96), size)
    assert resized.shape == (2, 3, *size) and resized.dtype == torch.uint8
    expected = torch.from_numpy(_ramp(*size)).permute(0, 3, 1, 2)
    assert (resized.float() - expected.float()).abs().mean() < 1.5


def test_fine_detail_is_averaged_not_skipped() -> None:
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert (resize_frames(stripes, (8, 8)).float() - 127.5).abs().max() < 16


def test_frames_of_the_right_size_are_not_copied() -> None:
    frames = _ramp(32, 48)
    resized = resize_frames(frames, (32, 48))
    assert resized.data_ptr() == frames.ctypes.data
    np.testing.assert_array_equal(resized.permute(0, 2, 3, 1).numpy(), frames)
