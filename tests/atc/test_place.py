"""Where atc is to run, as users write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.atc.runners.container import ContainerRunner
from converter.atc.runners.local import LocalRunner
from converter.atc.runners.place import BundlePlace, parse_place
from converter.atc.runners.ssh import SshRunner
from converter.errors import InputError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("local", LocalRunner()),
        ("ssh:npu1", SshRunner("npu1")),
        ("ssh:me@npu1", SshRunner("me@npu1")),
        ("ssh://me@npu1:2222", SshRunner("ssh://me@npu1:2222")),
        ("container:quay.io/a/cann:8.1@sha256:00", ContainerRunner("quay.io/a/cann:8.1@sha256:00")),
        ("bundle:out/a dir", BundlePlace(Path("out/a dir"))),
    ],
)
def test_places(text, place):
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", "npu1", "ssh:", "ssh", "container:", "bundle:", "k8s:pod"])
def test_what_is_no_place(text):
    with pytest.raises(InputError, match="atc cannot run on") as refused:
        parse_place(text)
    assert "ssh:HOST" in refused.value.hint
