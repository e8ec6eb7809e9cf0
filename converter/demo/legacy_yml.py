"""The inference.yml that PaddleX needs and the legacy models come without."""

from __future__ import annotations

from converter.errors import InputError
from converter.paddlex.template import render_template

#: How many characters the PP-OCRv4 recogniser tells apart, blank and space not counted.
PPOCR_V4_CHARACTERS = 6623


def detection_yml() -> str:
    """For PP-OCRv4_mobile_det."""
    return render_template("inference/PP-OCRv4_mobile_det.yml.j2", {})


def recognition_yml(dictionary: bytes) -> str:
    """For PP-OCRv4_mobile_rec, with the characters of its dictionary file (one per line).

    A dictionary of another length would shift every class and yield fluent nonsense, hence the
    check.
    """
    characters = dictionary.decode("utf-8").removesuffix("\n").split("\n")
    if len(characters) != PPOCR_V4_CHARACTERS or not all(characters):
        raise InputError(
            f"the dictionary has {len(characters)} characters, the model {PPOCR_V4_CHARACTERS}",
            hint="use ppocr_keys_v1.txt",
        )
    return render_template(
        "inference/PP-OCRv4_mobile_rec.yml.j2",
        {"characters": [_quoted(character) for character in characters]},
    )


def orientation_yml() -> str:
    """For the v2.0 angle classifier, which PaddleX cannot feed as it wants to be fed."""
    return render_template("inference/ch_ppocr_mobile_v2.0_cls.yml.j2", {})


def _quoted(character: str) -> str:
    # Not the yaml filter: this text is checked by digest, so its quoting must not change when
    # PyYAML does; and 6623 calls of it take a second.
    escaped = character.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
