import torch

from elva.utils.peak_allocation import peak_allocated


def test_counts_what_is_held_at_a_time_and_not_what_was_there():
    weight = torch.randn(500, 500)

    def work():
        first = weight + 1  # 1 MB
        second = first * 2  # 2 MB
        del first
        return second + weight  # 2 MB

    held = peak_allocated(work, torch.device("cpu"))
    assert 0 <= held - 2 * 500 * 500 * 4 < 1000  # and a few scalars
