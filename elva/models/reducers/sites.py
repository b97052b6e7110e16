"""Where the patches of a video stand: a table of frames and places.

Legend: B videos, N tokens, T frames, S sites of a frame (slots), K = T * S + 1 entries, E sites of a video, P pairs,
C channels.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from elva.structures import Kind, VideoTokens

from .grid import frame_number


@dataclass(frozen=True)
class Sites:
    """The patches of each frame, by slot: in raster order, and in one column where they have one place.

    A frame has patches in the columns of its own grid alone.

    Attributes:
        at_BTS: (B, T, S) long, the token's number; 0 where there is none.
        there_BTS: (B, T, S) bool.
        stream_BT: (B, T) long; frames of the same value have the same grid, hence the same columns. -1: no patches.
    """

    at_BTS: Tensor
    there_BTS: Tensor
    stream_BT: Tensor

    @classmethod
    def of(cls, tokens: VideoTokens) -> "Sites":
        """The sites of all patches that have a slot."""
        patch_BN = tokens.reducible & (tokens.kind == Kind.PATCH)
        frame_BN = frame_number(tokens)
        frames, slots = int(frame_BN.max()) + 1, max(1, int(tokens.slot.max()) + 1)
        at_BN = torch.where(patch_BN, frame_BN * slots + tokens.slot, frames * slots)
        table_BK = tokens.slot.new_full((len(at_BN), frames * slots + 1), -1)
        rows_BN = torch.arange(at_BN.shape[1], device=at_BN.device).expand_as(at_BN)
        table_BTS = table_BK.scatter_(1, at_BN, rows_BN)[:, :-1].unflatten(1, (frames, slots))
        sites = cls(table_BTS.clamp(min=0), table_BTS >= 0, table_BTS[..., 0])
        grid_BN = tokens.grid[..., 0] * 2**16 + tokens.grid[..., 1]
        return replace(sites, stream_BT=sites.take(grid_BN).masked_fill(~sites.there_BTS, -1).amax(2))

    def take(self, values_BN: Tensor) -> Tensor:
        """(B, T, S, ...) the values of the sites, of ``values_BN`` (B, N, ...); those of token 0 where is none."""
        video_B11 = torch.arange(len(values_BN), device=values_BN.device)[:, None, None]
        return values_BN[video_B11, self.at_BTS]

    def mark(self, some_BTS: Tensor, tokens: VideoTokens) -> Tensor:
        """(B, N) bool, the tokens of ``some_BTS``, (B, T, S) bool."""
        length = tokens.x.shape[1]
        at_BE = torch.where(some_BTS & self.there_BTS, self.at_BTS, length).flatten(1)
        mark_BN = torch.zeros_like(tokens.valid, dtype=torch.bool)
        return F.pad(mark_BN, (0, 1)).scatter(1, at_BE, True)[:, :-1]

    def stays(self, chosen_BTS: Tensor, tokens: VideoTokens) -> Tensor:
        """(B, N) bool, the valid tokens without those of the sites that were not chosen."""
        return tokens.valid & ~self.mark(~chosen_BTS, tokens)

    def moved(self, stays_BN: Tensor) -> "Sites":
        """The same sites after only ``stays_BN`` are left; those of the others are no longer there."""
        new_BTS = self.take((stays_BN.cumsum(1) - 1).masked_fill(~stays_BN, -1))
        return replace(self, at_BTS=new_BTS.clamp(min=0), there_BTS=self.there_BTS & (new_BTS >= 0))

    @property
    def ordinal_BT(self) -> Tensor:
        """(B, T) long: which frame of its stream each is, from 0."""
        return same_stream(self.stream_BT).tril(-1).sum(2)

    def earlier(self, back_BT: Tensor) -> Tensor:
        """(B, T) long: the frame ``back_BT`` before each in its own stream; the frame itself if there is none."""
        ordinal_BT = self.ordinal_BT
        wanted_BT1 = (ordinal_BT - back_BT)[..., None]
        found_BTT = same_stream(self.stream_BT) & (ordinal_BT[:, None, :] == wanted_BT1)
        own_T = torch.arange(found_BTT.shape[1], device=found_BTT.device)
        return torch.where(found_BTT.any(2), found_BTT.byte().argmax(2), own_T)


def same_stream(stream_BT: Tensor) -> Tensor:
    """(B, T, T) bool: whether two frames are of one stream, which frames without patches (-1) are of none."""
    return (stream_BT[:, :, None] == stream_BT[:, None, :]) & (stream_BT >= 0)[..., None]


@torch.no_grad()
def similarity(tokens: VideoTokens, sites: Sites, other_BT: Tensor) -> Tensor:
    """(B, T, S) cosine of each site with the same site of frame ``other_BT``; -2 if it is not there in both."""
    other_BTS = other_BT[..., None].expand_as(sites.at_BTS)
    both_BTS = sites.there_BTS & sites.there_BTS.gather(1, other_BTS)
    video_P = both_BTS.nonzero(as_tuple=True)[0]
    x_PC = tokens.x[video_P, sites.at_BTS[both_BTS]].float()
    y_PC = tokens.x[video_P, sites.at_BTS.gather(1, other_BTS)[both_BTS]].float()
    cosine_BTS = torch.full(both_BTS.shape, -2.0, device=x_PC.device)
    return cosine_BTS.index_put(both_BTS.nonzero(as_tuple=True), F.cosine_similarity(x_PC, y_PC, dim=1))
