"""Where tasks run: in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import logging
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from threading import current_thread, main_thread
from typing import Any

from ..codec.errors import EvaluationError, MissingExtraError
from ..models.cores import cores

__all__ = ["in_process", "local_runner", "ray_runner"]

Task = Callable[..., object]
Arguments = list[tuple[object, ...]]


def in_process(task: Task, arguments: Arguments) -> Iterator[tuple[int, object]]:
    """One after the other."""
    for index, values in enumerate(arguments):
        try:
            result = task(*values)
        except Exception as error:
            result = error
        yield index, result


def local_runner(jobs: int) -> Callable[[Task, Arguments], Iterator[tuple[int, object]]]:
    """Several processes on this machine; 0: one a core. One job stays in this process.

    Ctrl-C and SIGTERM end all of them, and come out as `KeyboardInterrupt`.
    """
    count = jobs or cores()

    def run(task: Task, arguments: Arguments) -> Iterator[tuple[int, object]]:
        if count == 1 or len(arguments) <= 1:
            yield from in_process(task, arguments)
            return
        # Fresh processes: forked ones would share the locks of torch's and OpenVINO's threads.
        pool = ProcessPoolExecutor(
            min(count, len(arguments)), mp_context=get_context("spawn"), initializer=_worker
        )
        before = signal.getsignal(signal.SIGTERM)
        here = current_thread() is main_thread()  # only there signals can be caught
        if here:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            futures = {pool.submit(_caught, task, values): i for i, values in enumerate(arguments)}
            for future in as_completed(futures):
                error = future.exception()  # a process that was killed
                yield futures[future], future.result() if error is None else error
        except KeyboardInterrupt:
            # The task at hand is given up; the streams and figures that it has made are kept.
            for process in active_children():
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            if here:
                signal.signal(signal.SIGTERM, before)

    return run


def _worker() -> None:
    """Ctrl-C is the parent's affair: it ends a worker by a signal that lets it clean up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)


class _Stopped(SystemExit):
    """Raised in a worker that is to end; unwinding closes its files and programs."""


def _stop(*_: object) -> None:
    # The pool sends a second signal once the first process has gone: not into the cleaning up.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped(143)


def ray_runner(address: str) -> Callable[[Task, Arguments], Iterator[tuple[int, object]]]:
    """An existing Ray cluster; `local` starts one in this machine.

    Raises:
        MissingExtraError: Ray is not installed.
        EvaluationError: no cluster at that address.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("spreading over a cluster", "ray") from error
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray would report each cluster to its makers
    try:
        ray.init(
            address=address,
            ignore_reinit_error=True,
            log_to_driver=False,
            logging_level=logging.ERROR,
            configure_logging=False,
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise EvaluationError(f"no Ray cluster answers at {address}: {error}") from error

    def run(task: Task, arguments: Arguments) -> Iterator[tuple[int, object]]:
        remote: Any = ray.remote(num_cpus=1)(_caught)
        waiting = {remote.remote(task, values): i for i, values in enumerate(arguments)}
        try:
            while waiting:
                ready, _ = ray.wait(list(waiting))
                for reference in ready:
                    index = waiting.pop(reference)
                    try:
                        result = ray.get(reference)
                    except ray.exceptions.RayError as error:  # a node that died
                        result = error
                    yield index, result
        finally:
            for reference in waiting:
                ray.cancel(reference)

    return run


def _caught(task: Task, values: tuple[object, ...]) -> object:
    """The result, or the error in a form that reaches another process whole."""
    try:
        return task(*values)
    except _Stopped:
        os._exit(143)  # and not on to the next task, as the pool would
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # an error that cannot be read again would end the whole pool
            return RuntimeError(f"{type(error).__name__}: {error}")
        return error
