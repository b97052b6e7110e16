import os
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def run(tmp_path):
    """Run a script with a python and an srun that only print what they were called with."""
    for name in ("python", "srun"):
        (tmp_path / name).write_text(f'#!/usr/bin/env bash\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)

    def call(script: str, *words: str, **env: str) -> subprocess.CompletedProcess:
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **env}
        return subprocess.run([TOOLS / script, *words], env=env, capture_output=True, text=True)

    return call


def test_dist_train_starts_torchrun(run):
    machine = dict(NNODES="2", NODE_RANK="1", MASTER_ADDR="10.0.0.1", PORT="5000")
    out = run("dist_train.sh", "c.py", "4", "--amp", **machine).stdout
    assert out.split()[:3] == ["python", "-m", "torch.distributed.run"]
    assert "--nnodes=2 --node_rank=1 --nproc_per_node=4 --master_addr=10.0.0.1 --master_port=5000" in out
    assert out.strip().endswith(f"{TOOLS}/train.py c.py --launcher pytorch --amp")


def test_dist_test_starts_torchrun(run):
    out = run("dist_test.sh", "c.py", "a.pth", "2", "--out", "o.json").stdout
    assert "--nnodes=1 --node_rank=0 --nproc_per_node=2 --master_addr=127.0.0.1 --master_port=29500" in out
    assert out.strip().endswith(f"{TOOLS}/test.py c.py a.pth --launcher pytorch --out o.json")


def test_slurm_train_starts_srun(run):
    out = run("slurm_train.sh", "gpu", "job", "c.py", "work", "16", "--amp", SRUN_ARGS="--time=1 -x a").stdout
    assert out.startswith("srun -p gpu --job-name=job --gres=gpu:8 --ntasks=16 --ntasks-per-node=8")
    assert "--kill-on-bad-exit=1 --time=1 -x a python -u" in out
    assert out.strip().endswith(f"{TOOLS}/train.py c.py --work-dir work --launcher slurm --amp")
    assert "--gres=gpu:8 --ntasks=8" in run("slurm_train.sh", "gpu", "job", "c.py", "work", "--amp").stdout
    assert "--gres=gpu:2 --ntasks=2" in run("slurm_train.sh", "gpu", "job", "c.py", "work", "2").stdout


@pytest.mark.parametrize("script", ["dist_train.sh", "dist_test.sh", "slurm_train.sh"])
def test_too_few_words_are_answered_with_the_usage(run, script):
    result = run(script, "c.py")
    assert result.returncode == 2
    assert result.stderr.startswith(f"usage: {TOOLS / script} ")
