"""What holds for the package as a whole: what its import costs, what it needs, and the shape of its code."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import elva

ROOT = Path(__file__).parents[1]
PRODUCT = [path for folder in ("elva", "tools", "projects") for path in sorted((ROOT / folder).rglob("*.py"))]
CODE = [path for path in PRODUCT if not {"tests", "configs"} & set(path.relative_to(ROOT).parts)]
LAZY = ("datasets", "decord", "lmms_eval", "nltk", "openai", "ray", "xformers")
HOSTED = "elva.integrations.lmms_eval.model"
"""Only lmms-eval imports this module, which is made of what it offers."""
IMPORT_NAMES = {"mmcv-lite": "mmcv", "decord2": "decord", "pillow": "PIL", "pyyaml": "yaml"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def where(path: Path, node: ast.AST | None = None) -> str:
    line = f":{node.lineno} {getattr(node, 'name', '')}" if node is not None else ""
    return f"{path.relative_to(ROOT)}{line}"


def public_definitions(path: Path) -> Iterator[Function | ast.ClassDef]:
    """Top-level classes and functions whose names do not start with an underscore."""
    for node in tree_of(path).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def imported_modules(path: Path) -> set[str]:
    """Absolute names of what a file imports, anywhere in it."""
    package = list(path.relative_to(ROOT).with_suffix("").parts)
    modules = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level] if node.level else []
            modules.add(".".join([*above, *([node.module] if node.module else [])]))
    return modules


def run_python(code: str, *path: Path) -> str:
    """The output of ``code`` in a fresh interpreter, with ``path`` before everything else that it imports from."""
    first = [str(p) for p in (*path, ROOT)]
    prelude = f"import sys; sys.path[:0] = {first!r}\n"
    result = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_version_is_the_newest_of_the_changelog():
    assert re.fullmatch(r"\d+\.\d+\.\d+([a-z]+\d+)?", elva.__version__)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest and newest[1] == elva.__version__


def test_setup_reads_the_version_without_importing_the_package():
    code = "import runpy, setuptools; setuptools.setup = lambda **k: print(k['version'], 'elva' in sys.modules)\n"
    output = run_python(code + f"runpy.run_path({str(ROOT / 'setup.py')!r})")
    assert output.split() == [elva.__version__, "False"]


def test_setup_installs_the_package_and_nothing_else():
    code = "import runpy, setuptools; setuptools.setup = lambda **k: print(*k['packages'])\n"
    packages = run_python(code + f"import os; os.chdir({str(ROOT)!r}); runpy.run_path('setup.py')").split()
    folders = {path.parent for path in (ROOT / "elva").rglob("*.py")}
    assert set(packages) == {".".join(folder.relative_to(ROOT).parts) for folder in folders}


def test_import_is_fast_and_brings_in_nothing_heavy():
    code = "import time; t = time.perf_counter(); import elva; print(time.perf_counter() - t, *sys.modules)"
    seconds, *modules = run_python(code).split()
    assert float(seconds) < 3
    assert not {"torch", "mmengine", "transformers", *LAZY} & set(modules)


def test_every_module_imports_without_what_is_loaded_when_used(tmp_path):
    for name in LAZY:  # stand-ins, so that an import is noticed whether or not the library is installed
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported before it was used')\n")
    code = (
        "import importlib, pkgutil, elva\n"
        "names = [m.name for m in pkgutil.walk_packages(elva.__path__, 'elva.')]\n"
        f"names.remove('{HOSTED}')\n"
        "modules = [importlib.import_module(name) for name in names]\n"
        "from elva.registry import register_all_modules\n"
        "register_all_modules()\n"
        "print(len(modules))"
    )
    count = run_python(code, tmp_path)
    expected = [path for path in (ROOT / "elva").rglob("*.py") if path != ROOT / "elva" / "__init__.py"]
    assert int(count.split()[-1]) == len(expected) - 1  # HOSTED


def test_everything_imported_is_a_declared_dependency():
    files = [path for path in (ROOT / "requirements").glob("*.txt") if path.stem not in ("cpu", "dev", "docs")]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    names = [found[0] for line in lines if (found := re.match(r"[\w-]+", line))]
    names.append("lmms_eval")  # requirements/lmms-eval.txt says why it is not a line of it
    declared = {IMPORT_NAMES.get(name, name) for name in names} | set(sys.stdlib_module_names)
    undeclared = [
        f"{where(path)}: {module}"
        for path in CODE
        for module in imported_modules(path)
        if module.split(".")[0] not in declared | {"elva", "tools", "projects"}
    ]
    assert undeclared == []


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("elva", ("projects", "tools", "tests", "configs")),
        ("elva/structures", ("elva.models", "elva.datasets", "elva.registry", "elva.engine", "elva.utils")),
        ("elva/models/mergers", ("elva.datasets",)),
    ],
)
def test_dependencies_point_one_way(folder, forbidden):
    offenders = [
        f"{where(path)}: {module}"
        for path in (ROOT / folder).rglob("*.py")
        for module in imported_modules(path)
        if module.startswith(tuple(f"{name}." for name in forbidden)) or module in forbidden
    ]
    assert offenders == []


def test_files_have_at_most_500_lines():
    lengths = {where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PRODUCT}
    assert {name: length for name, length in lengths.items() if length > 500} == {}


def test_functions_have_at_most_90_lines():
    long = {
        where(path, node): node.end_lineno - node.lineno + 1
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, Function) and node.end_lineno - node.lineno + 1 > 90
    }
    assert long == {}


def test_every_public_name_has_a_docstring():
    missing = [where(path, node) for path in CODE for node in public_definitions(path) if not ast.get_docstring(node)]
    assert missing == []


def test_every_public_function_says_what_it_returns():
    missing = [
        where(path, node)
        for path in CODE
        for node in public_definitions(path)
        if isinstance(node, Function) and node.returns is None
    ]
    assert missing == []


def test_nothing_loads_code_from_data():
    unsafe = {("weights_only", False), ("allow_pickle", True), ("trust_remote_code", True)}
    offenders = [
        where(path, node)
        for path in PRODUCT
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.keyword) and (node.arg, getattr(node.value, "value", None)) in unsafe
    ]
    assert offenders == []


def test_links_between_documents_lead_somewhere():
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "projects").rglob("*.md")]
    links = [
        (path, link) for path in documents for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8"))
    ]
    dead = [f"{where(path)}: {link}" for path, link in links if "://" not in link and not (path.parent / link).exists()]
    assert dead == []
