"""Video tokenizers: from pixels to tokens that describe themselves."""

from .base import VideoTokenizer
from .elva_patch_embed import ElvaPatchEmbed
from .linear_patch_embed import LinearPatchEmbed
from .tubelet_embed import TubeletEmbed

__all__ = ["ElvaPatchEmbed", "LinearPatchEmbed", "TubeletEmbed", "VideoTokenizer"]
