"""ELVA's models inside other programs."""
