"""The table of atc's flags."""

from __future__ import annotations

import pytest

from converter.atc.flags import all_flags, is_known, version_key
from converter.errors import InputError
from tests.simulators.atc_screen import TABLES


def test_the_table_has_every_flag_for_onnx():
    hidden = {"device_id", "target", "cal_conf"}
    others = {"weight", "enable_scope_fusion_passes"}  # of Caffe and TensorFlow
    assert set(all_flags()) == set(TABLES["flags"]) - hidden - others
    for flag in all_flags().values():
        assert flag.meaning
        assert not flag.values or flag.codes, flag.name


def test_versions():
    assert version_key("8.1.RC1") == (8, 1)
    assert version_key("9") == (9, 0)
    assert is_known("9.0", "9.2")
    assert is_known(None, "5.0")
    assert not is_known("9.0", None)
    assert not is_known("7.0", "6.3.RC2")
    with pytest.raises(InputError, match="not a CANN version"):
        version_key("latest")
