"""Frame-wise contrast: tell each frame from all others of the batch, against the teacher.

Legend: V videos, N tokens, M tokens that count, T frames of the teacher, F frames of the student, K pairs of this
rank, A pairs of all ranks, C channels of the student, D of the teacher.
"""

import math

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from elva.registry import SUPERVISORS
from elva.structures import Kind, VideoTokens

from .base import Supervisor
from .gather import gather_rows
from .head import AlignmentHead, mean_rows


@SUPERVISORS.register_module()
class FrameContrast(Supervisor):
    """ELVA's L_Con (arXiv 2503.18422): symmetric InfoNCE between the student's frames and the teacher's.

    ``a_k`` is the projected hidden state of a frame, ``b_k`` the mean of the teacher's features over its places (over
    the frames of a tubelet, for tubelets); both have unit length. The pairs of all ranks are each other's negatives.
    The temperature is learned, from 0.07, and never below 0.01.

    Every rank returns its own pairs' part times the number of ranks, so that the mean over ranks, which data-parallel
    training takes of gradients, is the loss of the whole batch.

    Args:
        in_channels: Width C of the language model.
        teacher_channels: Width D of the teacher's features.
        weight: Factor of the loss. Default: 1.
        source: ``'frame'``: the row of the ``FRAME`` token; ``'mean'``: the size-weighted mean of the frame's rows.
            Default: ``'frame'``.
        false_negative_cos: Other frames of the same video that the teacher finds more similar than this are no
            negatives. Default: 0.95. None: all are negatives, as the paper has it.
    """

    def __init__(
        self,
        in_channels: int,
        teacher_channels: int,
        weight: float = 1.0,
        source: str = "frame",
        false_negative_cos: float | None = 0.95,
    ) -> None:
        super().__init__()
        if source not in ("frame", "mean"):
            raise ValueError(f"FrameContrast: source='{source}' is unknown; use 'frame' or 'mean'.")
        self.weight, self.source, self.false_negative_cos = weight, source, false_negative_cos
        self.head = AlignmentHead(in_channels, teacher_channels)
        self.log_scale = nn.Parameter(torch.full((1,), math.log(1 / 0.07)))  # FSDP2 divides no scalars

    def forward(self, student: VideoTokens, teacher_VThwC: Tensor, frames_VT: Tensor) -> dict[str, Tensor]:
        """``loss_contrast``, at least 0; 0 where there is one frame in all.

        Raises:
            ValueError: If ``source='frame'`` and the tokenizer makes no ``FRAME`` tokens.
        """
        frames = max(int(frames_VT.max()), 0) + 1
        a_XD, seen_X = self._student_frames(student, frames)
        b_XD, known_X = _teacher_frames(teacher_VThwC, frames_VT, frames)
        pair_K = (seen_X & known_X).nonzero().squeeze(1)
        a_KD, b_KD = F.normalize(a_XD[pair_K], dim=-1), F.normalize(b_XD[pair_K], dim=-1)
        return {"loss_contrast": self.weight * self._info_nce(a_KD, b_KD, pair_K // frames)}

    def _student_frames(self, student: VideoTokens, frames: int) -> tuple[Tensor, Tensor]:
        """(V * F, D) projected feature of each frame, and (V * F,) which frames have one."""
        marker_VN = student.kind == Kind.FRAME
        if self.source == "frame" and not bool(marker_VN.any()):
            raise ValueError(
                "FrameContrast: there is no FRAME token among the tokens; use source='mean' with this tokenizer."
            )
        chosen_VN = marker_VN if self.source == "frame" else student.kind > Kind.TEXT
        inside_VN = (student.frame >= 0) & (student.frame < frames)
        v_M, n_M = (chosen_VN & inside_VN & student.valid).nonzero(as_tuple=True)
        x_MC = self.head.norm(student.x[v_M, n_M])
        bucket_M = v_M * frames + student.frame[v_M, n_M]
        mean_XC, seen_X = mean_rows(x_MC, student.size[v_M, n_M].float(), bucket_M, len(student.x) * frames)
        return self.head.project(mean_XC), seen_X

    def _info_nce(self, a_KD: Tensor, b_KD: Tensor, video_K: Tensor) -> Tensor:
        with torch.no_grad():  # a gradient through a clamp would be lost for good once above it
            self.log_scale.clamp_(max=math.log(100.0))
        ranks, rank = _ranks()
        a_AD, first = gather_rows(a_KD)
        b_AD, _ = gather_rows(b_KD)
        video_A, _ = gather_rows(video_K + rank * 2**32)  # videos of different ranks are different videos
        own = slice(first, first + len(a_KD))
        with torch.autocast(a_KD.device.type, enabled=False):
            scale = self.log_scale.float().exp()
            hidden_KA = self._not_negative(b_AD, video_A, own)
            a_to_b_KA = (scale * a_KD @ b_AD.T).masked_fill(hidden_KA, -torch.inf)
            b_to_a_KA = (scale * b_KD @ a_AD.T).masked_fill(hidden_KA, -torch.inf)
            target_K = torch.arange(first, first + len(a_KD), device=a_KD.device)
            total = F.cross_entropy(a_to_b_KA, target_K, reduction="sum")
            total = total + F.cross_entropy(b_to_a_KA, target_K, reduction="sum")
        return total * ranks / (2 * max(len(a_AD), 1))

    def _not_negative(self, b_AD: Tensor, video_A: Tensor, own: slice) -> Tensor:
        """(K, A) bool: pairs of frames of one video that look alike to the teacher."""
        if self.false_negative_cos is None:
            return torch.zeros(len(b_AD[own]), len(b_AD), dtype=torch.bool, device=b_AD.device)
        rows_A = torch.arange(len(b_AD), device=b_AD.device)
        other_KA = rows_A[own, None] != rows_A
        same_KA = video_A[own, None] == video_A
        return same_KA & other_KA & (b_AD[own] @ b_AD.T > self.false_negative_cos)


def _teacher_frames(teacher_VThwC: Tensor, frames_VT: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """(V * F, D) mean of the teacher's features of each frame of the student, and (V * F,) which frames have one."""
    z_VTD = teacher_VThwC.float().mean((2, 3))
    bucket_VT = torch.arange(len(z_VTD), device=z_VTD.device)[:, None] * frames + frames_VT.clamp(min=0)
    weight_VT = (frames_VT >= 0).float()
    return mean_rows(z_VTD.flatten(0, 1), weight_VT.flatten(), bucket_VT.flatten(), len(z_VTD) * frames)


def _ranks() -> tuple[int, int]:
    """How many ranks there are, and which this is."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_world_size(), dist.get_rank()
    return 1, 0
