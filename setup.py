"""Packaging of ELVA: metadata and dependencies. Settings of the development tools are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent

OPTIONAL = ("datasets", "lmms-eval", "openai", "ray", "wups")
"""Extras that the tests use as well."""


def requirements(name: str) -> list[str]:
    """The lines of ``requirements/<name>.txt`` without comments."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    stripped = (line.split("#")[0].strip() for line in lines)
    return [line for line in stripped if line]


def version() -> str:
    """The version in elva/version.py, read without importing the package: its dependencies may not be there yet."""
    text = (ROOT / "elva" / "version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    assert found, "elva/version.py has no __version__"
    return found[1]


setup(
    name="elva",
    version=version(),
    description="A toolkit for encoder-free video language models",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author="ELVA toolkit contributors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    packages=find_packages(include=["elva", "elva.*"]),
    package_data={"elva": ["py.typed"]},
    python_requires=">=3.11",
    entry_points={"lmms_eval.models": ["elva = elva.integrations.lmms_eval:manifest"]},
    install_requires=requirements("runtime"),
    extras_require={
        **{name: requirements(name) for name in OPTIONAL},
        **{name: requirements(name) for name in ("xformers", "docs")},
        "dev": [line for name in ("dev", *OPTIONAL) for line in requirements(name)],
    },
)
