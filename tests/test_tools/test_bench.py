import json
import math

import pytest
import torch

from elva.structures import Kind
from tools.analysis_tools import bench
from tools.analysis_tools.benchmarks import BENCHMARKS, Result, input_pipeline, merging_growth, merging_share, prefill
from tools.analysis_tools.benchmarks.annotations import annotations
from tools.analysis_tools.benchmarks.decode import decode
from tools.analysis_tools.benchmarks.frame_cache import frame_cache
from tools.analysis_tools.benchmarks.merging import exponent
from tools.analysis_tools.benchmarks.sequences import video_sequence
from tools.analysis_tools.benchmarks.timing import interleaved, median_ratio
from tools.analysis_tools.benchmarks.train_step import train_step
from tools.analysis_tools.benchmarks.workers import workers


def check(result: Result, *names: str) -> None:
    assert math.isfinite(result.measured)
    assert set(names) <= set(result.details)


def test_prefill_compares_speed_with_flops():
    (result,) = prefill(rows=300, width=64, depth=3, rounds=1)
    check(result, "speed-up", "promised by FLOPs", "seconds plain", "seconds merged")
    assert result.details["promised by FLOPs"] > 1
    assert result.measured == pytest.approx(result.details["speed-up"] / result.details["promised by FLOPs"])


def test_decode_compares_the_same_answers():
    (result,) = decode(prompt=20, new_tokens=4, width=128, depth=2, sharing=2, rounds=1)
    check(result, "tokens/s elva", "tokens/s transformers", "ms elva, first token", "ms transformers, first token")
    assert result.details["same tokens"] == 1


def test_merging_share_is_a_share():
    (result,) = merging_share(rows=300, width=64, depth=3, rounds=1)
    check(result, "seconds in all", "seconds merging")
    assert result.measured < 1


def test_merging_growth_measures_each_size():
    (result,) = merging_growth(sizes=(256, 512), width=32, rounds=1)
    check(result, "ns a row at 256", "ns a row at 512", "dearest / cheapest row")


def test_input_pipeline_reads_the_same_frames_both_ways():
    (result,) = input_pipeline(clips=1, length=12, frames=3, rounds=1, size=(96, 160))
    check(result, "frames/s decord", "frames/s elva")


def test_annotations_are_measured_in_processes_of_their_own():
    first, memory, sample = annotations(samples=50, others=("Parquet",))
    kinds = [f"{kind}, {state}" for kind in ("JSONL", "Parquet") for state in ("new", "known")]
    check(sample, *(f"{kind}: MB beyond imports" for kind in kinds))
    assert first.measured == sample.details["JSONL, new: s to the first batch"]
    assert memory.measured == sample.details["JSONL, new: MB"]


def test_workers_are_timed_in_turns():
    (result,) = workers(clips=1, length=12, frames=3, batches=2, rounds=1, size=(96, 160))
    check(result, "samples/s 1", "samples/s 2")
    assert result.measured == pytest.approx(result.details["samples/s 2"] / result.details["samples/s 1"])


def test_frame_cache_counts_what_the_second_epoch_opens():
    opened, speed = frame_cache(clips=2, length=12, frames=3, rounds=1, size=(96, 160))
    assert opened.measured == 0 and opened.met
    check(speed, "ms a clip, first epoch", "ms a clip, second epoch", "bytes with zlib, share", "ms to unpack PNG")


def test_train_step_runs_the_tiny_recipe():
    (result,) = train_step(steps=2, batch_size=2, warm_up=1)
    check(result, "ms runner", "ms bare")


def test_the_exponent_of_a_power_is_found():
    assert exponent([1, 2, 4, 8], [3, 12, 48, 192]) == pytest.approx(2)


def test_alternatives_take_turns():
    calls: list[str] = []
    seconds = interleaved({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warm_up=1)
    assert calls == ["b", "a", "a", "b", "b", "a", "a", "b"]
    assert [len(times) for times in seconds.values()] == [3, 3]
    assert median_ratio([2.0, 8.0, 3.0], [1.0, 2.0, 1.0]) == 3


def test_sequences_have_the_rows_asked_for_and_much_to_merge():
    state = video_sequence(1024, width=32)
    kinds = state.kind[0]
    assert len(kinds) == 1024
    assert int((kinds == Kind.FRAME).sum()) == 8
    assert int((kinds == Kind.TEXT).sum()) == 1024 - 8 * 127
    place = (state.slot[0] == 0).nonzero().squeeze(1)
    cosines = torch.cosine_similarity(state.h[0, place[1:]], state.h[0, place[:-1]], dim=-1)
    assert float(cosines.mean()) > 0.6


@pytest.mark.parametrize(("measured", "status"), [(0.9, 0), (0.8, 1)])
def test_the_command_prints_and_writes_and_fails_below_a_target(tmp_path, monkeypatch, capsys, measured, status):
    result = Result("speed", measured, 0.85, True, {"seconds": 2.0})
    monkeypatch.setitem(BENCHMARKS, "prefill", lambda: [result])
    out = tmp_path / "new" / "bench.json"
    assert bench.main(["--only", "prefill", "--json", str(out)]) == status
    printed = capsys.readouterr().out
    assert ("met" if status == 0 else "MISSED") in printed
    assert "seconds: 2" in printed
    assert json.loads(out.read_text())[0]["met"] is (status == 0)


def test_a_target_may_be_the_most_allowed():
    assert Result("cost", 1.05, 1.05, at_least=False).met
    assert not Result("cost", 1.06, 1.05, at_least=False).met
