"""Limits of cgroups of both versions, from files as kernels write them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from optibench.measure.processes.machine import (
    available_cores,
    available_memory_bytes,
    core_capacity,
    library_versions,
    machine_facts,
)

if TYPE_CHECKING:
    from pathlib import Path

MOUNT = "31 23 0:28 {top} {folder} rw,relatime - {kind} {kind} rw,{controllers}\n"
CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def version_2(root: Path, own: str, top: str = "/") -> None:
    write(root, "proc/self/cgroup", f"0::{own}\n")
    mount = MOUNT.format(
        top=top, folder="/sys/fs/cgroup", kind="cgroup2", controllers="nsdelegate"
    )
    write(root, "proc/self/mountinfo", mount)


def version_1(root: Path, own: str, top: str = "/") -> None:
    write(root, "proc/self/cgroup", f"4:memory:{own}\n2:cpu,cpuacct:{own}\n1:name=systemd:/\n")
    mounts = [
        MOUNT.format(top=top, folder=f"/sys/fs/cgroup/{name}", kind="cgroup", controllers=name)
        for name in ("memory", "cpu,cpuacct")
    ]
    write(root, "proc/self/mountinfo", "".join(mounts))


def test_without_cgroups_the_affinity_and_the_machine_count(tmp_path: Path) -> None:
    assert available_cores(tmp_path) == CORES
    assert available_memory_bytes(tmp_path) == psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("quota", "capacity", "cores"),
    [("150000 100000", 1.5, 1), ("30000 100000", 0.3, 1), ("max 100000", CORES, CORES)],
)
def test_a_quota_of_version_2_is_rounded_down_to_cores(
    tmp_path: Path, quota: str, capacity: float, cores: int
) -> None:
    version_2(tmp_path, "/job")
    write(tmp_path, "sys/fs/cgroup/job/cpu.max", quota)
    assert core_capacity(tmp_path) == pytest.approx(min(capacity, CORES))
    assert available_cores(tmp_path) == min(cores, CORES)


def test_the_limit_of_a_parent_cgroup_holds_too(tmp_path: Path) -> None:
    version_2(tmp_path, "/slice/job")
    write(tmp_path, "sys/fs/cgroup/slice/job/memory.max", "max")
    write(tmp_path, "sys/fs/cgroup/slice/memory.max", "123456789")
    write(tmp_path, "sys/fs/cgroup/slice/cpu.max", "50000 100000")
    assert available_memory_bytes(tmp_path) == 123456789
    assert core_capacity(tmp_path) == pytest.approx(0.5)


def test_version_1_keeps_its_controllers_apart(tmp_path: Path) -> None:
    version_1(tmp_path, "/docker/abc")
    write(tmp_path, "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "200000000")
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712")
    write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "50000")
    write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000")
    write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1")
    write(tmp_path, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000")
    assert available_memory_bytes(tmp_path) == 200000000
    assert core_capacity(tmp_path) == pytest.approx(0.5)


@pytest.mark.parametrize("own", ["/docker/abc", "/", "/elsewhere", "/../other"])
def test_in_a_container_the_mount_is_the_containers_own_cgroup(tmp_path: Path, own: str) -> None:
    version_1(tmp_path, own, top="/docker/abc")
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "300000000")
    assert available_memory_bytes(tmp_path) == 300000000


def test_a_cgroup_made_inside_a_container_limits_too(tmp_path: Path) -> None:
    version_1(tmp_path, "/docker/abc/inner", top="/docker/abc")
    write(tmp_path, "sys/fs/cgroup/memory/memory.limit_in_bytes", "300000000")
    write(tmp_path, "sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "100000000")
    assert available_memory_bytes(tmp_path) == 100000000


@pytest.mark.skipif(
    sys.platform != "linux" or CORES < 2, reason="needs two cores to take one away"
)
def test_the_affinity_of_the_process_counts() -> None:
    code = (
        "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from optibench.measure.processes.machine import available_cores\nprint(available_cores())"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout
    assert output.strip() == b"1"


def test_the_facts_name_the_machine() -> None:
    facts = machine_facts()
    assert set(facts) == {"cpu_model", "cores", "memory_bytes", "platform", "python_version"}
    assert all(facts.values())
    assert facts["cores"] == str(available_cores())


def test_versions_are_looked_up_without_an_import() -> None:
    code = (
        "import sys\nfrom optibench.measure.processes.machine import library_versions\n"
        "print(library_versions(['scikit-learn', 'no-such-package']), 'sklearn' in sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    import sklearn

    assert output.stdout.strip() == f"{{'scikit-learn': '{sklearn.__version__}'}} False"
    assert library_versions([]) == {}
