"""`LiveGenerator`: prepares keyframes when there is time, and has a lighter network in reserve."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from ...codec.motion.frame import MotionFrame
from .protocol import Array, Frame, Generator, Source

__all__ = ["LiveGenerator"]

_PENDING = 16  # keyframes that wait to be prepared; there are no more ids


@dataclass(slots=True)
class _Keyframe:
    """A keyframe, and what each network has made of it so far."""

    rgb: Frame
    motion: MotionFrame
    points: Array
    sources: dict[bool, Source] = field(default_factory=dict)


class LiveGenerator:
    """A `Generator` for a thread of its own. `set_source` takes no time, so that another thread may
    call it between two packets of sound; only `render` and `work_ahead` use the networks.

    Both networks understand the same motion and the same landmarks, so one may follow the other
    from one picture to the next.

    Args:
        full: the network that the stream names.
        lighter: a smaller one; None if there is none.
    """

    def __init__(self, full: Generator, lighter: Generator | None = None) -> None:
        self._full, self._lighter = full, lighter
        self._pending: deque[_Keyframe] = deque(maxlen=_PENDING)
        self._light = False

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`. The network gets the keyframe later."""
        keyframe = _Keyframe(rgb, motion, points)
        self._pending.append(keyframe)
        return Source(motion.to_array(), points, keyframe)

    def lighten(self, light: bool) -> None:
        """Render with the smaller network from now on, or no longer. Any thread may call it; a
        picture that has begun is still finished by the other one.
        """
        self._light = light

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator.points`: both networks have the same landmarks."""
        return self._full.points(source, motion)

    def work_ahead(self) -> bool:
        """Prepare a keyframe that no picture has needed yet; returns whether there was one."""
        if not self._pending:
            return False
        self._prepared(self._pending.popleft(), self._light)
        return True

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`."""
        light = self._light
        return self._chosen(light).render(self._prepared(source.features, light), motion, mel)

    def _chosen(self, light: bool) -> Generator:
        return self._lighter if light and self._lighter is not None else self._full

    def _prepared(self, keyframe: _Keyframe, light: bool) -> Source:
        source = keyframe.sources.get(light)
        if source is None:
            generator = self._chosen(light)
            source = generator.set_source(keyframe.rgb, keyframe.motion, keyframe.points)
            keyframe.sources[light] = source
        return source
