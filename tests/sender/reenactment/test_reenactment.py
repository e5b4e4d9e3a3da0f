from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import ConsentError, MissingExtraError
from facewire.models.face.observation import Observation
from facewire.sender.observed import ObservedFrame, View
from facewire.sender.reenactment.owner import Owner, load_embedder
from facewire.sender.reenactment.reenactment import Reenactment
from facewire.sender.reenactment.sitter import Sitter

from .faces import HEADS, face, seen, speaking

PORTRAIT = seen(face(wide=1.1))
SITTER = Sitter(View.of(PORTRAIT), HEADS.find(PORTRAIT))
Array = npt.NDArray[np.float32]


class Embedder:
    """Says that all faces are this far from the first one."""

    def __init__(self, *distances: float) -> None:
        self._distances = list(distances)
        self.asked = -1

    def __call__(self, picture: npt.NDArray[np.uint8], landmarks: Array) -> Array:
        self.asked += 1
        far = 0.0 if self.asked == 0 else self._distances[min(self.asked, len(self._distances)) - 1]
        return np.array([far, 0], np.float32)


def frames(moments: Sequence[Observation | None], **first: bool) -> list[ObservedFrame]:
    views = [None if moment is None else View.of(moment) for moment in moments]
    return [
        ObservedFrame(n, view, **(first if n == 0 else {}))  # type: ignore[arg-type]
        for n, view in enumerate(views)
    ]


def talk(count: int = 10, start: float = 0.0) -> list[Observation]:
    return [
        seen(speaking(face(), 0.1 * (n % 5)), (n, 0, 0), seconds=start + 0.04 * n)
        for n in range(count)
    ]


def steady(frame: ObservedFrame) -> Array:
    assert frame.view is not None
    assert frame.view.seen.steady is not None
    return frame.view.seen.steady


def test_frames_show_the_portrait_and_nothing_of_the_camera() -> None:
    driver = [*talk(5), None, *talk(3, 0.3)]
    shown = Reenactment(SITTER, HEADS, None).show(frames(driver, join=True), live=False)
    assert [frame.pts for frame in shown] == list(range(9))
    assert shown[0].join
    assert [frame.view is None for frame in shown] == [moment is None for moment in driver]
    for frame in shown:
        if frame.view is not None:
            assert frame.view.look is SITTER.view.look
            assert frame.view.seen.picture is PORTRAIT.picture
            assert frame.view.seen.landmarks is PORTRAIT.landmarks
    mouths = [np.ptp(steady(frame)[[13, 14], 1]) for frame in shown[:5]]
    assert mouths == sorted(mouths)
    assert mouths[-1] > 2 * mouths[1]


def test_what_was_seen_before_without_a_face_is_not_shown() -> None:
    unseen = ObservedFrame(0, View.of(talk(1)[0], faceless=True))
    assert Reenactment(SITTER, HEADS, None).show([unseen], live=True)[0].view is None


def test_a_file_is_relative_to_its_best_moment_from_the_first_frame_on() -> None:
    """The second half shows the very face of the portrait."""
    far = [seen(speaking(face(), 1.0), (30, 0, 0), seconds=0.04 * n) for n in range(5)]
    near = [seen(face(), seconds=0.2 + 0.04 * n) for n in range(5)]
    whole = Reenactment(SITTER, HEADS, None).show(frames([*far, *near]), live=False)
    again = Reenactment(SITTER, HEADS, None)
    again.show(frames(near), live=False)
    assert steady(whole[0]) == pytest.approx(
        steady(again.show(frames(far), live=False)[0]), abs=1e-6
    )


def test_a_call_follows_a_better_moment_without_a_jump() -> None:
    """The driver holds still in a bad moment, then in a good one; what he does not do, nobody
    should see at once.
    """
    bad, good = seen(speaking(face(nose=1), 1.0), (25, 5, 0)), seen(face(nose=1))
    reenactment = Reenactment(SITTER, HEADS, None)
    at = 0.0
    shown: list[Array] = []
    for moment in [bad] * 5 + [good] * 60 + [bad] * 5:
        at += 0.04
        now = Observation(moment.picture, moment.landmarks, at, depth=moment.depth)
        shown.append(steady(reenactment.show(frames([now]), live=True)[0]))
    other = Reenactment(SITTER, HEADS, None)
    other.show(frames([good]), live=True)
    settled = steady(other.show(frames([bad]), live=True)[0])
    assert np.abs(shown[0] - settled).max() > 0.02  # the better moment makes a difference
    assert shown[-1] == pytest.approx(settled, abs=2e-3)
    steps = [np.abs(b - a).max() for a, b in itertools.pairwise(shown[6:65])]
    whole = np.abs(shown[64] - shown[5]).max()
    assert max(steps) < 0.3 * whole + 1e-6


def test_a_blink_is_no_best_moment() -> None:
    """Although the rest of the face is as alike as can be."""
    blinks = seen(speaking(face(wide=1.1), 0, 1.0))
    opens = seen(speaking(face(), 0.2), (3, 0, 0))
    together = Reenactment(SITTER, HEADS, None).show(frames([opens, blinks, opens]), live=False)
    alone = Reenactment(SITTER, HEADS, None).show(frames([opens]), live=False)
    assert steady(together[0]) == pytest.approx(steady(alone[0]), abs=1e-6)


def test_somebody_new_begins_anew() -> None:
    reenactment = Reenactment(SITTER, HEADS, None)
    reenactment.show(frames([seen(face(nose=1.0))]), live=True)
    other = seen(face(nose=-1.0), (10, 0, 0), seconds=0.04)
    shown = steady(reenactment.show(frames([other], anew=True), live=True)[0])
    alone = steady(Reenactment(SITTER, HEADS, None).show(frames([other]), live=True)[0])
    assert shown == pytest.approx(alone, abs=1e-6)


# --- whose face it is -----------------------------------------------------------------------------


def test_one_s_own_portrait_needs_no_word() -> None:
    embed = Embedder(0.4)
    owner = Owner(PORTRAIT, embed, "me.jpg")
    shown = Reenactment(SITTER, HEADS, owner).show(frames(talk()), live=False)
    assert all(frame.view is not None for frame in shown)
    assert embed.asked == 1  # one look was enough


def test_the_first_looks_may_be_unlucky() -> None:
    owner = Owner(PORTRAIT, Embedder(0.8, 0.7, 0.5), "me.jpg")
    shown = Reenactment(SITTER, HEADS, owner).show(frames(talk(30)), live=False)
    assert all(frame.view is not None for frame in shown)


@pytest.mark.parametrize("count", [3, 80])
def test_a_file_of_another_person_is_refused(count: int) -> None:
    owner = Owner(PORTRAIT, Embedder(0.8), "her.jpg")
    with pytest.raises(ConsentError, match=r"her\.jpg does not seem .*--portrait-consent"):
        Reenactment(SITTER, HEADS, owner).show(frames(talk(count)), live=False)


def test_a_call_of_another_person_shows_nothing_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    owner = Owner(PORTRAIT, Embedder(0.8), "her.jpg")
    reenactment = Reenactment(SITTER, HEADS, owner)
    for moment in talk(100):
        assert reenactment.show(frames([moment]), live=True)[0].view is None
    told = [record for record in caplog.records if "her.jpg" in record.getMessage()]
    assert len(told) == 1


def test_a_call_waits_until_the_person_is_known() -> None:
    owner = Owner(PORTRAIT, Embedder(0.8, 0.3), "me.jpg")
    reenactment = Reenactment(SITTER, HEADS, owner)
    shown = [reenactment.show(frames([m]), live=True)[0].view is not None for m in talk(30)]
    assert not any(shown[:10])
    assert all(shown[11:])


def test_somebody_new_is_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    embed = Embedder(0.3, 0.9)
    reenactment = Reenactment(SITTER, HEADS, Owner(PORTRAIT, embed, "me.jpg"))
    assert reenactment.show(frames(talk(1)), live=True)[0].view is not None
    new = reenactment.show(frames(talk(1, 1.0), anew=True), live=True)
    assert new[0].view is None


def test_where_nothing_can_be_compared_somebody_has_to_say_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> None:
        raise MissingExtraError("the identity distance", "eval")

    monkeypatch.setattr("facewire.models.judges.identity.DlibEmbedder", missing)
    with pytest.raises(ConsentError, match=r"cannot be checked here.*--portrait-consent"):
        load_embedder()


def test_the_portraits_eyes_move_as_the_drivers_do() -> None:
    """Also through a blink, since the driver's gaze is held."""
    driver = [
        replace(moment, steady_gaze=np.array([0.1 * n - 0.3, 0.1], np.float32))
        for n, moment in enumerate([seen(face()), *talk(4)])
    ]
    shown = Reenactment(SITTER, HEADS, None).show(frames(driver), live=False)
    views = [frame.view.seen for frame in shown if frame.view is not None]
    assert views[0].gaze == pytest.approx(PORTRAIT.gaze, abs=1e-6)
    for one, other in itertools.pairwise(views):
        assert np.ptp([one.gaze[1], other.gaze[1]]) < 1e-6
        assert other.gaze[0] - one.gaze[0] == pytest.approx(0.1, abs=1e-6)
