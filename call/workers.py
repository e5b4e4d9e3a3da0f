"""`CallWorkers`: runs a `CallSession` in threads, so that nothing has to wait for long tasks.

camera ─→ look ─┐                                  ┌→ render ─→ picture()
microphone ─────┴→ send ─→ network ─→ receive ─────┴→ sound()

Finding the face, coding, coding the pictures of references, decoding and rendering have a thread
each. What comes from outside is put into a queue, so the caller never waits. If the next frame
comes before the tracker has begun with a frame, that frame is dropped. Sound is coded between two
frames, so it waits for no tracker and no picture.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..codec.control import State
from ..codec.errors import FacewireError
from ..receiver.outputs import PictureOutput
from ..sender.encoder import Encoder
from ..sender.observed import ObservedFrame
from .incoming import Received
from .render_load import RenderLoad
from .session import CallSession, CallStatistics, Transmit
from .signing import PublicKey, SigningKey

__all__ = ["CallWorkers"]

T = TypeVar("T")
Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]

_TICK_S = 0.01
_MOST = 500  # datagrams or pieces of sound that wait; the oldest go first
_JOIN_S = 5.0
_GOODBYE_S = 0.1  # between two datagrams that say goodbye
_AHEAD_S = 0.2  # before its time the making of a picture begins, at most
_log = logging.getLogger(__name__)


class CallWorkers:
    """Runs a session in threads. Its own methods return at once, and may be called from anywhere.

    Times are seconds of one clock that never goes back, which the threads read too.

    Args:
        session: the session, which nobody else may use meanwhile. It is closed with the workers.
        clock: the clock of all times.

    Attributes:
        session: as given.
        failure: the error that ended a thread; None while all run.
        render_s: how many seconds the last picture took.
    """

    def __init__(
        self,
        session: CallSession,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self.failure: Exception | None = None
        self.render_s = 0.0
        self._load = RenderLoad()
        self._left_out = 0  # pictures skipped by the last one that was rendered
        self._transmit: Transmit | None = None
        self._clock = clock
        self._ceiling: deque[float] = deque(maxlen=1)
        self._encoders: deque[Encoder] = deque(maxlen=1)
        self._camera: deque[tuple[Frame, float]] = deque(maxlen=1)
        self._looks: deque[tuple[Encoder, ObservedFrame, float]] = deque(maxlen=2)
        self._sounds: deque[tuple[Sound, float]] = deque(maxlen=_MOST)
        self._datagrams: deque[tuple[bytes, float]] = deque(maxlen=_MOST)
        self._answers: deque[Received] = deque(maxlen=_MOST)
        self._output: PictureOutput | None = None
        self._receiving = threading.Lock()  # the decoder
        self._playing = threading.Lock()  # what waits to be heard and seen
        self._seen, self._work, self._came = (threading.Event() for _ in range(3))
        self._ended = threading.Event()
        session.outgoing.encoder.code_aside()
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), name=f"facewire-{name}", daemon=True)
            for name, loop in (
                ("look", self._look),
                ("still", self._still),
                ("send", self._send),
                ("receive", self._receive),
                ("render", self._render),
            )
        ]

    def bind(self, key: SigningKey, peer: PublicKey, ends: bytes) -> None:
        """See `CallSession.bind`. Call it before `start`."""
        self.session.bind(key, peer, ends)

    def allow_base(self, can_fuse: bool) -> None:
        """See `Outgoing.allow_base`. Call it before `start`."""
        self.session.outgoing.allow_base(can_fuse)

    def start(self, transmit: Transmit) -> None:
        """Begin to send and receive.

        Args:
            transmit: sends datagrams; with `reliably=True` over the reliable channel, which happens
                only if `CallConfig.reliable` says that there is one. It is called from one thread,
                and must not block.
        """
        self._transmit = transmit
        for thread in self._threads:
            thread.start()

    @property
    def state(self) -> State:
        """What the peer is told of this side. It may be set."""
        return self.session.state

    @state.setter
    def state(self, state: State) -> None:
        self.session.state = state

    @property
    def peer_state(self) -> State | None:
        """What the peer told of himself; None before he did."""
        return self.session.peer_state

    @property
    def statistics(self) -> CallStatistics:
        """See `CallStatistics`."""
        return self.session.statistics

    @property
    def light(self) -> bool:
        """Whether the smallest network makes the pictures, because the computer did not keep up
        with the one that the peer chose.
        """
        return self._load.light

    def set_ceiling(self, kbps: float) -> None:
        """Send at most so many kbit/s from now on."""
        self._ceiling.append(kbps)

    def change_encoder(self, encoder: Encoder) -> None:
        """See `CallSession.change_encoder`. The old encoder may still be in use for a moment."""
        encoder.code_aside()
        self._encoders.append(encoder)
        self._work.set()

    def see(self, frame: Frame, now: float) -> None:
        """Take a frame of the camera, uint8 RGB `[H, W, 3]`. It is not copied."""
        self.session.leave_out(len(self._camera))
        self._camera.append((frame, now))
        self._seen.set()

    def hear(self, pcm: Sound, now: float) -> None:
        """Take sound of the microphone, float32 mono `[n]` at 16 kHz, that ends `now`."""
        self._sounds.append((pcm, now))
        self._work.set()

    def receive(self, datagram: bytes, now: float) -> None:
        """Take a datagram that came."""
        self._datagrams.append((datagram, now))
        self._came.set()

    def sound(self, count: int, now: float) -> Sound:
        """The next samples for the loudspeaker, float32 mono `[count]` at 16 kHz."""
        with self._playing:
            return self.session.playback.sound(count, now)

    def picture(self, now: float) -> PictureOutput | None:
        """The newest picture that was rendered; None before the first."""
        return self._output

    def leave(self, now: float) -> None:
        """Say goodbye to the peer, and end the threads. It takes some tenths of a second: datagrams
        that leave at once are lost together where a queue in the line is full.
        """
        if self._end() and self._transmit is not None:
            for datagram in self.session.leave(now):
                self._transmit([datagram])
                time.sleep(_GOODBYE_S)

    def close(self) -> None:
        """End the threads and close the session. After it, all methods do nothing."""
        self._transmit = None
        if self._end():
            self.session.close()

    def _end(self) -> bool:
        """End the threads; returns whether all have ended."""
        self._ended.set()
        for event in (self._seen, self._work, self._came):
            event.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_JOIN_S)
        return not any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> CallWorkers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, loop: Callable[[], None]) -> None:
        """Call the body of a loop until the end."""
        try:
            while not self._ended.is_set():
                loop()
        except Exception as error:
            _log.exception("a thread of the call has failed")
            self.failure = error
            self._ended.set()

    def _look(self) -> None:
        """Find the face in the newest frame of the camera."""
        self._seen.wait()
        self._seen.clear()
        if (taken := _first(self._camera)) is None:
            return
        frame, at = taken
        encoder = self.session.outgoing.encoder
        try:
            look = encoder.look(frame, at)
        except FacewireError as error:
            _log.warning("a frame of the camera was left out: %s", error)
            return
        if look is not None:
            self.session.leave_out(len(self._looks) == self._looks.maxlen)
            self._looks.append((encoder, look, at))
            self._work.set()

    def _still(self) -> None:
        """Code the pictures of references."""
        if not self.session.outgoing.encoder.work_ahead():
            self._ended.wait(_TICK_S)

    def _send(self) -> None:
        """Encode what came, and send what is due."""
        self._work.wait(_TICK_S)
        self._work.clear()
        while (heard := _first(self._sounds)) is not None:
            self.session.hear(*heard)
        while (answer := _first(self._answers)) is not None:
            self.session.answer(answer, self._clock())
        if (kbps := _first(self._ceiling)) is not None:
            self.session.set_ceiling(kbps, self._clock())
        if (encoder := _first(self._encoders)) is not None:
            self.session.change_encoder(encoder, self._clock())
        if (seen := _first(self._looks)) is not None and seen[0] is self.session.outgoing.encoder:
            self.session.see(*seen[1:])
        now = self._clock()
        reports = []
        # Where the decoder is busy with a keyframe, the report waits, and not the sound.
        if self.session.wants_report(now) and self._receiving.acquire(blocking=False):
            try:
                reports = [self.session.report(now)]
            finally:
                self._receiving.release()
        datagrams = self.session.emit(now, reports)
        first = self.session.reliably()
        if self._transmit is not None:
            if first:
                self._transmit(first, reliably=True)
            if datagrams:
                self._transmit(datagrams)

    def _receive(self) -> None:
        """Decode what came."""
        self._came.wait(_TICK_S)
        self._came.clear()
        while (datagram := _first(self._datagrams)) is not None:
            with self._receiving:
                received = self.session.incoming.receive(*datagram)
            with self._playing:
                self.session.keep(received, self._clock())
            if received.reports or received.anew:
                self._answers.append(received)
                self._work.set()
        now = self._clock()
        with self._playing:
            needed = self.session.playback.needed(now)
        with self._receiving:
            due = self.session.incoming.tick(now, needed)
        with self._playing:
            self.session.playback.take(due, now)

    def _render(self) -> None:
        """Make the picture that will be due when it is finished."""
        with self._playing:
            due = self.session.choose(self._clock(), min(self._load.usual_s, _AHEAD_S))
            skipped = self.session.playback.pictures.skipped
        if due is None:
            if not self.session.incoming.decoder.work_ahead():
                self._ended.wait(_TICK_S / 2)
            return
        light = self._load.light
        began = self._clock()
        self._output = self.session.render(due)
        done = self._clock()
        self.render_s = done - began
        self._load.add(done, self.render_s, max(skipped - self._left_out, 0))
        self._left_out = skipped
        if self._load.light != light:
            self.session.incoming.decoder.lighten(self._load.light)
            _log.info("pictures are now made by the %s network", "full" if light else "smallest")


def _first(queue: deque[T]) -> T | None:
    """Take the oldest of a queue; None if it is empty."""
    try:
        return queue.popleft()
    except IndexError:
        return None
