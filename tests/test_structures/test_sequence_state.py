import pytest
import torch

from elva.structures import PAD_RANK, Kind, SequenceState, SourceMap

FIELDS = ("h", "pos", "rank", "size", "frame", "slot", "kind", "valid")


def make_state(
    lengths: tuple[int, ...] = (9, 6), channels: int = 5, dtype: torch.dtype = torch.float32
) -> SequenceState:
    """Rows of patches with two text rows in front; sizes 1, 2, 3, 1, ...; two places; frames of two rows."""
    most = max(lengths)
    rows = torch.arange(most).expand(len(lengths), -1)
    valid = rows < torch.tensor(lengths)[:, None]
    patch = valid & (rows >= 2)
    return SequenceState(
        h=torch.randn(len(lengths), most, channels, generator=torch.Generator().manual_seed(0)).to(dtype),
        pos=rows.masked_fill(~valid, 0),
        rank=rows.masked_fill(~valid, PAD_RANK),
        size=(rows % 3 + 1.0) * valid,
        frame=torch.where(patch, (rows - 2) // 2, -1),
        slot=torch.where(patch, rows % 2, -1),
        kind=torch.where(patch, int(Kind.PATCH), torch.where(valid, int(Kind.TEXT), int(Kind.PAD))),
        valid=valid,
        src=SourceMap.identity(valid),
        padded=min(lengths) < most,
    )


def rows_of(lengths: tuple[int, ...]) -> torch.Tensor:
    return torch.arange(max(lengths)).repeat(len(lengths), 1)


def test_select_keeps_order_and_every_field_in_step():
    state = make_state()
    keep = state.pos % 2 == 0
    out = state.select(keep)
    assert out.h.shape == (2, 5, 5)
    assert out.padded
    for b, expected in enumerate(([0, 2, 4, 6, 8], [0, 2, 4])):
        for field in FIELDS:
            assert torch.equal(getattr(out, field)[b, : len(expected)], getattr(state, field)[b, expected]), field
        assert out.src.dst[b, expected].tolist() == list(range(len(expected)))
    assert out.valid.tolist() == [[True] * 5, [True, True, True, False, False]]


def test_padding_after_a_select_is_marked_in_every_field():
    out = make_state().select(make_state().pos % 2 == 0)
    pad = ~out.valid
    for field, value in (("kind", Kind.PAD), ("rank", PAD_RANK), ("size", 0), ("slot", -1), ("frame", -1), ("pos", 0)):
        assert (getattr(out, field)[pad] == value).all(), field


def test_select_never_brings_padding_back():
    state = make_state()
    out = state.select(torch.ones_like(state.valid))
    assert out is state
    assert out.lengths.tolist() == [9, 6]


def test_fold_averages_by_size_and_the_anchor_keeps_its_place():
    state = make_state()
    into = rows_of((9, 6))
    into[0, 4], into[0, 6] = 2, 2  # sizes 2 and 1 join size 3
    into[1, 3] = 5  # an earlier row joins a later one
    out = state.fold(into)
    mean = (3 * state.h[0, 2] + 2 * state.h[0, 4] + 1 * state.h[0, 6]) / 6
    torch.testing.assert_close(out.h[0, 2], mean)
    assert out.pos[0].tolist() == [0, 1, 2, 3, 5, 7, 8]
    assert out.size[0, 2] == 6
    assert (out.slot[0, 2], out.kind[0, 2], out.rank[0, 2]) == (state.slot[0, 2], Kind.PATCH, 2)
    torch.testing.assert_close(out.h[1, 4], (1 * state.h[1, 3] + 3 * state.h[1, 5]) / 4)
    assert out.pos[1, :5].tolist() == [0, 1, 2, 4, 5]
    assert out.lengths.tolist() == [7, 5]
    assert out.padded


def test_fold_leaves_other_rows_untouched_to_the_last_bit():
    state = make_state()
    into = rows_of((9, 6))
    into[0, 8] = 6
    out = state.fold(into)
    others = [0, 1, 2, 3, 4, 5, 7]
    assert torch.equal(out.h[0, others], state.h[0, others])
    assert torch.equal(out.h[1, :6], state.h[1, :6])


def test_a_row_that_spans_frames_says_so():
    state = make_state((9,))
    into = rows_of((9,))
    into[0, 3] = 2  # of the same frame
    into[0, 6] = 4  # of another
    out = state.fold(into)
    assert out.frame[0].tolist() == [-1, -1, 0, -1, 1, 2, 3]
    assert out.fold(torch.tensor([[0, 1, 2, 2, 4, 5, 6]])).frame[0, 2] == -1


def test_the_latest_rank_hides_a_merged_row_from_those_that_could_not_see_all_of_it():
    state = make_state((9,))
    into = rows_of((9,))
    into[0, 6] = 2
    assert state.fold(into).rank[0].tolist() == [0, 1, 2, 3, 4, 5, 7, 8]
    assert state.fold(into).rising
    late = state.fold(into, latest=True)
    assert late.rank[0].tolist() == [0, 1, 6, 3, 4, 5, 7, 8]
    assert not late.rising


def test_a_fold_of_nothing_returns_the_state_itself():
    state = make_state()
    assert state.fold(rows_of((9, 6)), latest=True) is state


def test_sources_say_where_every_row_went_and_how_much_it_counts():
    state = make_state((6,))
    out = state.fold(torch.tensor([[0, 1, 2, 3, 2, 3]])).fold(torch.tensor([[0, 1, 2, 2]]))
    assert out.src.dst.tolist() == [[0, 1, 2, 2, 2, 2]]
    torch.testing.assert_close(out.src.weight, torch.tensor([[1, 1, 3 / 9, 1 / 9, 2 / 9, 3 / 9]]))
    torch.testing.assert_close(out.h[0, 2], (out.src.weight[0, 2:, None] * state.h[0, 2:]).sum(0))
    assert out.size[0].tolist() == [1, 2, 9]


def test_no_original_row_is_lost_by_random_folds():
    random = torch.Generator().manual_seed(1)
    state = first = make_state((30, 21, 13))
    for _ in range(6):
        rows = torch.arange(state.h.shape[1]).repeat(3, 1)
        joins = state.mergeable & (torch.rand(rows.shape, generator=random) < 0.3) & (rows > 3)
        anchor = torch.where(joins, 0, rows).cummax(1).values
        state = state.fold(torch.where(joins, anchor, rows))
    assert (state.src.dst[first.valid] >= 0).all()
    assert (state.src.dst[~first.valid] == -1).all()
    torch.testing.assert_close(state.size.sum(1), first.size.sum(1))
    shares = torch.zeros(3, state.h.shape[1] + 1)
    shares.scatter_add_(1, torch.where(first.valid, state.src.dst, state.h.shape[1]), state.src.weight)
    torch.testing.assert_close(shares[:, :-1], state.valid.float())


@pytest.mark.parametrize("channels", [1, 8])
def test_fold_passes_the_right_gradient(channels):
    state = make_state((5, 4), channels)
    into = torch.tensor([[0, 1, 2, 2, 2], [0, 1, 3, 3, 4]])
    fold = lambda h: state.replace(h=h).fold(into).h  # noqa: E731
    h = state.h.double().requires_grad_()
    assert torch.autograd.gradcheck(fold, (h,))


def test_means_are_taken_in_float32():
    state = make_state((64,), dtype=torch.bfloat16)
    into = torch.arange(64).repeat(1, 1)
    into[0, 3:] = 2
    out = state.fold(into)
    weight = state.size[0, 2:, None] / state.size[0, 2:].sum()
    expected = (state.h[0, 2:].float() * weight).sum(0)
    assert out.h.dtype == torch.bfloat16
    assert torch.equal(out.h[0, 2], expected.bfloat16())


def test_visual_and_mergeable_rows():
    state = make_state((9, 6))
    kind = state.kind.clone()
    kind[0, 2], kind[0, 3], kind[0, 4] = Kind.FRAME, Kind.MEMORY, Kind.LINE
    slot = state.slot.clone()
    slot[0, 5] = -1
    state = state.replace(kind=kind, slot=slot)
    assert state.visual[0].tolist() == [False, False, True, False, True, True, True, True, True]
    assert state.mergeable[0].tolist() == [False, False, False, False, True, False, True, True, True]
    assert state.mergeable[1].tolist() == [False, False, True, True, True, True, False, False, False]
    assert state.lengths.tolist() == [9, 6]
