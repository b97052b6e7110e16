#!/usr/bin/env bash
# Train on a Slurm cluster: tools/slurm_train.sh PARTITION JOB CONFIG WORK_DIR [GPUS] [options of tools/train.py]
# From the environment: GPUS_PER_NODE (8, or GPUS if fewer), CPUS_PER_TASK (8), SRUN_ARGS (more options of srun).
set -euo pipefail
if [ "$#" -lt 4 ]; then
    echo "usage: $0 PARTITION JOB CONFIG WORK_DIR [GPUS] [options of tools/train.py]" >&2
    exit 2
fi
partition=$1
job=$2
config=$3
work_dir=$4
shift 4
gpus=8
if [[ "${1:-}" =~ ^[0-9]+$ ]]; then
    gpus=$1
    shift
fi
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}

root="$(cd "$(dirname "$0")/.." && pwd)"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
# shellcheck disable=SC2086  # SRUN_ARGS is a list of words
exec srun -p "$partition" --job-name="$job" --gres="gpu:$per_node" --ntasks="$gpus" --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$root/tools/train.py" "$config" --work-dir "$work_dir" --launcher slurm "$@"
