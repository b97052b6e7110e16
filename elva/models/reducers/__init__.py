"""Token reducers: what shortens the visual tokens before the language model."""

from .adaptive_pool import AdaptivePool
from .base import ReduceContext, TokenReducer
from .chain import check_chain, check_grids, signals
from .compose import Compose
from .dtd import DTD
from .dycoke_ttm import DyCokeTTM
from .fast_vid import FastVID
from .holitom_outer import HoliTomOuter
from .matryoshka_pool import MatryoshkaPool
from .pru_merge import PruMerge
from .spatial_pool import SpatialPool
from .temporal_pool import TemporalPool
from .vision_zip import VisionZip

__all__ = [
    "DTD",
    "AdaptivePool",
    "Compose",
    "DyCokeTTM",
    "FastVID",
    "HoliTomOuter",
    "MatryoshkaPool",
    "PruMerge",
    "ReduceContext",
    "SpatialPool",
    "TemporalPool",
    "TokenReducer",
    "VisionZip",
    "check_chain",
    "check_grids",
    "signals",
]
