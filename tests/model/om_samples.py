"""The OM files that several tests read: small, of every layout, made by the writer."""

from __future__ import annotations

from tests.simulators.om_writer import Model, Tensor, write_om

CMDLINE = (
    "/usr/local/Ascend/latest/x86_64-linux/bin/atc.bin --model=/home/me/secret/inference.onnx "
    "--framework=5 --output=/home/me/secret/out/inference --soc_version=Ascend310P3 "
    "--input_shape=/model/x:1,3,48,320 --log=error"
)
X = Tensor("x", (1, 3, 48, 320), nbytes=184_320)
OUT = Tensor("softmax_2.tmp_0:0:softmax_2.tmp_0", (1, 40, 6625), layout="ND", nbytes=1_060_000)
ATTRS = {
    "soc_version": "Ascend310P3",
    "atc_version": "8.1.RC1",
    "opp_version": "8.1.RC1",
    "framework_type": 5,
    "atc_cmdline": CMDLINE,
    "host_env_os": "linux",
    "host_env_cpu": "x86_64",
    "memory_size": 7_000_000,
    "weight_size": 4_300_000,
    "zero_copy_memory_size": 1_244_320,
    "stream_num": 1,
    "event_num": 0,
    "label_num": 0,
    "om_info_list": [1, 2, 3, 4, 5],
}
REC = Model(inputs=[X], outputs=[OUT], name="inference", attrs=ATTRS, weights=bytes(2000))
DETR = Model(
    inputs=[
        Tensor("im_shape", (1, 2), layout="ND", nbytes=8),
        Tensor("image", (1, 3, 640, 640), nbytes=4_915_200),
        Tensor("scale_factor", (1, 2), layout="ND", nbytes=8),
    ],
    outputs=[
        Tensor("boxes", (300, 6), layout="ND", nbytes=7200),
        Tensor("count", (1,), "int32", "ND", 4),
    ],
    name="rtdetr",
    attrs={**ATTRS, "attr_model_out_nodes_name": ["fetch:0:boxes", "fetch:1:count"]},
)
MBATCH = Tensor("ascend_mbatch_shape_data", (2,), "int64", "ND", 16)
PROFILES = Model(
    inputs=[
        Tensor("x", (1, 3, -1, -1), nbytes=99, ranges=((1, 1), (3, 3), (32, -1), (32, 999))),
        MBATCH,
    ],
    outputs=[OUT],
    attrs=ATTRS,
    dynamic_dims=[(48, 320), (48, 640)],
    dynamic_output_shape=["0,0,1,40,6625", "1,0,1,80,6625"],
    order=["x"],
)

#: name -> bytes: both tables, with and without either description, one model and several.
FILES: dict[str, bytes] = {
    "wide": write_om(REC, name="inference"),
    "narrow": write_om(REC, wide=False),
    "three inputs": write_om(DETR),
    "profiles": write_om(PROFILES, check_os_cpu=True),
    "no inout": write_om(Model(**{**vars(DETR), "has_inout": False})),
    "no inout, narrow": write_om(Model(**{**vars(DETR), "has_inout": False}), wide=False),
    "no model def": write_om(Model(**{**vars(REC), "has_model_def": False})),
    "two models": write_om(REC, DETR),
    "two models, narrow": write_om(REC, DETR, wide=False),
    "old version": write_om(REC, wide=False, version=0x1000_0000),
}
