"""Tube-wise alignment: what a place looks like through time, against the teacher.

Legend: V videos, G videos of one grid, N tokens, M tokens that count, T frames of the teacher, K chunks of time,
h w the teacher's grid or the student's, J tubes = G * K * h * w, C channels of the student, D of the teacher.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from elva.registry import SUPERVISORS
from elva.structures import Kind, VideoTokens

from .base import Supervisor
from .head import AlignmentHead, mean_rows


@SUPERVISORS.register_module()
class TubeAlignment(Supervisor):
    """ELVA's L_MSE (arXiv 2503.18422): the mean over tubes of ``|u/|u| - v/|v||^2 = 2 - 2 cos(u, v)``.

    A tube is one place of the grid through time. ``u`` is the size-weighted mean over time of the student's patches
    of that place, which temporal merging leaves as it is; ``v`` is the mean over the same frames of the teacher's
    features, resampled to the student's grid. The square is summed over channels: a mean over them would be a
    thousand times smaller and leave no gradient. Of a video with several grids only the finest is supervised.

    Args:
        in_channels: Width C of the language model.
        teacher_channels: Width D of the teacher's features.
        weight: Factor of the loss. Default: 1.
        tube_len: Temporal units (values of ``frame``) of a tube. Default: None, the whole video.
    """

    def __init__(
        self, in_channels: int, teacher_channels: int, weight: float = 1.0, tube_len: int | None = None
    ) -> None:
        super().__init__()
        if tube_len is not None and tube_len < 1:
            raise ValueError(f"TubeAlignment: tube_len={tube_len} must be at least 1, or None for whole videos.")
        self.weight, self.tube_len = weight, tube_len
        self.head = AlignmentHead(in_channels, teacher_channels)

    def forward(self, student: VideoTokens, teacher_VThwC: Tensor, frames_VT: Tensor) -> dict[str, Tensor]:
        """``loss_tube``, between 0 and ``4 * weight``; 0 if no patch of the student is left."""
        patch_VN = student.kind == Kind.PATCH
        finest_V2 = _finest_grids(student.grid, patch_VN)
        fine_VN = patch_VN & (student.grid == finest_V2[:, None]).all(-1)
        if self.tube_len is not None:
            fine_VN &= student.frame >= 0  # what spans frames is of no chunk
        taught_VT = _frames_with(fine_VN, student.frame, frames_VT)
        grids, group_V = finest_V2.unique(dim=0, return_inverse=True)
        chunks = 1 if self.tube_len is None else int(frames_VT.max()) // self.tube_len + 1
        losses, counts = [], []
        for index, (h, w) in enumerate(grids.tolist()):
            videos = (group_V == index).nonzero().squeeze(1)
            u_JD, seen_J = self._student_tubes(student, fine_VN & student.valid, videos, chunks, (h, w))
            v_JD, known_J = self._teacher_tubes(teacher_VThwC, taught_VT, frames_VT, videos, chunks, (h, w))
            both_J = seen_J & known_J
            cos_J = (F.normalize(u_JD, dim=-1) * F.normalize(v_JD, dim=-1)).sum(-1)
            losses.append(torch.where(both_J, 2 - 2 * cos_J, 0).sum())
            counts.append(both_J.sum())
        return {"loss_tube": self.weight * torch.stack(losses).sum() / torch.stack(counts).sum().clamp(min=1)}

    def _student_tubes(
        self, student: VideoTokens, keep_VN: Tensor, videos: Tensor, chunks: int, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """(J, D) projected mean of each tube, and (J,) which tubes have a token."""
        h, w = grid
        g_M, n_M = keep_VN[videos].nonzero(as_tuple=True)
        v_M = videos[g_M]
        row_M, col_M = student.pos[v_M, n_M, 1:].round().long().unbind(-1)
        chunk_M = self._chunk(student.frame[v_M, n_M])
        tube_M = ((g_M * chunks + chunk_M) * h + row_M.clamp(0, h - 1)) * w + col_M.clamp(0, w - 1)
        x_MC = self.head.norm(student.x[v_M, n_M])
        mean_JC, seen_J = mean_rows(x_MC, student.size[v_M, n_M].float(), tube_M, len(videos) * chunks * h * w)
        return self.head.project(mean_JC), seen_J

    def _teacher_tubes(
        self,
        teacher_VThwC: Tensor,
        taught_VT: Tensor,
        frames_VT: Tensor,
        videos: Tensor,
        chunks: int,
        grid: tuple[int, int],
    ) -> tuple[Tensor, Tensor]:
        """(J, D) mean of each tube on the student's grid, and (J,) which tubes have a frame."""
        z_GThwD = teacher_VThwC[videos].float()
        bucket_GT = torch.arange(len(videos), device=videos.device)[:, None] * chunks
        bucket_GT = bucket_GT + self._chunk(frames_VT[videos].clamp(min=0))
        taught_GT = taught_VT[videos].float()
        mean, known = mean_rows(
            z_GThwD.flatten(0, 1).flatten(1), taught_GT.flatten(), bucket_GT.flatten(), len(videos) * chunks
        )
        mean_Dhw = mean.unflatten(1, z_GThwD.shape[2:]).movedim(-1, 1)
        v_JD = resample(mean_Dhw, grid).movedim(1, -1).flatten(0, 2)
        return v_JD, known.repeat_interleave(grid[0] * grid[1])

    def _chunk(self, frame: Tensor) -> Tensor:
        return torch.zeros_like(frame) if self.tube_len is None else frame // self.tube_len


def resample(features: Tensor, grid: tuple[int, int]) -> Tensor:
    """Features (B, D, h, w) on another grid: averaged where it is coarser, bilinear where it is finer."""
    coarse = (min(grid[0], features.shape[2]), min(grid[1], features.shape[3]))
    features = F.adaptive_avg_pool2d(features, coarse)
    return features if coarse == grid else F.interpolate(features, grid, mode="bilinear", align_corners=False)


def _frames_with(chosen_VN: Tensor, frame_VN: Tensor, frames_VT: Tensor) -> Tensor:
    """(V, T) bool: the teacher's frames that a chosen token comes from; all of them, for one that spans frames."""
    last = frames_VT.shape[1]  # there are no more units than frames, so an index is below
    at_VN = torch.where(chosen_VN & (frame_VN >= 0), frame_VN, last)
    has = torch.zeros(len(at_VN), last + 1, dtype=torch.bool, device=at_VN.device)
    has = has.scatter_(1, at_VN, True)
    spans_V1 = (chosen_VN & (frame_VN < 0)).any(1, keepdim=True)
    return (has.gather(1, frames_VT.clamp(0, last - 1)) | spans_V1) & (frames_VT >= 0)


def _finest_grids(grid_VN2: Tensor, patch_VN: Tensor) -> Tensor:
    """(V, 2) the grid with most patches of each video."""
    at_V1 = torch.where(patch_VN, grid_VN2.prod(-1), 0).argmax(1, keepdim=True)
    return grid_VN2.gather(1, at_V1[..., None].expand(-1, -1, 2)).squeeze(1)
