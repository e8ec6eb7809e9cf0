"""What libraries do at their first call, done in the fork server, so that no worker has to.

onnxsim takes over ONNX's operator schemas, ONNX Runtime registers its kernels, ONNX's checker fills
its tables: together about 25 ms, on the processor, for each model. The model that they get here is
ours and has one operator; the host still runs no model of the user's. A child of the host tries it
first: a library that ends its process, or never returns, ends no run.
"""

from __future__ import annotations

import gc
import os
import signal

#: Seconds that the trial may take; it takes 0.05.
_LIMIT = 20


def warm_up() -> None:
    """Call each library once, and take all objects there are now out of the collector's sight.

    A collection would otherwise write into every page that a worker shares with its host. What
    fails here fails in the workers again, where it is one stage's result.
    """
    if _works():
        _call_each()
    gc.collect()
    gc.freeze()


def _works() -> bool:
    """Whether a child that makes the calls comes to a good end."""
    child = os.fork()
    if child == 0:
        signal.alarm(_LIMIT)
        code = 1
        try:
            _call_each()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _call_each() -> None:
    import numpy as np
    import onnx
    import onnxruntime
    import onnxsim
    from onnx import TensorProto, helper

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "warm_up", [x], [y])
    opset = helper.make_opsetid("", 11)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=6)
    onnx.checker.check_model(model, full_check=True)
    onnxsim.simplify(model)
    options = onnxruntime.SessionOptions()
    # Threads must not be there when a worker is forked.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    session.run(None, {"x": np.zeros(1, np.float32)})
