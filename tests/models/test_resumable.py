"""What trainings share: the rate, the averages, and steps that leave no broken weights behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from facewire.codec.errors import TrainingError
from facewire.models.training.resumable import ResumableRun
from facewire.models.training.schedule import follow, rate_at


def test_the_rate_rises_and_falls() -> None:
    first = [rate_at(step, 0, highest=2.0, warmup=4) for step in range(5)]
    assert first == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0])
    later = [rate_at(100, done, highest=2.0, lowest=0.1) for done in (0, 0.5, 1)]
    assert later == pytest.approx([2.0, 2 * (0.1 + 0.45), 0.2])


def test_averages_follow() -> None:
    average, now = [torch.zeros(2)], [torch.tensor([1.0, 10.0], requires_grad=True)]
    follow(average, now, 0, 0.9)  # keeps a tenth in the first step
    torch.testing.assert_close(average[0], torch.tensor([0.9, 9.0]))
    follow(average, now, 10**6, 0.9)
    torch.testing.assert_close(average[0], torch.tensor([0.91, 9.1]))


class Line(ResumableRun):
    """Learns one number; `breaks` makes of the third step what must not be learned from."""

    def __init__(self, out: Path, breaks: str = "", every: int = 0) -> None:
        super().__init__(out, {"name": "line"}, 5, 0.0, every)
        self.network = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(self.network.weight)
        self.optimiser = torch.optim.SGD(self.network.parameters(), lr=0.25)
        self.breaks, self.published = breaks, 0

    def begin(self, step: int) -> None:
        self.first = step

    def one_step(self) -> dict[str, float]:
        weight: Tensor = self.network.weight.sum()
        terms = {"square": weight**2}
        if self.step == 2 and self.breaks == "loss":
            terms["more"] = weight * torch.nan
        elif self.step == 2 and self.breaks == "gradient":
            terms["more"] = (0 * weight).sqrt()  # is 0, and falls without end
        return self.descend(self.optimiser, terms)

    def evaluate(self) -> dict[str, float]:
        return {"weight": float(self.network.weight.detach())}

    def parts(self) -> dict[str, Any]:
        return {"model": self.network}

    def publish(self) -> None:
        self.published += 1


def test_a_run_goes_down_its_losses(tmp_path: Path) -> None:
    run = Line(tmp_path, every=2)
    run.train(None)
    assert float(run.network.weight.detach()) == pytest.approx(0.5**5)  # each step halves it
    rows = (tmp_path / "held-out.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "2", "4", "5"]
    assert run.published == 1


def test_nothing_is_measured_unless_it_is_asked_for(tmp_path: Path) -> None:
    Line(tmp_path).train(None)
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint.pt"}


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_the_last_good_weights_are_kept(what: str, tmp_path: Path) -> None:
    run = Line(tmp_path, breaks=what)
    with pytest.raises(TrainingError, match=f"the {what} is no longer a number at step 2"):
        run.train(None)
    other = Line(tmp_path)
    other.load()
    assert other.step == 2
    assert float(other.network.weight.detach()) == pytest.approx(0.25)


def test_a_long_gradient_is_cut(tmp_path: Path) -> None:
    run = Line(tmp_path)
    values = run.descend(run.optimiser, {"square": 8 * run.network.weight.sum() ** 2}, clip=1.0)
    assert values == {"square": 8.0}
    assert float(run.network.weight.detach()) == pytest.approx(1 - 0.25)
