"""For all tests: no deadlines, since machines are noisy and a test is no benchmark."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("facewire", deadline=None)
settings.load_profile("facewire")
