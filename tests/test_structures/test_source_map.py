import torch

from elva.structures import SourceMap

IGNORE = -100


def dense(src: SourceMap, length: int) -> torch.Tensor:
    """(B, length, E): the matrix whose product with the original rows gives the rows of now."""
    out = torch.zeros(len(src.dst), length + 1, src.dst.shape[1])
    at = torch.where(src.dst >= 0, src.dst, length)
    return out.scatter(1, at[:, None], src.weight[:, None])[:, :length]


def test_identity_maps_each_valid_row_to_itself_and_padding_to_nothing():
    src = SourceMap.identity(torch.tensor([[True, True, False]]))
    assert src.dst.tolist() == [[0, 1, -1]]
    assert src.weight.tolist() == [[1.0, 1.0, 0.0]]


def test_ten_random_merges_compose_as_a_product_of_matrices():
    random = torch.Generator().manual_seed(0)
    batch, length = 3, 40
    valid = torch.arange(length) < torch.tensor([[40], [33], [7]])
    src, product = SourceMap.identity(valid), torch.diag_embed(valid.float())
    for _ in range(10):
        shorter = length - int(torch.randint(1, 4, (1,), generator=random))
        new = torch.randint(-1, shorter, (batch, length), generator=random)
        weight = torch.rand(batch, length, generator=random)
        step = torch.zeros(batch, shorter + 1, length)
        step.scatter_(1, torch.where(new >= 0, new, shorter)[:, None], weight[:, None])
        product = step[:, :-1] @ product
        src, length = src.moved(new, weight), shorter
    torch.testing.assert_close(dense(src, length), product)


def test_moved_without_weights_keeps_the_shares():
    src = SourceMap(torch.tensor([[1, 1, 0]]), torch.tensor([[0.25, 0.75, 1.0]]))
    moved = src.moved(torch.tensor([[2, 0]]))
    assert moved.dst.tolist() == [[0, 0, 2]]
    assert moved.weight.tolist() == [[0.25, 0.75, 1.0]]


def test_what_was_dropped_stays_dropped():
    src = SourceMap.identity(torch.ones(1, 3, dtype=torch.bool)).moved(torch.tensor([[0, -1, 1]]))
    again = src.moved(torch.tensor([[0, 1]]))
    assert again.dst.tolist() == [[0, -1, 1]]
    assert again.weight.tolist() == [[1.0, 0.0, 1.0]]


def test_gather_carries_labels_and_ignored_entries_never_overwrite():
    src = SourceMap(torch.tensor([[0, 0, 0, 1, -1]]), torch.ones(1, 5))
    values = torch.tensor([[IGNORE, 7, IGNORE, IGNORE, 9]])
    assert src.gather(values, 3, IGNORE).tolist() == [[7, IGNORE, IGNORE]]


def test_counts_say_how_many_original_rows_each_row_stands_for():
    src = SourceMap(torch.tensor([[0, 0, 2, -1], [1, 1, 1, 1]]), torch.ones(2, 4))
    assert src.counts(3).tolist() == [[2, 0, 1], [0, 4, 0]]
