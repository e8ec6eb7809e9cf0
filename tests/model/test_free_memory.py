"""What memory is free: of the machine, and of the container."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.model.memory import FreeMemory, free_memory

GIB = 1 << 30

V2 = ("memory.max", "memory.current", "inactive_file", "sys/fs/cgroup")
V1 = (
    "memory.limit_in_bytes",
    "memory.usage_in_bytes",
    "total_inactive_file",
    "sys/fs/cgroup/memory",
)


@pytest.fixture
def machine(tmp_path):
    """Returns a function that lays out a machine with 8 GiB free, and a process in ``groups``."""

    def lay_out(groups: str = "0::/a/b\n", free: int | None = 8 * GIB) -> Path:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
        if free is not None:
            text = f"MemTotal:  99 kB\nMemAvailable:  {free // 1024} kB\n"
            (tmp_path / "proc/meminfo").write_text(text)
        return tmp_path

    return lay_out


def cgroup(root: Path, names, group: str, limit: int | str, used: int, cache: int) -> None:
    maximum, current, stat, mount = names
    directory = root / mount / group
    directory.mkdir(parents=True, exist_ok=True)
    (directory / maximum).write_text(f"{limit}\n")
    (directory / current).write_text(f"{used}\n")
    (directory / "memory.stat").write_text(f"anon 1\nfile {cache + 1}\n{stat} {cache}\nslab 3\n")


def test_without_a_container_it_is_what_the_machine_has(machine):
    assert free_memory(machine()) == FreeMemory(8 * GIB)


@pytest.mark.parametrize(
    ("names", "groups"),
    [(V2, "0::/a/b\n"), (V1, "9:cpu:/\n4:memory:/a/b\n0::/\n"), (V1, "4:cpu,memory:/a/b\n")],
)
def test_the_page_cache_of_a_container_is_free(names, groups, machine):
    root = machine(groups)
    cgroup(root, names, "a/b", 4 * GIB, used=3 * GIB, cache=2 * GIB)

    assert free_memory(root) == FreeMemory(3 * GIB, limited=True)


def test_the_limit_of_a_group_above_counts_too(machine):
    root = machine()
    cgroup(root, V2, "a/b", "max", used=GIB, cache=0)
    cgroup(root, V2, "a", 2 * GIB, used=GIB, cache=0)

    assert free_memory(root) == FreeMemory(GIB, limited=True)


def test_a_path_of_the_host_is_that_of_the_mount_point(machine):
    root = machine("0::/docker/0123\n")
    cgroup(root, V2, "", 2 * GIB, used=GIB, cache=GIB)

    assert free_memory(root) == FreeMemory(2 * GIB, limited=True)


def test_a_limit_beyond_the_machine_means_nothing(machine):
    root = machine()
    cgroup(root, V2, "a/b", 64 * GIB, used=GIB, cache=0)

    assert free_memory(root) == FreeMemory(8 * GIB)


def test_a_container_above_its_limit_has_nothing_left(machine):
    root = machine()
    cgroup(root, V2, "a/b", 2 * GIB, used=3 * GIB, cache=0)

    assert free_memory(root) == FreeMemory(0, limited=True)


def test_what_is_not_known_is_said(machine, tmp_path):
    assert free_memory(tmp_path / "nothing") is None
    assert free_memory(machine(free=None)) is None
