import faulthandler
import os
import signal
import threading
import time

import pytest

from elva.apis.check_dataset.pool import Lost, run_tasks

PATIENCE = 0.5


def act(task: tuple[str, int]) -> int:
    """Do what the task says, and return its number."""
    deed, number = task
    if deed == "hang":
        time.sleep(60)
    if deed == "crash":
        faulthandler.disable()  # pytest's
        os.kill(os.getpid(), signal.SIGSEGV)
    if deed == "leave a thread":
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    if deed == "raise":
        raise KeyError("a mistake of ours")
    return number


def run(*deeds: str, workers: int = 2) -> dict[int, int | Lost]:
    results = list(run_tasks(act, [(deed, i) for i, deed in enumerate(deeds)], workers, PATIENCE))
    assert len({number for number, _ in results}) == len(results), "every task is answered once"
    return dict(results)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 3, 500])
def test_every_task_is_done_once(count, workers):
    assert run(*["work"] * count, workers=workers) == {i: i for i in range(count)}


@pytest.mark.parametrize(("deed", "reason"), [("crash", "died of SIGSEGV"), ("hang", "more than 0.5 s")])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_lost_worker_costs_its_task_alone(deed, reason, workers):
    deeds = ["work"] * 40
    for place in (0, 17, 39):
        deeds[place] = deed
    found = run(*deeds, workers=workers)
    lost = {number: result for number, result in found.items() if isinstance(result, Lost)}
    assert sorted(lost) == [0, 17, 39]
    assert all(reason in result.reason for result in lost.values())
    assert {number: result for number, result in found.items() if number not in lost} == {
        i: i for i in range(40) if i not in lost
    }


def test_a_process_with_a_thread_that_hangs_is_replaced():
    assert run(*["leave a thread", "work"] * 5, workers=1) == {i: i for i in range(10)}


def test_mistakes_of_ours_are_not_hidden():
    with pytest.raises(RuntimeError, match="KeyError: 'a mistake of ours'"):
        run("work", "raise", "work")


def test_tasks_are_made_when_they_are_handed_out():
    made = []

    class Tasks(list):
        def __getitem__(self, number):
            made.append(number)
            return super().__getitem__(number)

    tasks = Tasks([("work", i) for i in range(1000)])
    results = run_tasks(act, tasks, 2, PATIENCE)
    next(results)
    assert len(made) <= 3 * 64
    results.close()


def test_processes_end_with_the_run():
    results = run_tasks(_pid, range(10), 2)
    workers = {pid for _, pid in results}
    assert 1 <= len(workers) <= 2
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def _pid(task: int) -> int:
    return os.getpid()
