"""One way to write files: they appear whole, replace nothing unasked, and leave nothing behind."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from facewire.codec.clean_stop import clean_stop
from facewire.codec.errors import FacewireError, OutputError, OutputExistsError
from facewire.codec.whole_file import check_output, whole_file, whole_path


def write(path: Path | str, data: bytes = b"new", *, overwrite: bool = False) -> None:
    with whole_file(path, overwrite=overwrite) as file:
        file.write(data)


def write_by_name(path: Path | str, data: bytes = b"new", *, overwrite: bool = False) -> None:
    with whole_path(path, overwrite=overwrite) as draft:
        draft.write_bytes(data)


Way = Callable[..., None]
WAYS = pytest.mark.parametrize("way", [write, write_by_name])


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_the_name_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "out.fwire"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["out.fwire"]


@WAYS
def test_an_existing_file_is_replaced_only_when_asked(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "out.fwire"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError, match=r"out\.fwire exists already.*--force") as caught:
        way(path)
    assert isinstance(caught.value, FacewireError)
    assert isinstance(caught.value, FileExistsError)
    assert path.read_bytes() == b"old"
    way(path, overwrite=True)
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["out.fwire"]


def test_a_file_that_comes_while_another_is_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.fwire"

    def race() -> None:
        with whole_file(path) as file:
            file.write(b"new")
            path.write_bytes(b"somebody else's")

    with pytest.raises(OutputExistsError):
        race()
    assert path.read_bytes() == b"somebody else's"
    assert names(tmp_path) == ["out.fwire"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(1), OSError(28, "No space left"), ValueError("x")]
)
def test_what_was_there_stays_when_writing_fails(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "out.fwire"
    path.write_bytes(b"old")

    def fail() -> None:
        with whole_file(path, overwrite=True) as file:
            file.write(b"half")
            raise error

    def fail_by_name() -> None:
        with whole_path(path, overwrite=True) as draft:
            draft.write_bytes(b"half")
            draft.with_suffix(".bin").write_bytes(b"a file that a library puts beside it")
            raise error

    for failing in (fail, fail_by_name):
        with pytest.raises(type(error)):
            failing()
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["out.fwire"]


@WAYS
def test_links_stay_links(way: Way, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target.fwire", tmp_path / "link.fwire"
    link.symlink_to(Path("far") / "target.fwire")
    way(link)  # it leads to nothing yet
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    with pytest.raises(OutputExistsError):
        way(link)
    way(link, b"newer", overwrite=True)
    assert link.is_symlink()
    assert target.read_bytes() == b"newer"
    assert names(tmp_path) == ["far", "link.fwire"]
    assert names(tmp_path / "far") == ["target.fwire"]


def test_a_link_to_itself(tmp_path: Path) -> None:
    link = tmp_path / "link.fwire"
    link.symlink_to(link)
    with pytest.raises(OSError, match="symbolic links"):
        write(link, overwrite=True)
    assert link.is_symlink()


@WAYS
def test_permissions(way: Way, tmp_path: Path, usual_umask: None) -> None:
    path = tmp_path / "out.fwire"
    way(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    for mode in (0o600, 0o664, 0o755):
        path.chmod(mode)
        way(path, overwrite=True)
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_permissions_that_a_library_sets_do_not_count(tmp_path: Path, usual_umask: None) -> None:
    """Some libraries create files that only their owner may read."""
    path = tmp_path / "model.safetensors"
    with whole_path(path) as draft:
        draft.write_bytes(b"new")
        draft.chmod(0o600)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
def test_a_file_that_is_write_protected_stays(tmp_path: Path) -> None:
    path = tmp_path / "out.fwire"
    path.write_bytes(b"old")
    path.chmod(0o444)
    with pytest.raises(PermissionError, match=r"out\.fwire"):
        write(path, overwrite=True)
    assert path.read_bytes() == b"old"


def test_a_fifo_is_written_into_and_stays(tmp_path: Path) -> None:
    fifo, link = tmp_path / "out.fwire", tmp_path / "link.fwire"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    for path in (fifo, link):
        received: list[bytes] = []
        reader = threading.Thread(target=lambda to=received: to.append(fifo.read_bytes()))
        reader.start()
        write(path, b"through")
        reader.join(timeout=10)
        assert received == [b"through"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert link.is_symlink()
    with pytest.raises(OutputError, match="is a pipe"):
        write_by_name(fifo, overwrite=True)
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert names(tmp_path) == ["link.fwire", "out.fwire"]


def make_device(path: Path, minor: int) -> Path:
    """Make a node like /dev/null (minor 3) or /dev/full (7); skip the test if that is forbidden."""
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, minor))
        path.read_bytes() if minor == 3 else path.open("wb").close()
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    return path


def test_a_device_is_written_into_and_stays(tmp_path: Path) -> None:
    null = make_device(tmp_path / "null.fwire", 3)
    write(null, b"gone")
    write(null, b"gone", overwrite=True)
    with pytest.raises(OutputError, match="is a device"):
        write_by_name(null, overwrite=True)
    assert stat.S_ISCHR(null.stat().st_mode)
    assert names(tmp_path) == ["null.fwire"]


def test_a_full_device_is_named(tmp_path: Path) -> None:
    full = make_device(tmp_path / "full.fwire", 7)
    with pytest.raises(OSError, match="No space left") as caught:
        write(full, bytes(100_000))
    assert caught.value.filename == str(full)
    assert stat.S_ISCHR(full.stat().st_mode)


@WAYS
def test_folders_and_sockets_are_refused(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        way(folder, overwrite=True)
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(tmp_path)  # names of sockets must be short
        listening.bind("socket")
        with pytest.raises(OutputError, match="is a socket"):
            way(tmp_path / "socket", overwrite=True)
    assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    assert names(tmp_path) == ["folder", "socket"]


@WAYS
@pytest.mark.parametrize("name", ["nowhere/out.fwire", "file/out.fwire"])
def test_a_folder_that_is_not_there_is_named(way: Way, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=r"cannot write .*out\.fwire: the folder"):
        way(tmp_path / name)
    with pytest.raises(OutputError):
        check_output(tmp_path / name)


@WAYS
def test_names_of_any_length_and_of_no_ascii(way: Way, tmp_path: Path) -> None:
    for name in ("a" * 250 + ".fwir", "ü" * 120, "a b\n.mp4", ".hidden", "-"):
        way(tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"new"
    with pytest.raises(OSError, match="name too long") as caught:
        way(tmp_path / ("a" * 256))
    assert caught.value.errno == errno.ENAMETOOLONG
    assert len(names(tmp_path)) == 5


def test_the_temporary_name_cannot_be_guessed(tmp_path: Path) -> None:
    seen = set()
    for _ in range(3):
        with whole_path(tmp_path / "out.fwire", overwrite=True) as draft:
            seen.add(draft.parent.name)
            assert draft.name == "out.fwire"
            assert stat.S_IMODE(draft.parent.stat().st_mode) & 0o077 == 0
            draft.write_bytes(b"")
    assert len(seen) == 3


@WAYS
def test_a_disk_without_room_leaves_nothing_and_is_named(way: Way, tmp_path: Path) -> None:
    """A limit on file sizes acts as the full disk; the system names the file in neither case."""
    path = tmp_path / "out.fwire"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        with pytest.raises(OSError, match="too large") as caught:
            way(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.filename == str(path)
    assert not names(tmp_path)


_WAITS = """
import sys, time
from facewire.codec.whole_file import whole_file
with whole_file(sys.argv[1], overwrite=True) as file:
    file.write(b"half")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_leave_nothing(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "out.fwire"
    path.write_bytes(b"old")
    command = [sys.executable, "-c", _WAITS, str(path)]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Whoever runs the tests in the background may have them ignore the signal.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        code = process.wait(timeout=300)
    assert code in (128 + number, -number)
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["out.fwire"]


def test_signals_that_somebody_handles_are_left_alone() -> None:
    def mine(*_: object) -> None:
        """Of the application."""

    before = signal.signal(signal.SIGTERM, mine)
    try:
        with clean_stop():
            assert signal.getsignal(signal.SIGTERM) is mine
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_signals_are_as_before_afterwards() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with clean_stop(), clean_stop():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_threads_may_write(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.fwire" for number in range(4)]
    threads = [threading.Thread(target=write, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(tmp_path) == [path.name for path in paths]
