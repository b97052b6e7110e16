"""Video tokenizers: from pixels to tokens that describe themselves."""

from .base import VideoTokenizer
from .elva_patch_embed import ElvaPatchEmbed
from .eve_patch_embed import EvePatchEmbed
from .fuyu_patch_embed import FuyuPatchEmbed
from .hf_frame_encoder import FrameEncoder
from .hf_video_encoder import VideoEncoder
from .linear_patch_embed import LinearPatchEmbed
from .mean_pooled_frames import MeanPooledFrames
from .stab_patch_embed import StabPatchEmbed
from .tubelet_embed import TubeletEmbed

__all__ = [
    "ElvaPatchEmbed",
    "EvePatchEmbed",
    "FrameEncoder",
    "FuyuPatchEmbed",
    "LinearPatchEmbed",
    "MeanPooledFrames",
    "StabPatchEmbed",
    "TubeletEmbed",
    "VideoEncoder",
    "VideoTokenizer",
]
