import pytest
import torch
from torch.nn.functional import cosine_similarity

from elva.models.mergers.blocks import alike_blocks
from elva.models.mergers.similarity import metric
from elva.structures import Kind
from elva.testing import make_prompt, tiny_decoder
from elva.testing.builders import take_sample

SAMPLES = ((2, [(4, 5), (2, 2)] * 3, 1, [(3, 3)] * 2, 2), (1, [(1, 4)] * 3, 1), (4,), (1, [(7, 6)], 2))


def smooth(samples, noise=0.9, seed=0):
    """Frames whose patches have much in common."""
    state = make_prompt(tiny_decoder(), samples, seed=seed).state
    random = torch.Generator().manual_seed(seed)
    common = torch.randn(1, 1, state.h.shape[2], generator=random)
    h = common + noise * torch.randn(state.h.shape, generator=random)
    return state.replace(h=torch.where((state.kind == Kind.PATCH)[..., None], h, state.h))


def naive(state, b, side, tau, most):
    """Blocks of one sample, one by one: where each row goes."""
    blocks = {}
    for row in range(int(state.lengths[b])):
        if state.kind[b, row] == Kind.PATCH:
            y, x = state.cell[b, row].tolist()
            blocks.setdefault((int(state.frame[b, row]), y // side, x // side), []).append(row)
    scored = []
    for rows in blocks.values():
        if len(rows) > 1:
            least = min(float(cosine_similarity(state.h[b, rows[0]], state.h[b, row], dim=0)) for row in rows[1:])
            scored.append((least, rows))
    into = list(range(state.h.shape[1]))
    for least, rows in sorted(scored, key=lambda block: -block[0]):
        most -= len(rows) - 1
        if least < tau or most < 0:
            break
        for row in rows:
            into[row] = rows[0]
    return into


def join(state, side, tau, most):
    return alike_blocks(state, metric(state, None, "raw"), side, tau, torch.tensor(most))


@pytest.mark.parametrize("side", [2, 3, 10])
@pytest.mark.parametrize("tau", [-1.0, 0.45, 0.6])
@pytest.mark.parametrize("most", [[0, 2, 0, 7], [9, 9, 9, 9], [99, 99, 99, 99]])
def test_blocks_join_as_the_loop_over_them_says(side, tau, most):
    state = smooth(SAMPLES)
    got = join(state, side, tau, most)
    assert got.tolist() == [naive(state, b, side, tau, most[b]) for b in range(len(SAMPLES))]


def test_the_samples_above_are_worth_comparing():
    """Some blocks are alike and some are not, and a share of them is too little for all."""
    state, rows = smooth(SAMPLES), torch.arange(smooth(SAMPLES).h.shape[1])
    gone = [int((join(state, 2, tau, [most] * 4) != rows).sum()) for tau, most in ((-1, 99), (0.45, 99), (0.45, 9))]
    assert gone[0] > gone[1] > gone[2] > 0


def test_frames_that_are_one_colour_become_a_quarter():
    state = smooth([(1, [(4, 6)] * 2, 1)], noise=0.0)
    out = state.fold(join(state, 2, 0.99, [100]))
    patches = out.kind[0] == Kind.PATCH
    assert out.cell[0, patches].tolist() == [[y, x] for y in (0, 2) for x in (0, 2, 4)] * 2
    assert out.size[0, patches].tolist() == [4.0] * 12
    assert out.frame[0, patches].tolist() == [0] * 6 + [1] * 6
    for kind in (Kind.FRAME, Kind.LINE, Kind.TEXT):
        assert int((out.kind == kind).sum()) == int((state.kind == kind).sum())


def test_blocks_of_different_videos_never_meet():
    """Two videos of one sample have frames of the same number in their own counting, and cells that are the same."""
    state = smooth([(1, [(1, 1)] * 2, 1, [(1, 1)] * 2, 1)], noise=0.0)
    assert join(state, 2, -1.0, [100]).tolist() == [list(range(state.h.shape[1]))]


def test_a_sample_alone_is_as_in_a_batch():
    state = smooth(SAMPLES)
    batch = join(state, 2, 0.45, [7, 7, 7, 7])
    for b in range(len(SAMPLES)):
        alone = join(take_sample(state, b), 2, 0.45, [7])
        assert torch.equal(batch[b, : alone.shape[1]], alone[0])
