"""atc on a host behind SSH, with the system's ssh and the user's configuration of it."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from converter.atc.runners.contract import AtcJob, AtcRun, LogSink
from converter.atc.runners.session import Transport, run_session
from converter.errors import InputError, Paddle2omError, StageError
from converter.model.wording import last_line

#: The command to use in place of ``ssh``, with arguments, as git has it in GIT_SSH_COMMAND.
SSH_VARIABLE = "PADDLE2OM_SSH"

#: Nobody is asked anything, no forwarding of the user's disturbs, and a dead connection is noticed
#: within a minute.
_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=20",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
    "ClearAllForwardings=yes",
)

#: What ssh itself returns when it fails, and a shell when there is no such program.
_SSH_FAILED, _NO_PROGRAM = 255, 127

#: ssh's words -> what is to be done.
_ADVICE = (
    (
        "Permission denied",
        "nobody is there to type a password: let `ssh -o BatchMode=yes {host} true` succeed first, "
        "with ssh-copy-id, ssh-add or an IdentityFile in your ssh configuration",
    ),
    (
        "Host key verification failed",
        "connect once by hand, `ssh {host}`, and compare the key before you accept it",
    ),
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "find out why that host has another key, then see ssh-keygen -R",
    ),
    ("Could not resolve hostname", "check the name, or add a Host to your ssh configuration"),
    ("Connection refused", "check the host and its Port in your ssh configuration"),
)


@dataclass(frozen=True)
class SshRunner:
    """Runs atc on ``host``: a name, ``user@name``, an ``ssh://`` URI or a Host of ssh's config.

    Everything goes over the one connection, digests in both directions; the directory on the host
    is removed, and atc's processes are killed, when that ends for whatever reason. The host needs
    Python 3.7 or newer, as CANN itself does.
    """

    host: str

    def __post_init__(self) -> None:
        if not self.host or self.host.startswith("-") or any(c.isspace() for c in self.host):
            raise InputError(
                f"{self.host!r} is not a host", hint="for example npu1, me@npu1 or ssh://me@npu1:22"
            )

    @property
    def where(self) -> str:
        """For messages."""
        return f"ssh host {self.host}"

    def argv(self, code: str) -> tuple[str, ...]:
        """The command that runs ``code`` over there, whatever shell the user has there.

        ``code`` is of this program: it has no ``"``, ``$``, backtick, backslash or ``!``.
        """
        assert not set(code) & set('"$`\\!')
        ssh = shlex.split(os.environ.get(SSH_VARIABLE, "")) or ["ssh"]
        options = (word for option in _OPTIONS for word in ("-o", option))
        return (*ssh, "-T", *options, "--", self.host, f'exec python3 -I -u -c "{code}"')

    def run(self, job: AtcJob, log: LogSink) -> AtcRun:
        """See ``Runner.run``."""
        return run_session(Transport(self.where, self.argv, self._explain), job, log)

    def _explain(self, code: int, words: str) -> Paddle2omError:
        said = last_line(words)
        if code == _NO_PROGRAM:
            return InputError(
                f"{self.where} has no python3: {said}",
                hint="atc needs Python as well; let a non-interactive shell there have it on PATH",
            )
        if code == _SSH_FAILED:
            hint = next((advice for sign, advice in _ADVICE if sign in words), "")
            return InputError(
                f"{self.where} cannot be reached: {said}",
                hint=(hint or "try `ssh -o BatchMode=yes {host} true`").format(host=self.host),
            )
        return StageError(
            f"{self.where} ended with code {code}: {said or 'no output'}",
            hint="its python3 must be 3.7 or newer; the model's log has its words",
        )
