from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facewire.codec import errors
from facewire.codec.errors import EvaluationError, FacewireError, MissingExtraError
from facewire.eval.runners import in_process, local_runner, ray_runner

Runner = Callable[..., Iterator[tuple[int, object]]]

FAIL = "from facewire.codec.errors import {0} as E\nraise E{1}"


def everything(runner: Runner, task: Callable[..., object], *values: object) -> dict[int, object]:
    """What a runner gives, by index; each index once."""
    pairs = list(runner(task, [(value,) for value in values]))
    assert sorted(index for index, _ in pairs) == list(range(len(values)))
    return dict(pairs)


# `eval` and `exec` are tasks that every process finds under their names.
@pytest.mark.parametrize("runner", [in_process, local_runner(2)], ids=["in_process", "processes"])
def test_each_task_gives_its_result_or_its_error(runner: Runner) -> None:
    got = everything(runner, eval, "6 * 7", "1 / 0", "'a' + 'b'", "None", "[][1]")
    assert [got[0], got[2], got[3]] == [42, "ab", None]
    assert isinstance(got[1], ZeroDivisionError)
    assert isinstance(got[4], IndexError)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("runner", [in_process, local_runner(2)], ids=["in_process", "processes"])
def test_errors_keep_their_kind_and_their_sentence(runner: Runner) -> None:
    """One that cannot be read in another process must not end the tasks of all."""
    unreadable = "class Odd(Exception): pass\nraise Odd('its words')"
    got = everything(
        runner,
        exec,
        FAIL.format("EvaluationError", "('vvenc failed')"),
        FAIL.format("MissingExtraError", "('the report', 'eval')"),
        unreadable,
        "pass",
    )
    assert isinstance(got[0], EvaluationError)
    assert str(got[0]) == "vvenc failed"
    assert isinstance(got[1], MissingExtraError)
    assert str(got[1]) == str(MissingExtraError("the report", "eval"))
    assert isinstance(got[2], Exception)
    assert "its words" in str(got[2])
    assert got[3] is None


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_survives_the_way_between_processes(name: str) -> None:
    kind = getattr(errors, name)
    more = {"MissingExtraError": ("extra",), "RateError": (7.5,)}.get(name, ())
    error = kind("a sentence", *more)
    again = pickle.loads(pickle.dumps(error))
    assert vars(again) == vars(error)
    assert type(again) is kind
    assert str(again) == str(error)
    assert isinstance(again, FacewireError)


def test_a_process_that_dies_is_an_error_and_not_the_end() -> None:
    got = everything(local_runner(2), exec, "import os; os._exit(9)", "import os; os._exit(9)")
    assert all(isinstance(result, Exception) for result in got.values())


def test_ctrl_c_in_a_task_here_goes_up() -> None:
    with pytest.raises(KeyboardInterrupt):
        everything(in_process, exec, "raise KeyboardInterrupt")


def test_whoever_stops_reading_leaves_no_process() -> None:
    results = local_runner(2)(eval, [("1",), ("2",), ("3",)])
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_tasks_that_would_run_for_long(tmp_path: Path, by: signal.Signals) -> None:
    """Within a moment, with what they clean up, and without a traceback of theirs."""
    task = (
        "import os, tempfile, threading\n"
        f"with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):\n"
        "    os.write(1, b'up\\n')\n"  # in one piece: two of them write at once
        "    threading.Event().wait(600)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(
        "import signal\n"
        "from facewire.eval.runners import local_runner\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in background jobs
        "if __name__ == '__main__':\n"
        "    try:\n"
        f"        list(local_runner(2)(exec, [({task!r},)] * 3))\n"
        "    except KeyboardInterrupt:\n"
        "        print('stopped')\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, str(script)], stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        try:
            assert [process.stdout.readline() for _ in range(2)] == [b"up\n"] * 2
            process.send_signal(by)
            out, errors_ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out == b"stopped\n"
    assert errors_ == b""
    assert [path.name for path in tmp_path.iterdir()] == ["run.py"]


@pytest.mark.parametrize(("jobs", "tasks"), [(1, 3), (4, 1)])
def test_one_job_or_one_task_needs_no_other_process(jobs: int, tasks: int) -> None:
    code = [f"import os; assert os.getpid() == {os.getpid()}"] * tasks
    assert everything(local_runner(jobs), exec, *code) == dict.fromkeys(range(tasks))


def test_no_tasks() -> None:
    for runner in (in_process, local_runner(1), local_runner(0)):
        assert everything(runner, eval) == {}


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"facewire\[ray\]"):
        ray_runner("local")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_ray_on_this_machine() -> None:
    """In a process of its own: Ray starts many, and they end with it."""
    code = (
        "import json\n"
        "from facewire.eval.runners import ray_runner\n"
        "run = ray_runner('local')\n"
        "got = {i: repr(r) for i, r in run(eval, [('6 * 7',), ('1 / 0',), ('3',)])}\n"
        "ray_runner('local')\n"  # a second run in one process
        "print(json.dumps(got))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    got = json.loads(done.stdout.strip().splitlines()[-1])
    assert got == {"0": "42", "1": "ZeroDivisionError('division by zero')", "2": "3"}
