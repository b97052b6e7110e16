import math

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

from elva.models.supervisors import FrameContrast
from elva.models.supervisors.gather import gather_rows
from elva.structures import Kind, SourceMap, VideoTokens

C, D = 6, 5


def student_of(lengths, patches=2, seed=0):
    """Videos of ``lengths`` frames: ``FRAME`` and ``patches`` each, with random hidden states."""
    generator = torch.Generator().manual_seed(seed)
    videos, rows = len(lengths), max(lengths) * (patches + 1)
    n = torch.arange(rows).expand(videos, -1)
    valid = n < torch.tensor(lengths)[:, None] * (patches + 1)
    marker = n % (patches + 1) == 0
    kind = torch.where(marker, Kind.FRAME, Kind.PATCH).masked_fill(~valid, Kind.PAD)
    return VideoTokens(
        x=torch.randn(videos, rows, C, generator=generator).requires_grad_(),
        pos=torch.zeros(videos, rows, 3),
        seconds=torch.zeros(videos, rows),
        size=valid.float(),
        frame=(n // (patches + 1)).masked_fill(~valid, -1),
        slot=torch.where(marker, -1, n % (patches + 1) - 1).masked_fill(~valid, -1),
        grid=torch.tensor([1, patches]).expand(videos, rows, 2),
        kind=kind,
        valid=valid,
        src=SourceMap.identity(valid),
    )


def frames_of(lengths):
    n = torch.arange(max(lengths)).expand(len(lengths), -1)
    return n.masked_fill(n >= torch.tensor(lengths)[:, None], -1)


def teacher_of(lengths, seed=1):
    return torch.randn(len(lengths), max(lengths), 2, 2, D, generator=torch.Generator().manual_seed(seed))


def build(**options):
    torch.manual_seed(0)
    return FrameContrast(C, D, **options)


def by_hand(loss, student, teacher, lengths):
    """The definition, without masks."""
    pairs = [(v, t) for v, length in enumerate(lengths) for t in range(length)]
    rows = [(student.frame[v] == t) & (student.kind[v] == Kind.FRAME) for v, t in pairs]
    a = torch.stack([student.x[v][row][0] for (v, _), row in zip(pairs, rows, strict=True)])
    a = F.normalize(loss.head.project(loss.head.norm(a)), dim=-1)
    b = F.normalize(torch.stack([teacher[v, t].mean((0, 1)) for v, t in pairs]), dim=-1)
    logits = a @ b.T * loss.log_scale.exp()
    target = torch.arange(len(pairs))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def test_equals_the_definition():
    lengths = [3, 1, 2]
    student, teacher, loss = student_of(lengths), teacher_of(lengths), build(false_negative_cos=None)
    got = loss(student, teacher, frames_of(lengths))["loss_contrast"]
    torch.testing.assert_close(got, by_hand(loss, student, teacher, lengths))


def test_temperature_starts_at_007_and_is_never_below_001():
    loss = build()
    assert loss.log_scale.exp().item() == pytest.approx(1 / 0.07)
    with torch.no_grad():
        loss.log_scale.fill_(10.0)
    loss(student_of([2]), teacher_of([2]), frames_of([2]))["loss_contrast"].backward()
    assert loss.log_scale.item() == pytest.approx(math.log(100))
    assert loss.log_scale.grad.item() != 0, "the temperature must be able to come back"


def test_gradient_reaches_the_frame_rows_alone_and_the_head():
    student, loss = student_of([3, 2]), build()
    loss(student, teacher_of([3, 2]), frames_of([3, 2]))["loss_contrast"].backward()
    assert torch.equal(student.x.grad.abs().sum(-1) > 0, student.kind == Kind.FRAME)
    assert all(p.grad.any() for p in loss.parameters())


def test_mean_takes_every_row_of_the_frame():
    student, loss = student_of([3, 2]), build(source="mean")
    loss(student, teacher_of([3, 2]), frames_of([3, 2]))["loss_contrast"].backward()
    assert torch.equal(student.x.grad.abs().sum(-1) > 0, student.valid)


def test_a_tubelet_is_compared_with_the_mean_of_its_frames():
    student, teacher, loss = student_of([2]), teacher_of([4]), build()
    whole = loss(student, teacher, torch.tensor([[0, 0, 1, 1]]))["loss_contrast"]
    halves = torch.stack((teacher[:, :2].mean(1), teacher[:, 2:].mean(1)), 1)
    torch.testing.assert_close(whole, loss(student, halves, frames_of([2]))["loss_contrast"])


def test_dropped_rows_are_left_out():
    student, loss = student_of([3, 2]), build(false_negative_cos=None)
    dropped = student.replace(valid=student.valid & ~((student.frame == 2) & (student.kind == Kind.FRAME)))
    teacher = teacher_of([3, 2])
    got = loss(dropped, teacher, frames_of([3, 2]))["loss_contrast"]
    torch.testing.assert_close(got, by_hand(loss, student, teacher, [2, 2]))


def test_near_frames_of_one_video_are_no_negatives():
    student, teacher = student_of([2, 2]), teacher_of([2, 2])
    teacher[0, 1] = teacher[0, 0]  # two equal frames of one video ...
    teacher[1, 0] = teacher[0, 0]  # ... and the same frame in another one, which stays a negative
    teacher = teacher.requires_grad_(False)
    loss, frames = build(), frames_of([2, 2])
    masked = loss(student, teacher, frames)["loss_contrast"]
    loss.false_negative_cos = None
    plain = loss(student, teacher, frames)["loss_contrast"]
    assert masked < plain

    a = F.normalize(loss.head.project(loss.head.norm(student.x[student.kind == Kind.FRAME])), dim=-1)
    b = F.normalize(teacher.mean((2, 3)).flatten(0, 1), dim=-1)
    scale = loss.log_scale.exp()
    hidden = torch.zeros(4, 4, dtype=torch.bool)
    hidden[0, 1] = hidden[1, 0] = True
    ab, ba = ((scale * m).masked_fill(hidden, -torch.inf) for m in (a @ b.T, b @ a.T))
    target = torch.arange(4)
    torch.testing.assert_close(masked, (F.cross_entropy(ab, target) + F.cross_entropy(ba, target)) / 2)


def test_a_single_frame_gives_zero():
    student, loss = student_of([1]), build()
    value = loss(student, teacher_of([1]), frames_of([1]))["loss_contrast"]
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(student.x.grad).all()


def test_images_are_each_others_negatives():
    lengths = [1, 1, 1]
    student, teacher, loss = student_of(lengths), teacher_of(lengths), build()
    got = loss(student, teacher, frames_of(lengths))["loss_contrast"]
    torch.testing.assert_close(got, by_hand(loss, student, teacher, lengths))


def test_with_every_row_dropped_the_loss_is_zero():
    student, loss = student_of([2]), build()
    value = loss(student.replace(valid=student.valid & False), teacher_of([2]), frames_of([2]))["loss_contrast"]
    value.backward()
    assert value.item() == 0


def test_autocast_does_not_change_it():
    student, teacher, loss = student_of([3, 2]), teacher_of([3, 2]), build()
    exact = loss(student, teacher, frames_of([3, 2]))["loss_contrast"]
    with torch.autocast("cpu", torch.bfloat16):
        low = loss(student, teacher, frames_of([3, 2]))["loss_contrast"]
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, exact)


def test_wrong_sources_are_refused():
    with pytest.raises(ValueError, match="source='cls'.*'frame' or 'mean'"):
        build(source="cls")
    student = student_of([2])
    patches = student.replace(kind=torch.full_like(student.kind, int(Kind.PATCH)))
    with pytest.raises(ValueError, match="no FRAME token.*source='mean'"):
        build()(patches, teacher_of([2]), frames_of([2]))


def test_one_process_gathers_its_own_rows():
    rows = torch.randn(3, 2)
    assert gather_rows(rows) == (rows, 0)


SPLITS = {"even": ([2, 1], [1, 2]), "uneven": ([3, 2, 1], [1]), "one rank without a frame": ([2, 2], [])}


def one_rank(rank, folder):
    """Save the loss and the gradients of this rank for each split of the videos."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    for name, split in SPLITS.items():
        loss = build()
        value, hidden = part(loss, split, rank)
        value.backward()
        grads = {key: p.grad for key, p in loss.named_parameters()}
        torch.save({"value": value.detach(), "hidden": hidden.grad, **grads}, f"{folder}/{name}.{rank}.pt")
    dist.destroy_process_group()


def part(loss, splits, rank=None):
    """The loss of one rank's videos, or of all of them; a rank without a frame has a video with no valid row."""
    lengths = [length for split in splits for length in split]
    whole, teacher, frames = student_of(lengths), teacher_of(lengths), frames_of(lengths)
    chosen = range(len(lengths))
    if rank is not None:
        first = len(splits[0]) if rank else 0
        chosen = range(first, first + len(splits[rank])) or [0]
    videos = list(chosen)
    fields = ("pos", "seconds", "size", "frame", "slot", "grid", "kind", "valid")
    hidden = whole.x.detach()[videos].requires_grad_()
    tokens = whole.replace(x=hidden, **{name: getattr(whole, name)[videos] for name in fields})
    if rank is not None and not splits[rank]:
        tokens = tokens.replace(valid=tokens.valid & False)
    return loss(tokens, teacher[videos], frames[videos])["loss_contrast"], hidden


def test_two_ranks_give_the_loss_and_gradients_of_one(tmp_path):
    mp.spawn(one_rank, args=(str(tmp_path),), nprocs=2)
    for split, lengths in SPLITS.items():
        ranks = [torch.load(tmp_path / f"{split}.{rank}.pt", weights_only=True) for rank in range(2)]
        loss = build()
        value, hidden = part(loss, lengths)
        value.backward()
        torch.testing.assert_close((ranks[0]["value"] + ranks[1]["value"]) / 2, value.detach(), msg=split)
        for name, parameter in loss.named_parameters():  # data-parallel training takes the mean over ranks
            mean = (ranks[0][name] + ranks[1][name]) / 2
            torch.testing.assert_close(mean, parameter.grad, atol=1e-6, rtol=1e-4, msg=f"{split}: {name}")
        parts = [ranks[rank]["hidden"] / 2 for rank in range(2) if lengths[rank]]
        torch.testing.assert_close(torch.cat(parts), hidden.grad, atol=1e-6, rtol=1e-4, msg=split)
