"""Token reducers: what shortens the visual tokens before the language model."""

from .base import ReduceContext, TokenReducer
from .chain import check_chain, signals
from .dycoke_ttm import DyCokeTTM
from .holitom_outer import HoliTomOuter
from .pru_merge import PruMerge
from .vision_zip import VisionZip

__all__ = [
    "DyCokeTTM",
    "HoliTomOuter",
    "PruMerge",
    "ReduceContext",
    "TokenReducer",
    "VisionZip",
    "check_chain",
    "signals",
]
