"""`StillWork`: where the pictures of a call's references are coded.

A picture takes several codings of 30 to 60 ms each. By default, each frame of the call does one of
them. If `aside` is set, another thread does them, so that neither motion nor sound waits.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ..codec.picture.steps import Steps

__all__ = ["StillJob", "StillWork"]

T = TypeVar("T")


class StillJob(Generic[T]):
    """One task of a `StillWork`, done in steps.

    Attributes:
        done: whether there is a result.
    """

    def __init__(self, work: StillWork, steps: Steps[T]) -> None:
        self._work, self._steps = work, steps
        self._result: T | None = None
        self._error: Exception | None = None
        self.done = self.dropped = False

    def advance(self) -> bool:
        """Do one more step, unless another thread does them; returns whether there is a result."""
        if not self._work.aside:
            self.step()
        return self.done

    @property
    def result(self) -> T:
        """The result. An error of the work is raised here."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # `T` may be optional itself

    def drop(self) -> None:
        """Say that nobody wants the result any more."""
        self.dropped = True

    def step(self) -> None:
        """Do one more step."""
        if self.done:
            return
        try:
            next(self._steps)
        except StopIteration as end:
            self._result = end.value
            self.done = True
        except Exception as error:  # the thread that wants the result gets it
            self._error = error
            self.done = True


class StillWork:
    """All tasks of one call.

    Attributes:
        aside: whether another thread calls `work_ahead`, over and over.
    """

    def __init__(self) -> None:
        self.aside = False
        self._jobs: tuple[StillJob[Any], ...] = ()  # replaced as a whole: two threads look at it

    def begin(self, steps: Steps[T]) -> StillJob[T]:
        """Take a task."""
        job = StillJob(self, steps)
        self._jobs = (*(each for each in self._jobs if not (each.done or each.dropped)), job)
        return job

    def clear(self) -> None:
        """Forget all tasks."""
        self._jobs = ()

    def work_ahead(self) -> bool:
        """Do one step of the newest task, in the other thread; returns whether there was any."""
        for job in reversed(self._jobs):
            if not (job.done or job.dropped):
                job.step()
                return True
        return False
