"""Masks of every kind, inputs for them, and attention written as loops to compare the kernels with."""

import torch

from elva.models.attention import AttnMask
from elva.structures import PAD_RANK

RISING = torch.arange(7).expand(2, -1)
RAGGED = RISING.masked_fill(torch.tensor([[False] * 7, [False] * 4 + [True] * 3]), PAD_RANK)
FRAMES = torch.tensor([[0, 3, 3, 3, 6, 6, 6], [0, 1, 2, 5, 5, 5, PAD_RANK]])
STREAM = torch.tensor([[0, 5, 2, 3, 5, 5, 6], [3, 1, 3, 3, 4, 6, PAD_RANK]])
SIZES = torch.tensor([[1.0, 5, 1, 2, 1, 3, 1], [1, 2, 1, 4, 2, 1, 3]])
FEWER = SIZES.masked_fill(RAGGED == PAD_RANK, 0)


def mask_of(rank, queries=7, **more):
    return AttnMask(rank[:, 7 - queries :], rank, rank < PAD_RANK, span=7, **more)


MASKS = {
    "causal": mask_of(RISING, causal=True),
    "ragged": mask_of(RAGGED),
    "ragged causal": mask_of(RAGGED, causal=True),
    "two-way in a frame": mask_of(FRAMES),
    "streaming": mask_of(STREAM),
    "window": mask_of(RAGGED).windowed(3),
    "two-way window": mask_of(FRAMES).windowed(3),
    "causal, sized": mask_of(RISING, causal=True, k_size=SIZES),
    "ragged causal, sized": mask_of(RAGGED, causal=True, k_size=FEWER),
    "two-way, sized": mask_of(FRAMES, k_size=SIZES),
    "window, sized": mask_of(RAGGED, causal=True, k_size=FEWER).windowed(3),
    "step": mask_of(RISING, 1, full=True),
    "step, sized": mask_of(RISING, 1, full=True, k_size=SIZES),
    "ragged step": AttnMask(torch.full((2, 1), 7), RAGGED, RAGGED < PAD_RANK),
    "more rows": mask_of(RISING, 3),
    "more rows, sized": mask_of(STREAM, 3, k_size=SIZES),
}


def make_inputs(queries: int = 7, keys: int = 7, heads: int = 4, groups: int = 2, device: str = "cpu"):
    random = torch.Generator().manual_seed(0)
    q = torch.randn(2, heads, queries, 16, generator=random)
    k, v = torch.randn(2, 2, groups, keys, 16, generator=random)
    return tuple(x.to(device) for x in (q, k, v))


def inputs_for(mask, **more):
    return make_inputs(mask.q_rank.shape[1], mask.k_rank.shape[1], **more)


def moved(mask, device):
    tensors = {name: getattr(mask, name) for name in ("q_rank", "k_rank", "k_valid", "k_size")}
    there = {name: None if x is None else x.to(device) for name, x in tensors.items()}
    return AttnMask(**there, causal=mask.causal, full=mask.full, window=mask.window, span=mask.span)


def by_hand(q, k, v, mask, scale):
    """Loops over samples, heads and queries; softmax over the visible keys alone, each counted as often as its size."""
    rows = []
    per_group = q.shape[1] // k.shape[1]
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            for i in range(q.shape[2]):
                seen = mask.dense[b, 0, i]
                keys, values = k[b, h // per_group, seen], v[b, h // per_group, seen]
                counts = torch.ones(len(keys)) if mask.k_size is None else mask.k_size[b, seen]
                shares = ((keys @ q[b, h, i]) * scale).exp() * counts
                rows.append((shares / shares.sum()) @ values)
    return torch.stack(rows).view_as(q)


def real_queries(mask, out):
    """Those that are no padding."""
    return (mask.q_rank < PAD_RANK)[:, None, :, None].expand_as(out)


def gradients(kernel, mask, device="cpu"):
    """Of the inputs, for a loss over the real queries."""
    inputs = [x.requires_grad_() for x in inputs_for(mask, device=device)]
    out = kernel(*inputs, moved(mask, device), 0.3).cpu()
    loss = (out * torch.linspace(-1, 1, 16))[real_queries(mask, out)].square().sum()
    return [x.cpu() for x in torch.autograd.grad(loss, inputs)]
