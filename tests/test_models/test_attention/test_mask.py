import torch

from elva.models.attention import AttnMask
from elva.structures import PAD_RANK


def make_mask(**more) -> AttnMask:
    """Two samples; the second is padded and has a frame of three rows that see each other."""
    rank = torch.tensor([[0, 1, 2, 3, 4], [0, 3, 3, 3, PAD_RANK]])
    return AttnMask(rank, rank, rank < PAD_RANK, **more)


def naive(mask: AttnMask, window: int | None = None) -> list[list[list[bool]]]:
    """Rule 1 written out."""
    out = []
    for q_rank, k_rank, k_valid in zip(mask.q_rank.tolist(), mask.k_rank.tolist(), mask.k_valid.tolist(), strict=True):
        near = [[window is None or q == PAD_RANK or q - k < window for k in k_rank] for q in q_rank]
        seen = [[v and k <= q for k, v in zip(k_rank, k_valid, strict=True)] for q in q_rank]
        out.append([[a and b for a, b in zip(x, y, strict=True)] for x, y in zip(near, seen, strict=True)])
    return out


def test_a_key_is_visible_iff_it_is_valid_and_its_rank_is_at_most_the_querys():
    mask = make_mask()
    assert mask.dense.shape == (2, 1, 5, 5)
    assert mask.dense[:, 0].tolist() == naive(mask)
    assert mask.dense[1, 0, 1].tolist() == [True, True, True, True, False]


def test_a_window_counts_ranks_and_not_the_rows_that_are_left():
    mask = make_mask(span=5)
    for window in (1, 2, 4):
        assert mask.windowed(window).dense[:, 0].tolist() == naive(mask, window)


def test_padding_sees_something_under_a_window():
    """A row that sees nothing would become NaN, and NaN times zero is NaN for everyone."""
    assert make_mask(span=5).windowed(2).dense[1, 0, 4].any()


def test_a_window_that_no_two_rows_are_further_apart_than_changes_nothing():
    mask = make_mask(span=4)
    assert mask.windowed(None) is mask
    assert mask.windowed(4) is mask
    assert mask.windowed(3).window == 3
    assert mask.windowed(3) is mask.windowed(3)


def test_a_window_bites_where_few_rows_of_a_long_sequence_are_left():
    rank = torch.tensor([[0, 50, 99]])
    mask = AttnMask(rank, rank, rank >= 0, span=100).windowed(60)
    assert mask.dense[0, 0].tolist() == [[True, False, False], [True, True, False], [False, True, True]]
    assert AttnMask(rank, rank, rank >= 0).windowed(60).window == 60


def test_rows_are_those_of_the_whole_mask():
    mask = make_mask(span=5).windowed(2)
    index = torch.tensor([[4, 0, 2], [3, 3, 1]])
    expected = mask.dense.gather(2, index[:, None, :, None].expand(-1, 1, -1, 5))
    assert torch.equal(mask.rows(index).dense, expected)


def test_the_causal_flag_stands_for_the_lower_triangle():
    rank = torch.arange(4).expand(2, -1)
    mask = AttnMask(rank, rank, rank >= 0, causal=True)
    assert mask.bias_free
    assert torch.equal(mask.triangle.expand(2, -1, -1, -1), mask.dense)
    assert not make_mask().bias_free
    assert make_mask(full=True).bias_free


def test_additive_masks_are_zero_where_visible():
    mask = make_mask(span=5).windowed(2)
    assert torch.equal(mask.additive(torch.float32) == 0, mask.dense)
    assert torch.equal(mask.additive(torch.float32) == float("-inf"), ~mask.dense)
    assert mask.additive(torch.bfloat16).dtype == torch.bfloat16


def test_the_logarithm_of_the_size_is_added_to_a_keys_scores():
    size = torch.tensor([[1.0, 1, 4, 1, 1], [1, 2, 1, 3, 0]])
    mask = make_mask(k_size=size, full=True)
    assert not mask.bias_free
    bias = mask.additive(torch.float32)
    assert torch.equal(bias == float("-inf"), ~mask.dense)
    assert torch.equal(bias[mask.dense], size[:, None, None].expand_as(bias)[mask.dense].log())
    assert mask.rows(torch.tensor([[1], [2]])).additive(torch.float32)[1, 0, 0, 3] == torch.tensor(3.0).log()
    assert mask.windowed(2).k_size is size


def test_what_is_made_of_a_mask_is_made_once():
    mask = make_mask(span=5)
    assert mask.additive(torch.float32) is mask.additive(torch.float32)
    assert mask.made("name", list) is mask.made("name", list)
