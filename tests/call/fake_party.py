"""A session without networks: sound is sent as it is, and a picture is its mean colour."""

from __future__ import annotations

import argparse
import struct
from collections import deque
from fractions import Fraction
from typing import Any

import numpy as np

from facewire.call.session import CallStatistics
from facewire.codec.control import State
from facewire.receiver.outputs import PictureOutput

_HEAD = struct.Struct("<BHHHB3B")


class FakeParty:
    """See `facewire.call.party.Party`."""

    def __init__(self) -> None:
        self.state = State.PRESENT
        self.peer_state: State | None = None
        self._colour = (0, 0, 0)
        self._pcm: deque[int] = deque(maxlen=16000)
        self._heard: deque[float] = deque(maxlen=16000)
        self._picture: PictureOutput | None = None
        self._number = self._received = self._shown = 0
        self._bytes = 0
        self._next = 0.0
        self.closed = False
        self.failure: Exception | None = None
        self.proven: int | None = None
        self.unproven = 0
        self.peer_gone = False
        self.round_trip_s: float | None = None
        self.performed = False
        self._transmit: Any = None

    def bind(self, key: Any, peer: Any, ends: bytes) -> None:
        self.bound = peer, ends

    def allow_base(self, can_fuse: bool) -> None:
        self.can_fuse = can_fuse

    def start(self, transmit: Any) -> None:
        self._transmit = transmit

    def see(self, frame: Any, now: float) -> None:
        self._colour = tuple(int(v) for v in frame.reshape(-1, 3).mean(0))
        self._send(now)

    def hear(self, pcm: Any, now: float) -> None:
        self._pcm.extend((np.clip(pcm[::16], -1, 1) * 127).astype(np.int8).tolist())
        self._send(now)

    def receive(self, datagram: bytes, now: float) -> None:
        if len(datagram) < _HEAD.size:
            return
        self._received += 1
        _, _, _, _, state, *colour = _HEAD.unpack_from(datagram)
        self.peer_state = State(state)
        sound = np.frombuffer(datagram[_HEAD.size :], np.int8) / 127
        self._heard.extend(np.repeat(sound, 16).tolist())
        frame = np.full((64, 64, 3), colour, np.uint8)
        self._picture = PictureOutput(frame, Fraction(self._received, 25))
        self._shown += 1

    def _send(self, now: float) -> None:
        if self._transmit is not None and now >= self._next:
            self._next = now + 0.06
            self._transmit([self.datagram(now)])

    def datagram(self, now: float) -> bytes:
        self._number += 1
        head = _HEAD.pack(
            1, 7, self._number % 65536, int(now * 1000) % 65536, int(self.state), *self._colour
        )
        sound = [self._pcm.popleft() for _ in range(min(len(self._pcm), 500))]
        data = head + np.array(sound, np.int8).tobytes()
        self._bytes += len(data)
        return data

    def picture(self, now: float) -> PictureOutput | None:
        return self._picture

    def sound(self, count: int, now: float) -> Any:
        out = np.zeros(count, np.float32)
        there = min(count, len(self._heard))
        out[:there] = [self._heard.popleft() for _ in range(there)]
        return out

    def set_ceiling(self, kbps: float) -> None:
        self.kbps = kbps

    def leave(self, now: float) -> None:
        self.state |= State.LEAVING
        if self._transmit is not None:
            self._transmit([self.datagram(now)])

    def close(self) -> None:
        self.closed = True

    @property
    def statistics(self) -> CallStatistics:
        return CallStatistics(
            sent_bytes=self._bytes,
            received_datagrams=self._received,
            line_kbps=16.0,
            queue_s=0.0,
            loss=0.0,
            peer_loss=0.0,
            round_trip_s=self.round_trip_s,
            delay_s=0.1,
            own_s=0.0,
            picture_s=None,
            sound_s=None,
            held_back=0,
            left_out=0,
            shown=self._shown,
            made_up=0,
            skipped=0,
            sound_made_up_s=0.0,
            restarts=0,
            damaged=0,
            strangers=0,
            proven=self.proven,
            unproven=self.unproven,
            peer_gone=self.peer_gone,
            refused=None,
            performed=self.performed,
        )


def make(args: argparse.Namespace, now: float) -> Any:
    return FakeParty()
