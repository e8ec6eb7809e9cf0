"""Reads pages with variants of one config, and compares each variant with the plain one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from converter.errors import InputError, StageError, WorkerError
from converter.model.record import Record
from converter.model.wording import shorten
from converter.paddlex.child import ask
from converter.paddlex.rehearsal_lines import LineChange, PageLines, compare
from converter.paddlex.rehearsal_shapes import Shape, area

_RUNNER = Path(__file__).with_name("_rehearsal_runner.py")

#: Of shapes whose error rates differ by no more than this, the smaller is better.
NEGLIGIBLE = 0.005

#: Module -> channels, height, width.
Shapes = dict[str, Shape]


class Trial(Record):
    """The pages read with ``shapes`` (channels, height, width by module) against those without.

    ``error_rate`` is edited characters by characters of the reference (lost and surplus lines
    count in full); ``lines`` of the reference read the ``same``, ``changed``, or are ``lost``.
    """

    shapes: Shapes
    lines: int
    same: int
    lost: int
    surplus: int
    characters: int
    error_rate: float
    seconds: float
    changes: tuple[LineChange, ...]

    @property
    def changed(self) -> int:
        """Lines found in their place that read otherwise."""
        return self.lines - self.same - self.lost


class Trials:
    """Reads the images with variants of the config and keeps what came of it."""

    def __init__(
        self,
        config: dict[str, Any],
        images: Sequence[Path],
        python: str | None,
        timeout: float,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.version = ""
        self.made: dict[tuple[tuple[str, Shape], ...], Trial] = {}
        self._images = [str(image.absolute()) for image in images]
        self._config, self._python, self._timeout = config, python, timeout
        self._reference: tuple[PageLines, ...] = ()
        self._tell = tell
        self._series = 0

    def read_reference(self, first: Sequence[Shapes]) -> tuple[PageLines, ...]:
        """The pages without fixed shapes; the ``first`` trials are made on the way."""
        self._reference, *read = self._read([{}, *first])
        self._keep(first, read)
        return self._reference

    def try_all(self, variants: Iterable[Shapes]) -> None:
        """Make the trials that were not made yet, in one process."""
        new = {key_of(shapes): shapes for shapes in variants if key_of(shapes) not in self.made}
        if new:
            self._keep(list(new.values()), self._read(list(new.values())))

    def tried(self, module: str) -> list[Shape]:
        """The shapes that were tried for this module alone."""
        return [shape for ((name, shape), *more) in self.made if name == module and not more]

    def cheapest(self, module: str) -> Shape:
        """The smallest shape of those tried that read the module's pages as well as the best."""
        trials = {shape: self.made[((module, shape),)] for shape in self.tried(module)}
        best = min(trial.error_rate for trial in trials.values())
        enough = [s for s, trial in trials.items() if trial.error_rate <= best + NEGLIGIBLE]
        return min(enough, key=area)

    def _keep(self, variants: Sequence[Shapes], read: Sequence[tuple[PageLines, ...]]) -> None:
        for shapes, pages in zip(variants, read, strict=True):
            self.made[key_of(shapes)] = _trial(shapes, self._images, self._reference, pages)

    def _read(self, variants: Sequence[Shapes]) -> list[tuple[PageLines, ...]]:
        request = {
            "config": self._config,
            "images": self._images,
            "variants": [
                {
                    "changes": [
                        {"path": ["SubModules", module], "set": {"input_shape": shape}}
                        for module, shape in variant.items()
                    ]
                }
                for variant in variants
            ],
        }
        self._series += 1
        total = len(variants) * len(self._images)

        def tell(reading: str) -> None:
            variant, image = divmod(int(reading), len(self._images))
            self._tell(
                f"series {self._series}, reading {int(reading) + 1} of {total}: "
                f"{Path(self._images[image]).name}, {told(variants[variant])}"
            )

        answer = ask(_RUNNER, request, python=self._python, timeout=self._timeout, tell=tell)
        _check_answer(answer, variants)
        try:
            self.version = answer["version"]
            return [
                tuple(PageLines.model_validate(page) for page in variant)
                for variant in answer["variants"]
            ]
        except (ValidationError, KeyError, TypeError) as error:
            raise WorkerError(
                "the PaddleX process answered with something else: "
                f"{shorten(' '.join(str(error).split()))}",
                hint="PaddleX 3.5 to 3.7 are known to work",
            ) from error


def told(shapes: Shapes) -> str:
    """Shapes in words: ``TextDetection 3,640,480``."""
    given = (f"{module} {','.join(map(str, shape))}" for module, shape in shapes.items())
    return ", ".join(given) or "no fixed shape"


def _check_answer(answer: Mapping[str, Any], variants: Sequence[Shapes]) -> None:
    if answer.get("problem") == "missing":
        raise InputError(
            f"PaddleX cannot be imported: {answer['detail']}",
            hint="pip install 'paddle2om[paddlex]', or name an interpreter that has it with "
            "--paddlex-python",
        )
    if answer.get("problem"):
        read = answer.get("read", 0)
        shapes = variants[read] if read < len(variants) else {}
        raise StageError(
            f"PaddleX {answer['version']} could not read the images with {told(shapes)}: "
            f"{shorten(' '.join(answer['detail'].split()))}",
            hint="the models may not take that shape: give another with --shape"
            if shapes
            else "a rehearsal needs PaddleX 3.5 or later; see what paddle2om check says",
        )


def _trial(
    shapes: Shapes,
    images: Sequence[str],
    reference: Sequence[PageLines],
    pages: Sequence[PageLines],
) -> Trial:
    """Compare what was read with ``shapes`` with the reference."""
    changes = [
        change
        for image, expected, page in zip(images, reference, pages, strict=True)
        for change in compare(image, expected, page)
    ]
    lines = [line for page in reference for line in page.lines]
    characters = sum(len(line.text) for line in lines)
    surplus = sum(change.reference is None for change in changes)
    return Trial(
        shapes=shapes,
        lines=len(lines),
        same=len(lines) - (len(changes) - surplus),
        lost=sum(change.text is None for change in changes),
        surplus=surplus,
        characters=characters,
        error_rate=sum(change.edits for change in changes) / max(characters, 1),
        seconds=sum(page.seconds for page in pages),
        changes=tuple(sorted(changes, key=lambda change: -change.edits)),
    )


def key_of(shapes: Shapes) -> tuple[tuple[str, Shape], ...]:
    """What a trial with these shapes is kept under."""
    return tuple(sorted(shapes.items()))
