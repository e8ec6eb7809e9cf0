"""Writes official inference.yml files: ``python official_ymls.py DIR REC_YML NAME...``.

PaddleX 3.7.2 has their contents, for its own conversion of weights; nothing is copied here. The
characters of recognisers are not among them: REC_YML is the file of a model with the same ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml
from paddlex.modules.base.utils.pdparams2safetensors import inference_meta

#: Models that PaddleX has no contents for, and those of the same kind whose they are.
LIKE = {"PP-OCRv4_server_seal_det": "PP-OCRv5_server_det"}

with open(sys.argv[2], encoding="utf-8") as file:  # noqa: PTH123
    characters = yaml.safe_load(file)["PostProcess"]["character_dict"]

for name in sys.argv[3:]:
    meta = inference_meta.build_inference_meta(LIKE.get(name, name))
    if name.endswith("_rec"):
        meta["PostProcess"]["character_dict"] = characters
    directory = Path(sys.argv[1]) / name
    directory.mkdir(parents=True)
    content = {"Global": {"model_name": name}, **meta}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (directory / "inference.yml").write_text(text, encoding="utf-8")
