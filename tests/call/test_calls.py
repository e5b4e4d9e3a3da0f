"""`facewire call` as two processes over loopback, with a small session in place of the networks."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from facewire.sender.tracking.capture import Capture

from .programs import LINK, Start, files, leftovers
from .watching import asked_nobody_but, end_all, needs_strace, server_port, wait_for, watched

Frame = npt.NDArray[np.uint8]

pytestmark = pytest.mark.slow

for _module in ("aiortc", "aiohttp", "cryptography", "cv2"):
    pytest.importorskip(_module)


def test_a_call_of_two_files(start: Start, clip: Path, tmp_path: Path) -> None:
    log = str(tmp_path / "one.jsonl")
    one = start("one", "call", *files(tmp_path, "one", clip), "--stats", log)
    two = start("two", "call", *files(tmp_path, "two", clip), one.link())
    assert (one.wait(), two.wait()) == (0, 0), one.said + two.said
    assert "connected" in one.said
    assert "the call is over" in two.said
    for name in ("one", "two"):
        seen = Capture(tmp_path / f"{name}.mp4")
        assert seen.info.has_sound
        assert seen.info.timing.frames > 2  # it is no benchmark
    lines = [json.loads(line) for line in Path(log).read_text().splitlines()]
    connected = [line for line in lines if line["state"] == "connected"]
    assert connected[-1]["line"]["sent_bytes"] > connected[-1]["call"]["sent_bytes"] > 0
    assert leftovers(tmp_path) == []


def test_wrong_links(start: Start, clip: Path, tmp_path: Path) -> None:
    one = start("one", "call", *files(tmp_path, "one", clip))
    link = one.link()
    wrong = [
        (link[:-3], "missing"),
        (link.partition("#")[0], "secret"),
        (link[:-1] + ("A" if link[-1] != "A" else "B"), "wrong"),
        ("http://127.0.0.1:9/AAAAAAAAAAAA#" + link.partition("#")[2], "wrong"),
        ("talk.mp4", "not a link"),
    ]
    for number, (text, sentence) in enumerate(wrong):
        process = start(f"w{number}", "call", *files(tmp_path, f"w{number}", clip), text)
        assert process.wait() == 1
        assert sentence in process.said
        assert "Traceback" not in process.said
        assert not (tmp_path / f"w{number}.mp4").exists()
    assert one.code is None  # it still waits


def test_a_third_guest(start: Start, clip: Path, tmp_path: Path) -> None:
    one = start("one", "call", *files(tmp_path, "one", clip), "--loop")
    link = one.link()
    two = start("two", "call", *files(tmp_path, "two", clip), "--loop", link)
    two.waits_for("connected")
    third = start("third", "call", *files(tmp_path, "third", clip), link)
    assert third.wait() == 1
    assert "used" in third.said
    assert one.code is two.code is None
    two.signal(signal.SIGINT)
    assert two.wait() == 130
    assert one.wait() == 0, one.said
    assert "the other side left" in one.said
    assert Capture(tmp_path / "two.mp4").info.timing.frames > 1  # whole, although interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_waiting(start: Start, clip: Path, tmp_path: Path, number: int) -> None:
    one = start("one", "call", *files(tmp_path, "one", clip))
    one.link()
    one.signal(number)
    assert one.wait(20) == 128 + number
    assert "Traceback" not in one.said
    assert leftovers(tmp_path) == []
    assert not (tmp_path / "one.mp4").exists()


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 1.0, 2.0])
def test_ctrl_c_at_any_time(start: Start, clip: Path, tmp_path: Path, seconds: float) -> None:
    """While modules are loaded, while it joins, connects or talks, and while Python ends."""
    one = start("one", "call", *files(tmp_path, "one", clip), "--loop")
    two = start("two", "call", *files(tmp_path, "two", clip), "--loop", one.link())
    two.begins()
    time.sleep(seconds)
    two.signal(signal.SIGINT)
    assert two.wait(30) == 130, two.said
    assert "facewire: interrupted" in two.said
    assert leftovers(tmp_path) == []
    time.sleep(seconds)  # the other side left: it may be ending by itself
    one.signal(signal.SIGINT)
    code = one.wait(30)
    assert code in (0, 130)
    sentence = "the other side left" if code == 0 else "facewire: interrupted"
    assert sentence in one.said
    assert leftovers(tmp_path) == []
    for process in (one, two):
        assert "Traceback" not in process.said


def test_a_side_that_is_killed(start: Start, clip: Path, tmp_path: Path) -> None:
    one = start("one", "call", *files(tmp_path, "one", clip), "--loop")
    two = start("two", "call", *files(tmp_path, "two", clip), "--loop", one.link())
    two.waits_for("connected")
    time.sleep(1.0)  # in which pictures come
    two.signal(signal.SIGKILL)
    one.waits_for("nothing comes from the other side")
    assert one.code is None
    one.signal(signal.SIGINT)
    assert one.wait() == 130, one.said
    assert Capture(tmp_path / "one.mp4").info.timing.frames > 1


def test_a_recording_is_whole_when_the_other_side_is_killed(
    start: Start, clip: Path, tmp_path: Path
) -> None:
    """With the real networks, since the small session's datagrams cannot be recorded."""
    record, back = tmp_path / "one.fwire", tmp_path / "back.mp4"
    words = ["call", "--network", "xs", "--loop"]
    more = ["--record", str(record)]
    one = start("one", *words, *more, *files(tmp_path, "one", clip), program="facewire")
    link = one.link()
    two = start("two", *words, *files(tmp_path, "two", clip), link, program="facewire")
    one.waits_for("the picture is signed", 200)
    time.sleep(2.0)  # in which pictures come
    two.signal(signal.SIGKILL)
    one.waits_for("nothing comes from the other side")
    assert not record.exists()  # it appears when it is whole
    one.signal(signal.SIGINT)
    assert one.wait() == 130, one.said
    decode = start("decode", "decode", str(record), str(back), program="facewire")
    assert decode.wait(300) == 0, decode.said
    assert Capture(back).info.timing.frames > 1


def test_a_portrait_and_a_photograph_that_speaks(
    start: Start, clip: Path, frames: list[Frame], tmp_path: Path
) -> None:
    """With the real networks: `--portrait` with a consent at one side, `--speak` at the other."""
    mirrored = np.ascontiguousarray(frames[0][:, ::-1])
    Image.fromarray(mirrored).save(tmp_path / "her.png")
    Image.fromarray(frames[0]).save(tmp_path / "me.png")
    words = ["call", "--network", "xs", "--loop"]
    consent = ["--portrait-consent", "Grace Hopper, 1985"]
    portrait = ["--portrait", str(tmp_path / "her.png"), *consent]
    figures = ["--stats", str(tmp_path / "one.jsonl"), *files(tmp_path, "one", clip)]
    one = start("one", *words, *portrait, *figures, program="facewire")
    link = one.link()
    record = ["--record", str(tmp_path / "two.fwire"), *files(tmp_path, "two", clip), link]
    speaks = ["--speak", str(tmp_path / "me.png")]
    two = start("two", *words, *speaks, *record, program="facewire")
    for side in (one, two):
        side.waits_for("the picture is signed", 200)
    time.sleep(3.0)  # in which pictures come
    two.signal(signal.SIGINT)
    assert two.wait() == 130, two.said
    assert one.wait() == 0, one.said
    assert "the other side sees her.png, moved as you move" in one.said
    assert "no camera is opened: the other side sees me.png, moved by your voice" in two.said
    lines = [json.loads(line) for line in (tmp_path / "one.jsonl").read_text().splitlines()]
    assert lines[-1]["call"]["performed"]  # what one is shown; two is shown a portrait
    for name, shown, other in (("one", frames[0], mirrored), ("two", mirrored, frames[0])):
        *_, (last, _) = Capture(tmp_path / f"{name}.mp4").frames()
        own, wrong = (np.abs(last.astype(int) - there).mean() for there in (shown, other))
        assert own < wrong / 2
    info = start("info", "info", "--json", str(tmp_path / "two.fwire"), program="facewire")
    assert info.wait() == 0, info.said
    assert json.loads(info.out.read_text())["portrait"] == {"consent": "Grace Hopper, 1985"}


@pytest.mark.parametrize(
    ("option", "name", "sentence"),
    [
        ("--portrait", "grey.png", "no face was found in grey.png"),
        ("--speak", "grey.png", "no face was found in grey.png"),
        ("--speak", "notes.txt", "cannot be read as a picture"),
    ],
)
def test_photographs_that_cannot_be_shown(
    start: Start, clip: Path, tmp_path: Path, option: str, name: str, sentence: str
) -> None:
    Image.new("RGB", (300, 300), (90, 90, 90)).save(tmp_path / "grey.png")
    (tmp_path / "notes.txt").write_text("la la la")
    words = ["call", "--network", "xs", option, str(tmp_path / name)]
    one = start("one", *words, *files(tmp_path, "one", clip), program="facewire")
    assert one.wait() == 1
    assert sentence in one.said
    assert "Traceback" not in one.said
    assert one.out.read_text() == ""  # no link: it ends before anybody could join
    assert not (tmp_path / "one.mp4").exists()


def test_copy_and_paste(start: Start, clip: Path, tmp_path: Path) -> None:
    words = ["call", "--copy-paste", "--loop"]
    one = start("one", *words, *files(tmp_path, "one", clip), stdin=subprocess.PIPE)
    one.waits_for("FW1.")
    two = start("two", *words, *files(tmp_path, "two", clip), one.out.read_text().strip())
    two.waits_for("FW2.")
    one.type(two.out.read_text().strip())
    one.waits_for("connected")
    two.waits_for("connected")
    one.signal(signal.SIGINT)
    assert one.wait() == 130, one.said
    assert two.wait() == 0


def test_a_server_of_its_own(start: Start, clip: Path, tmp_path: Path) -> None:
    server = start("server", "rendezvous", "--host", "127.0.0.1", "--port", "0")
    server.waits_for("http://127.0.0.1:")
    address = re.search(r"http://127\.0\.0\.1:\d+", server.said)
    assert address is not None
    one = start("one", "call", "--server", address[0], *files(tmp_path, "one", clip))
    link = one.link()
    assert link.startswith(address[0])
    two = start("two", "call", *files(tmp_path, "two", clip), link)
    assert (one.wait(), two.wait()) == (0, 0), one.said + two.said
    server.signal(signal.SIGINT)
    assert server.wait() == 130
    after = start("after", "call", *files(tmp_path, "after", clip), link)
    assert after.wait() == 1
    assert "no server answers" in after.said


def test_outputs_that_exist(start: Start, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "one.mp4").write_bytes(b"mine")
    one = start("one", "call", *files(tmp_path, "one", clip))
    assert one.wait() == 1
    assert "--force" in one.said
    assert (tmp_path / "one.mp4").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--ice-server", "example"], "stun:HOST"),
        (["--ice-server", "turn:example.invalid"], "FACEWIRE_TURN_USER"),
        (["--server", "example"], "no address of a server"),
        (["--server", "http://h:1", "--copy-paste"], "--server"),
        (["--loop"], "--in"),
        (["--out", "a.avi"], ".mp4"),
        (["--copy-paste", "nonsense"], "FW1"),
        ([], "DISPLAY"),
        (["--out", "a.mp4"], "--yes"),
    ],
)
def test_what_cannot_be(start: Start, words: list[str], sentence: str) -> None:
    process = start("one", "call", *words)
    assert process.wait() == 1
    assert sentence in process.said
    assert "Traceback" not in process.said


@needs_strace
@pytest.mark.parametrize("program", ["tests.call.fake_program", "facewire"])
def test_nothing_phones_home(clip: Path, tmp_path: Path, program: str) -> None:
    """Over a whole call, once with the real networks: neither side looks up a name, the guest
    connects to the link's server and to nothing else, and everything goes to addresses of this
    machine.
    """
    words = ["call", "--network", "xs", "--in", str(clip), "--loop", "--out"]
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    said = [log.with_suffix(".out") for log in logs]
    processes = [watched(logs[0], program, *words, str(tmp_path / "one.mp4"))]
    try:
        link = wait_for(processes, lambda: LINK.search(said[0].read_text()))[0]
        two = [*words[:5], "--out", str(tmp_path / "two.mp4"), link]  # without --loop
        processes.append(watched(logs[1], program, *two))
        codes = [process.wait(300) for process in processes]
    finally:
        end_all(processes)
    assert codes == [0, 0], "".join(path.read_text() for path in said)
    for name in ("one", "two"):
        assert Capture(tmp_path / f"{name}.mp4").info.timing.frames > 1
        if program == "facewire":
            assert "the picture is signed" in (tmp_path / f"{name}.out").read_text()
    for log in logs:
        asked_nobody_but(log, server_port(link))


@needs_strace
def test_a_server_phones_nobody(clip: Path, tmp_path: Path) -> None:
    """`facewire rendezvous` while a call begins: it connects to nothing and looks up nothing."""
    fake, server_words = "tests.call.fake_program", ["rendezvous", "--host", "127.0.0.1"]
    logs = [tmp_path / f"{name}.log" for name in ("server", "one", "two")]
    said = [log.with_suffix(".out") for log in logs]
    words = ["call", "--in", str(clip), "--loop", "--out"]
    processes = [watched(logs[0], fake, *server_words, "--port", "0")]
    try:
        found = re.compile(r"http://127\.0\.0\.1:\d+")
        server = wait_for(processes, lambda: found.search(said[0].read_text()))[0]
        one = [*words, str(tmp_path / "one.mp4"), "--server", server]
        processes.append(watched(logs[1], fake, *one))
        link = wait_for(processes, lambda: LINK.search(said[1].read_text()))[0]
        two = [word for word in words if word != "--loop"]
        processes.append(watched(logs[2], fake, *two, str(tmp_path / "two.mp4"), link))
        assert [process.wait(300) for process in processes[1:]] == [0, 0]
    finally:
        end_all(processes)
    asked_nobody_but(logs[0], None)
    for log in logs[1:]:
        asked_nobody_but(log, server_port(link))


@needs_strace
def test_codes_phone_nobody(clip: Path, tmp_path: Path) -> None:
    """A call by `--copy-paste`: neither side connects to anything."""
    fake, words = "tests.call.fake_program", ["call", "--copy-paste", "--in", str(clip), "--out"]
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    said = [log.with_suffix(".out") for log in logs]
    one = watched(logs[0], fake, *words, str(tmp_path / "one.mp4"), "--loop", stdin=subprocess.PIPE)
    processes = [one]
    try:
        first = wait_for(processes, lambda: re.search(r"FW1\.\S+\n", said[0].read_text()))[0]
        processes.append(watched(logs[1], fake, *words, str(tmp_path / "two.mp4"), first.strip()))
        second = wait_for(processes, lambda: re.search(r"FW2\.\S+\n", said[1].read_text()))[0]
        assert one.stdin is not None
        one.stdin.write(second.encode())
        one.stdin.flush()
        codes = [process.wait(300) for process in processes]
    finally:
        end_all(processes)
        if one.stdin is not None:
            one.stdin.close()
    assert codes == [0, 0], "".join(path.read_text() for path in said)
    for log in logs:
        asked_nobody_but(log, None)
