"""Rows of all ranks, with gradient.

Legend: R ranks, K rows of this rank, M most rows of a rank, A rows of all ranks, C channels.
"""

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather as all_gather_with_grad


def gather_rows(x_KC: Tensor) -> tuple[Tensor, int]:
    """The rows of all ranks, in the order of ranks; ranks may have different numbers of them, or none.

    The gradient of a row is the sum of what every rank's loss says about it. Every rank must take part in forward and,
    where ``x_KC`` needs gradient, in backward.

    Returns:
        (A, C), and the place of this rank's first row.
    """
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return x_KC, 0
    count = torch.tensor([len(x_KC)], device=x_KC.device)
    counts = [torch.zeros_like(count) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, count)
    sizes = torch.cat(counts).tolist()
    padded_MC = torch.cat((x_KC, x_KC.new_zeros(max(sizes) - len(x_KC), *x_KC.shape[1:])))
    if x_KC.requires_grad:
        parts = list(all_gather_with_grad(padded_MC))
    else:
        parts = [torch.zeros_like(padded_MC) for _ in sizes]
        dist.all_gather(parts, padded_MC)
    rows = torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
    return rows, sum(sizes[: dist.get_rank()])
