"""ELVA: a toolkit for encoder-free video language models."""

from .version import __version__

__all__ = ["__version__"]
