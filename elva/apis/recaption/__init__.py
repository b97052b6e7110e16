"""New captions for an annotation file, from a model behind an OpenAI-compatible endpoint."""

from .job import Job, Prices, RayOptions
from .pace import Limits
from .protocol import Protocol
from .recaption import Report, recaption
from .validate import Rules

__all__ = ["Job", "Limits", "Prices", "Protocol", "RayOptions", "Report", "Rules", "recaption"]
