import pytest
import torch
import torch.nn.functional as F

from elva.models.supervisors import TubeAlignment
from elva.models.supervisors.tube_alignment import resample
from elva.models.tokenizers import ElvaPatchEmbed
from elva.structures import Clip, FramePlan, Kind

C, D, P = 6, 5, 8
BIG, SMALL, WIDE = (16, 24), (8, 8), (8, 32)


def student_of(*plans, tubelet=1):
    """Tokens of clips with these sizes, with random hidden states."""
    torch.manual_seed(0)
    clips = []
    for sizes in plans:
        plan = FramePlan(tuple(float(t) for t in range(len(sizes))), tuple(sizes))
        clips.append(Clip(plan, tuple(torch.randn(len(f), 3, *size) for size, f in plan.groups().items())))
    tokens = ElvaPatchEmbed(C, patch_size=P, tubelet=tubelet, embed_channels=8, num_heads=2)(clips)
    return tokens.replace(x=torch.randn(tokens.x.shape, requires_grad=True))


def frames_of(*units):
    longest = max(map(len, units))
    return torch.tensor([[*unit, *[-1] * (longest - len(unit))] for unit in units])


def by_hand(loss, tokens, teacher, frames, tube_len=None):
    """The definition, one tube at a time."""
    terms = []
    for v in range(len(tokens.x)):
        patch = tokens.kind[v] == Kind.PATCH
        h, w = max((tuple(g) for g in tokens.grid[v][patch].tolist()), key=lambda g: g[0] * g[1])
        fine = patch & (tokens.grid[v] == torch.tensor([h, w])).all(-1)
        chunk = lambda frame: 0 if tube_len is None else frame // tube_len  # noqa: E731
        units = set(tokens.frame[v][fine].tolist())
        for k in {chunk(u) for u in units}:
            taught = [t for t, u in enumerate(frames[v].tolist()) if u in units and chunk(u) == k]
            target = resample(teacher[v, taught].mean(0).movedim(-1, 0)[None], (h, w))[0]
            for row in range(h):
                for col in range(w):
                    members = [
                        n
                        for n in fine.nonzero().squeeze(1).tolist()
                        if tokens.valid[v, n]
                        and tokens.pos[v, n, 1:].tolist() == [row, col]
                        and chunk(tokens.frame[v, n].item()) == k
                    ]
                    if members:
                        u = torch.stack([loss.head.project(loss.head.norm(tokens.x[v, n])) for n in members]).mean(0)
                        terms.append(2 - 2 * F.cosine_similarity(u, target[:, row, col], dim=0))
    return torch.stack(terms).mean()


@pytest.mark.parametrize("tube_len", [None, 1, 2])
def test_equals_the_definition_for_mixed_grids_lengths_and_dropped_tokens(tube_len):
    tokens = student_of((BIG,) * 3, (WIDE,) * 2, (BIG, SMALL, SMALL, BIG))
    drop = torch.rand(tokens.valid.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    drop |= (tokens.pos[..., 1:] == torch.tensor([0.0, 1.0])).all(-1)  # whole tubes too
    tokens = tokens.replace(valid=tokens.valid & ~drop)
    frames, teacher = frames_of([0, 1, 2], [0, 1], [0, 1, 2, 3]), torch.randn(3, 4, 3, 5, D)
    loss = TubeAlignment(C, D, tube_len=tube_len)
    got = loss(tokens, teacher, frames)["loss_tube"]
    torch.testing.assert_close(got, by_hand(loss, tokens, teacher, frames, tube_len), atol=1e-5, rtol=1e-5)


def test_a_tubelet_is_compared_with_the_mean_of_its_frames():
    tokens = student_of((BIG,) * 4, tubelet=2)
    frames, teacher = frames_of([0, 0, 1, 1]), torch.randn(1, 4, 2, 3, D)
    loss = TubeAlignment(C, D, tube_len=1)
    got = loss(tokens, teacher, frames)["loss_tube"]
    torch.testing.assert_close(got, by_hand(loss, tokens, teacher, frames, 1))


def identity_student(direction, sizes=(BIG,) * 2):
    """A supervisor whose head is the identity, and tokens that all point in ``direction``."""
    loss = TubeAlignment(4, 4)
    with torch.no_grad():
        loss.head.proj.weight.copy_(torch.eye(4))
    tokens = student_of(sizes)
    x = torch.tensor(direction).expand(*tokens.x.shape[:2], 4).clone().requires_grad_()
    return loss, tokens.replace(x=x)


@pytest.mark.parametrize(
    ("direction", "expected"),
    [([1.0, 0, 0, 0], 0.0), ([0.0, 3, 0, 0], 2.0), ([-1.0, 0, 0, 0], 4.0), ([0.0, 0, 0, 0], 2.0)],
)
def test_the_square_is_summed_over_channels(direction, expected):
    loss, tokens = identity_student(direction)
    teacher = torch.tensor([7.0, 0, 0, 0]).expand(1, 2, 2, 3, 4)
    assert loss(tokens, teacher, frames_of([0, 1]))["loss_tube"].item() == pytest.approx(expected, abs=1e-5)


def test_the_weight_multiplies():
    tokens, teacher = student_of((BIG,) * 2), torch.randn(1, 2, 2, 3, D)
    loss = TubeAlignment(C, D, weight=1.0)
    one = loss(tokens, teacher, frames_of([0, 1]))["loss_tube"].item()
    loss.weight = 0.5
    assert loss(tokens, teacher, frames_of([0, 1]))["loss_tube"].item() == pytest.approx(one / 2)


def test_frames_of_a_coarser_grid_and_padding_do_not_matter():
    tokens, frames = student_of((BIG, SMALL, BIG)), frames_of([0, 1, 2, -1])
    teacher = torch.randn(1, 4, 2, 3, D)
    loss = TubeAlignment(C, D)
    before = loss(tokens, teacher, frames)["loss_tube"]
    other = teacher.clone()
    other[:, [1, 3]] = 100
    torch.testing.assert_close(loss(tokens, other, frames)["loss_tube"], before)


def test_of_two_grids_with_as_many_patches_the_first_is_supervised():
    tokens, loss = student_of(((16, 32), (32, 16))), TubeAlignment(C, D)
    loss(tokens, torch.randn(1, 2, 2, 3, D), frames_of([0, 1]))["loss_tube"].backward()
    reached = tokens.x.grad.abs().sum(-1) > 0
    assert torch.equal(reached, (tokens.kind == Kind.PATCH) & (tokens.frame == 0))


def test_gradient_reaches_the_valid_patches_of_the_finest_grid_alone():
    tokens = student_of((BIG, SMALL, BIG))
    tokens = tokens.replace(valid=tokens.valid & (torch.arange(tokens.valid.shape[1]) != 1))
    loss = TubeAlignment(C, D)
    loss(tokens, torch.randn(1, 3, 2, 3, D), frames_of([0, 1, 2]))["loss_tube"].backward()
    reached = tokens.x.grad.abs().sum(-1) > 0
    expected = tokens.valid & (tokens.kind == Kind.PATCH) & (tokens.frame != 1)
    assert torch.equal(reached, expected)
    assert all(p.grad.any() for p in loss.parameters())


def test_with_no_patch_left_the_loss_is_zero_and_still_has_a_graph():
    tokens = student_of((BIG,) * 2)
    tokens = tokens.replace(valid=tokens.valid & (tokens.kind != Kind.PATCH))
    loss = TubeAlignment(C, D)
    value = loss(tokens, torch.randn(1, 2, 2, 3, D), frames_of([0, 1]))["loss_tube"]
    value.backward()
    assert value.item() == 0
    assert all(torch.isfinite(p.grad).all() for p in loss.parameters())


def test_one_image_works():
    loss = TubeAlignment(C, D)
    assert 0 < loss(student_of((BIG,)), torch.randn(1, 1, 2, 3, D), frames_of([0]))["loss_tube"].item() < 4


def test_autocast_does_not_change_it():
    tokens, teacher = student_of((BIG,) * 2), torch.randn(1, 2, 2, 3, D)
    loss = TubeAlignment(C, D)
    exact = loss(tokens, teacher, frames_of([0, 1]))["loss_tube"]
    with torch.autocast("cpu", torch.bfloat16):
        low = loss(tokens, teacher.bfloat16().float(), frames_of([0, 1]))["loss_tube"]
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, exact, atol=2e-3, rtol=0)


def test_sizes_weigh():
    tokens, teacher, loss = student_of((BIG,) * 2), torch.randn(1, 2, 2, 3, D), TubeAlignment(C, D)
    first = tokens.replace(size=torch.where(tokens.frame == 0, 1.0, 1e-6))
    alone = tokens.replace(valid=tokens.valid & (tokens.frame == 0))
    frames = frames_of([0, 1])
    torch.testing.assert_close(
        loss(first, teacher, frames)["loss_tube"], loss(alone, teacher, frames)["loss_tube"], atol=1e-4, rtol=0
    )


def test_resampling_averages_down_and_interpolates_up():
    features = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(resample(features, (4, 4)), features)
    assert resample(features, (2, 2))[0, 0].tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert resample(features, (8, 8)).shape == (1, 1, 8, 8)
    assert resample(features, (2, 8)).shape == (1, 1, 2, 8)
    assert resample(features, (2, 8)).mean() == features.mean()


def test_a_tube_of_no_length_is_refused():
    with pytest.raises(ValueError, match="tube_len=0"):
        TubeAlignment(C, D, tube_len=0)


def test_tokens_that_span_frames_are_taught_by_all_frames_and_are_of_no_chunk():
    tokens = student_of((BIG,) * 4)
    still = tokens.x.detach()[:, : tokens.x.shape[1] // 4].repeat(1, 4, 1)  # every frame like the first
    tokens = tokens.replace(x=still)
    first = torch.arange(tokens.x.shape[1]) % (tokens.x.shape[1] // 4)
    pooled = tokens.fold(torch.where(tokens.kind == Kind.PATCH, first, torch.arange(tokens.x.shape[1])))
    assert (pooled.frame[pooled.kind == Kind.PATCH] == -1).all()
    frames, teacher = frames_of([0, 1, 2, 3]), torch.randn(1, 4, 3, 5, D)
    loss = TubeAlignment(C, D)
    expected = loss(tokens, teacher, frames)["loss_tube"]
    assert expected > 0.1
    torch.testing.assert_close(loss(pooled, teacher, frames)["loss_tube"], expected, atol=1e-5, rtol=1e-5)
    assert TubeAlignment(C, D, tube_len=2)(pooled, teacher, frames)["loss_tube"] == 0
