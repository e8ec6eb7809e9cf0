"""atc in a container of an image that has the CANN toolkit, with docker or podman."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from converter.atc.runners.contract import AtcJob, AtcRun, LogSink
from converter.atc.runners.session import Transport, run_session
from converter.errors import InputError, Paddle2omError, StageError
from converter.model.wording import last_line

#: The engine to use, with arguments (``podman``, ``sudo docker``), and what to add to its ``run``.
ENGINE_VARIABLE = "PADDLE2OM_CONTAINER_ENGINE"
FLAGS_VARIABLE = "PADDLE2OM_CONTAINER_FLAGS"

_ENGINES = ("docker", "podman")

#: What a host with an NPU lends to a container, as CANN's images are documented to be run. atc
#: needs no NPU; beside a driver it uses the real libraries instead of the toolkit's stand-ins.
_DEVICES = ("davinci_manager", "devmm_svm", "hisi_hdc")
_MOUNTS = (
    "/usr/local/Ascend/driver",
    "/usr/local/dcmi",
    "/usr/local/bin/npu-smi",
    "/etc/ascend_install.info",
)

#: Variables that choose among the host's NPUs.
_PASSED_ON = ("ASCEND_RT_VISIBLE_DEVICES", "ASCEND_VISIBLE_DEVICES")

#: What both engines return when they fail themselves, when the image's program cannot be run, and
#: when it is not there.
_ENGINE_FAILED, _CANNOT_RUN, _NO_PROGRAM = 125, 126, 127


@dataclass(frozen=True)
class ContainerRunner:
    """Runs atc in a new container of ``image``, which is removed afterwards.

    Files go in and out over the engine's standard input and output: nothing of this host is
    mounted but the NPU driver where there is one, so it does not matter who the image's user is
    and on which machine the engine works. ``root`` is where this host's files are.
    """

    image: str
    root: Path = Path("/")

    def __post_init__(self) -> None:
        if not self.image or self.image.startswith("-") or any(c.isspace() for c in self.image):
            raise InputError(
                f"{self.image!r} is not an image",
                hint="name one that has CANN, as docker run would take it",
            )

    @property
    def where(self) -> str:
        """For messages."""
        return f"a container of {self.image}"

    def argv(self, code: str, name: str) -> tuple[str, ...]:
        """The command that runs ``code`` with the image's Python in a container called ``name``."""
        return (
            *_engine(),
            "run",
            "--rm",
            "--interactive",
            f"--name={name}",
            "--workdir=/tmp",
            *self._npu(),
            *(f"--env={variable}" for variable in _PASSED_ON if variable in os.environ),
            *shlex.split(os.environ.get(FLAGS_VARIABLE, "")),
            "--entrypoint=python3",
            self.image,
            "-I",
            "-u",
            "-c",
            code,
        )

    def _npu(self) -> list[str]:
        """The devices and the driver of this host, if it has them."""
        devices = self.root / "dev"
        if not (devices / "davinci_manager").exists():
            return []
        numbered = sorted(
            (path.name for path in devices.glob("davinci[0-9]*")),
            key=lambda name: int(name.removeprefix("davinci")),
        )
        present = [name for name in (*numbered, *_DEVICES) if (devices / name).exists()]
        mounts = [path for path in _MOUNTS if (self.root / path.lstrip("/")).exists()]
        return [f"--device=/dev/{name}" for name in present] + [
            f"--volume={path}:{path}:ro" for path in mounts
        ]

    def run(self, job: AtcJob, log: LogSink) -> AtcRun:
        """See ``Runner.run``."""
        name = f"paddle2om-{secrets.token_hex(6)}"
        transport = Transport(
            self.where,
            lambda code: self.argv(code, name),
            self._explain,
            end=(*_engine(), "rm", "--force", name),
        )
        return run_session(transport, job, log)

    def _explain(self, code: int, words: str) -> Paddle2omError:
        said = last_line(words) or "no output"
        if code == _ENGINE_FAILED:
            return InputError(
                f"{self.where} cannot be started: {said}",
                hint="check that the engine runs, that you may use it, and that it has the image",
            )
        if code in (_CANNOT_RUN, _NO_PROGRAM):
            return InputError(
                f"{self.where} has no python3: {said}", hint="take an image that has CANN"
            )
        return StageError(
            f"{self.where} ended with code {code}: {said}",
            hint="its python3 must be 3.7 or newer; the model's log has its words",
        )


def _engine() -> tuple[str, ...]:
    chosen = shlex.split(os.environ.get(ENGINE_VARIABLE, ""))
    found = chosen or [engine for engine in _ENGINES if shutil.which(engine)][:1]
    if not found:
        raise InputError(
            "there is no docker and no podman", hint=f"install one, or name it in {ENGINE_VARIABLE}"
        )
    return tuple(found)
