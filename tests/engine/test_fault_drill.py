"""Whatever is killed, filled up or damaged: a build that ends is the undisturbed one."""

import json
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.engine.building import LIMIT, artefacts, build, finish, start, undisturbed

pytestmark = pytest.mark.slow


def children(pid):
    """Processes that ``pid`` started and that run."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return [child for child in found if state(child) not in ("", "Z")]


def workers(pid):
    """The children of the build's fork server, which is a child of the build.

    Workers lead process groups; what Paddle starts while it is imported (``/bin/sh``) does not.
    """
    hosts = [child for child in children(pid) if b"engine.host" in _command(child)]
    return [child for host in hosts for child in children(host) if leads_group(child)]


def leads_group(pid):
    with suppress(ProcessLookupError):
        return os.getpgid(pid) == pid
    return False


def state(pid):
    """A process's state as proc(5) has it: ``Z`` when it has ended, "" when it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def kill_alive(pid):
    """Kill a process; whether it was alive then: one that is stopped cannot end in between."""
    try:
        os.kill(pid, signal.SIGSTOP)
        stopped = wait_for(lambda: (state(pid) or "gone") in ("T", "Z", "gone") and [state(pid)])
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return stopped == ["T"]


def _command(pid):
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def texts(stage):
    return [message["text"] for message in stage["messages"]]


def wait_for(condition):
    end = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, tiny_pir, cls_model):
    """Five conversions, and the artefacts of a build that nothing disturbed."""
    root = tmp_path_factory.mktemp("drill")
    return root, undisturbed(root, tiny_pir, cls_model)


def test_parents_that_are_killed_lose_nothing(zoo, tmp_path):
    root, made = zoo
    out, chance = tmp_path / "out", random.Random(0)
    for _ in range(2):
        # One model after the other: five cannot be done in the time that is waited twice.
        process = start(root, out, "--cache", tmp_path / "cache", "-j1")
        left = wait_for(lambda: workers(process.pid) or process.poll() is not None)  # noqa: B023
        assert left is not True, "the build ended before it was killed"
        time.sleep(chance.uniform(0, 0.5))
        left = {*left, *workers(process.pid)}
        assert kill_alive(process.pid)
        process.communicate()
        for pid in left:
            wait_for(lambda: not _command(pid))  # noqa: B023

    code, said = build(root, out, "--cache", tmp_path / "cache")

    assert code == 0, said
    assert artefacts(out) == made
    assert not list(out.glob(".paddle2om-work-*"))


def test_workers_that_are_killed_are_named_and_done_again(zoo, tmp_path):
    root, made = zoo
    out, chance = tmp_path / "out", random.Random(1)
    process = start(root, out, "--cache", tmp_path / "cache")
    killed = 0
    while process.poll() is None and killed < 3:
        if found := workers(process.pid):
            # The first at once: it has not done its work yet.
            time.sleep(chance.uniform(0, 0.3) if killed else 0)
            killed += kill_alive(chance.choice(found))
        time.sleep(0.05)
    code, said = finish(process)

    assert killed, "no worker was alive when it was killed"
    assert code in (0, 4), said  # 0 where trying once more helped
    report = json.loads((out / "report.json").read_text())
    stages = [stage for model in report["models"] for stage in model["stages"]]
    retried = [text for stage in stages for text in texts(stage) if "retried: " in text]
    crashed = [stage["error"]["message"] for stage in stages if stage["status"] == "crashed"]
    assert 1 <= len(retried) + len(crashed) <= killed
    assert all("was killed by SIGKILL" in text for text in (*retried, *crashed))
    assert bool(crashed) == bool(code)
    if code:
        assert "SIGKILL" in said
    code, said = build(root, out, "--cache", tmp_path / "cache")
    assert code == 0, said
    assert artefacts(out) == made


def test_two_builds_on_a_cache_that_is_damaged_between_and_during(zoo, tmp_path):
    root, made = zoo
    cache, chance = tmp_path / "cache", random.Random(0)
    assert build(root, tmp_path / "first", "--cache", cache)[0] == 0

    def damage():
        objects = sorted(path for path in (cache / "objects").rglob("*") if path.is_file())
        for path in chance.sample(objects, len(objects) // 2):
            with suppress(OSError):
                path.chmod(0o644)
                data = bytearray(path.read_bytes())
                if data:
                    data[chance.randrange(len(data))] ^= 0x55
                    path.write_bytes(data)

    damage()
    outs = [tmp_path / "one", tmp_path / "two"]
    processes = [start(root, out, "--cache", cache) for out in outs]
    time.sleep(0.5)
    damage()
    for process, out in zip(processes, outs, strict=True):
        code, said = finish(process)
        assert code == 0, said
        assert artefacts(out) == made


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB; ``grow()`` makes it large."""
    where = tmp_path / "disk"
    where.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(where)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk takes root")

    def grow():
        subprocess.run(["mount", "-o", "remount,size=64m", str(where)], check=True)

    yield where, grow
    subprocess.run(["umount", "-l", str(where)], check=True)


def test_a_full_disk_is_told_and_nothing_wrong_stays(zoo, tmp_path, small_disk):
    """That of the output; tests/cli/test_build_command.py has the cache's."""
    root, made = zoo
    disk, grow = small_disk

    code, said = build(root, disk / "out", "--cache", tmp_path / "cache")

    assert code == 2, said
    assert "No space left on device" in said, said
    assert "hint: free some space" in said
    for name, digest in artefacts(disk / "out").items():
        assert made.get(name) == digest, name  # what is there is whole
    grow()
    code, said = build(root, disk / "out", "--cache", tmp_path / "cache")
    assert code == 0, said
    assert artefacts(disk / "out") == made
