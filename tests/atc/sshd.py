"""An sshd of the test's own: on loopback, a free port, with keys that nobody else has."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.atc.conftest import SIMULATOR


class NoSshd(Exception):
    """There is no sshd that a test could start; the words say why."""


@dataclass(frozen=True)
class Sshd:
    """A running server. ``config`` is for ``ssh -F``; its Hosts are ``npu-host``, ``chatty-host``
    (whose login prints a greeting), ``stranger`` (an unknown key) and ``locked-out``."""

    config: Path
    pid: int
    temporary: Path


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _key(path: Path) -> str:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True
    )
    return path.with_suffix(".pub").read_text().strip()


@contextmanager
def running_sshd(directory: Path) -> Iterator[Sshd]:
    """Start one below ``directory``, with the atc simulator on its PATH; end it afterwards."""
    program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh") is None:
        raise NoSshd("no sshd here: install openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # for its privilege separation
    atc = directory / "bin" / "atc"
    atc.parent.mkdir(parents=True)
    atc.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SIMULATOR}" "$@"\n')
    atc.chmod(0o755)
    temporary = directory / "remote-tmp"
    temporary.mkdir()
    ports = _free_ports(2)
    host_key = _key(directory / "host_key")
    user_key = _key(directory / "user_key")
    _key(directory / "other_key")
    (directory / "authorized_keys").write_text(f"{user_key}\n")
    known = "".join(f"[127.0.0.1]:{port} {host_key}\n" for port in ports)
    (directory / "known_hosts").write_text(known)
    greeting = 'echo "Welcome to the NPU host"; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    server = directory / "sshd_config"
    server.write_text(
        f"""ListenAddress 127.0.0.1
Port {ports[0]}
Port {ports[1]}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
LogLevel ERROR
AcceptEnv ATC_SIMULATOR_*
SetEnv PATH={atc.parent}:/usr/local/bin:/usr/bin:/bin TMPDIR={temporary}
Match LocalPort {ports[1]}
  ForceCommand {greeting}
"""
    )
    client = directory / "ssh_config"
    client.write_text(
        f"""Host npu-host locked-out stranger
  Port {ports[0]}
Host chatty-host
  Port {ports[1]}
Host stranger
  UserKnownHostsFile /dev/null
Host locked-out
  IdentityFile {directory}/other_key
Host npu-host chatty-host stranger
  IdentityFile {directory}/user_key
Host npu-host chatty-host stranger locked-out
  HostName 127.0.0.1
  User {getpass.getuser()}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {directory}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  SendEnv ATC_SIMULATOR_*
Host nobody
  HostName 127.0.0.1
  Port {_free_ports(1)[0]}
"""
    )
    checked = subprocess.run(
        [program, "-t", "-f", server], capture_output=True, text=True, check=False
    )
    if checked.returncode:
        raise NoSshd(f"sshd does not start here: {checked.stderr.strip()}")
    log = (directory / "sshd.log").open("wb")
    process = subprocess.Popen(
        [program, "-D", "-e", "-f", server], stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        _wait_until_it_listens(ports, process, directory / "sshd.log")
        yield Sshd(client, process.pid, temporary)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        log.close()


def _wait_until_it_listens(ports: list[int], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            for port in ports:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"sshd does not listen: {log.read_text()}")


def ssh_command(sshd: Sshd) -> str:
    """The value of PADDLE2OM_SSH that reaches it."""
    return shlex.join(["ssh", "-F", str(sshd.config)])
