"""Video tokenizers: from pixels to tokens that describe themselves."""

from .base import VideoTokenizer
from .elva_patch_embed import ElvaPatchEmbed

__all__ = ["ElvaPatchEmbed", "VideoTokenizer"]
