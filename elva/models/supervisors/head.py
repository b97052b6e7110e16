"""The head between the language model's hidden states and a teacher's features."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AlignmentHead(nn.Module):
    """RMSNorm, then a linear map without bias, in float32 whatever the precision around it (as in VoRA).

    The two halves are called apart: features are averaged between them, which for the linear half is the same as
    after it, and cheaper. The head is dropped after training.

    Args:
        in_channels: Width of the language model.
        out_channels: Width of the teacher's features.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(in_channels))
        self.proj = nn.Linear(in_channels, out_channels, bias=False)

    def norm(self, x: Tensor) -> Tensor:
        """RMSNorm over the last dimension, float32."""
        return F.rms_norm(x.float(), self.scale.shape, self.scale.float(), eps=1e-6)

    def project(self, x: Tensor) -> Tensor:
        """The linear half, float32."""
        with torch.autocast(x.device.type, enabled=False):
            return F.linear(x, self.proj.weight.float())


def mean_rows(x_NC: Tensor, weight_N: Tensor, bucket_N: Tensor, buckets: int) -> tuple[Tensor, Tensor]:
    """Weighted mean of the rows of each bucket.

    Args:
        x_NC: (N, C) float32.
        weight_N: (N,) float32, not negative.
        bucket_N: (N,) long, from 0 to ``buckets - 1``.
        buckets: How many there are.

    Returns:
        (buckets, C) means, 0 where a bucket is empty, and (buckets,) bool: which are not.
    """
    total = weight_N.new_zeros(buckets).index_add_(0, bucket_N, weight_N)
    share = weight_N / total.clamp(min=torch.finfo(total.dtype).tiny)[bucket_N]
    mean = x_NC.new_zeros(buckets, x_NC.shape[1]).index_add_(0, bucket_N, x_NC * share[:, None])
    return mean, total > 0
