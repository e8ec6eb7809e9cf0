"""A run on a Dask cluster: the same bytes as here, whatever becomes of a worker."""

import json
import shutil
import signal
import sys
import threading
import time
from unittest.mock import Mock

import pytest

from converter.engine import dask_executor, dask_worker
from converter.engine.convert import Silent
from converter.engine.unpacking import crashed
from converter.errors import InputError
from tests.command import environment
from tests.engine.building import LIMIT, artefacts, build, finish, start, task, undisturbed
from tests.engine.dask_cluster import dask_cluster


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, tiny_pir, cls_model):
    """Five conversions, and the artefacts of a build without a cluster."""
    root = tmp_path_factory.mktemp("dask")
    return root, undisturbed(root, tiny_pir, cls_model)


@pytest.fixture
def cluster(tmp_path, request):
    """``dask scheduler`` and a function that adds workers to it, as people start them.

    A parameter is how many workers a task may lose; without one it is as Dask has it.
    """
    settings = environment(PADDLE2OM_CACHE=str(tmp_path / "user"))
    if hasattr(request, "param"):
        settings["DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"] = str(request.param)
    with dask_cluster(tmp_path, settings) as (address, add):
        yield address, add


def wait_until_begun(out, process):
    """Every worker has a task by then: the first models are being converted."""
    end = time.monotonic() + LIMIT
    while not any((out / "logs").glob("*.log")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(3)
    assert process.poll() is None


@pytest.mark.slow
def test_a_worker_that_is_killed_changes_nothing(zoo, cluster, tmp_path):
    root, made = zoo
    address, add = cluster
    workers = [add(), add()]
    out = tmp_path / "out"
    process = start(root, out, "--cache", tmp_path / "cache", "--scheduler", address)
    wait_until_begun(out, process)
    workers[0].send_signal(signal.SIGKILL)

    code, said = finish(process)

    assert code == 0, said
    assert artefacts(out) == made
    assert workers[1].poll() is None
    report = json.loads((out / "report.json").read_text())
    assert [model["status"] for model in report["models"]] == ["ok"] * 5


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [0], indirect=True)
def test_a_model_that_loses_too_many_workers_is_a_crashed_row(zoo, cluster, tmp_path):
    root, _ = zoo
    address, add = cluster
    workers = [add(), add()]
    out = tmp_path / "out"
    process = start(root, out, "--no-cache", "--scheduler", address)
    wait_until_begun(out, process)
    workers[0].send_signal(signal.SIGKILL)

    code, said = finish(process)

    assert code == 4, said
    report = json.loads((out / "report.json").read_text())
    lost = [model for model in report["models"] if model["status"] == "crashed"]
    # The scheduler counts the model that ran, and the one that was to be next on that worker.
    assert 1 <= len(lost) <= 2
    assert [model["status"] for model in report["models"]].count("ok") == 5 - len(lost)
    for model in lost:
        assert "its Dask worker was lost" in model["stages"][0]["error"]["message"]


@pytest.mark.slow
def test_a_worker_of_another_version_that_joins_later_takes_nothing(zoo, cluster, tmp_path):
    """It would otherwise take every model that waits, and fail them all."""
    root, _ = zoo
    for number in range(14):
        shutil.copytree(root / "models" / "c", tmp_path / "models" / f"c{number}")
    (tmp_path / "zoo.yaml").write_text("schema: 1\nmodels: [{path: models/*}]\n")
    address, add = cluster
    add()
    preload = tmp_path / "older.py"
    preload.write_text(
        "from converter.engine import dask_worker\n"
        "dask_worker.versions_here = lambda: {'onnx': '1.0'}\n"
    )
    out = tmp_path / "out"
    process = start(tmp_path, out, "--no-cache", "--scheduler", address)
    end = time.monotonic() + LIMIT
    while not any((out / "logs").glob("*.log")):
        assert time.monotonic() < end
        time.sleep(0.05)
    add("--preload", preload)

    code, said = finish(process)

    assert code == 0, said
    assert len(list(out.glob("c*/inference.onnx"))) == 14
    log = max(tmp_path.glob("dask*.log"), key=lambda path: path.stat().st_mtime).read_text()
    assert "UnfitWorker" in "".join(path.read_text() for path in tmp_path.glob("dask*.log")), log


@pytest.mark.slow
def test_results_travel_through_a_store(zoo, tmp_path):
    """The workers could see the files, but run in directories of their own."""
    root, made = zoo
    shutil.copytree(root / "models", tmp_path / "models")
    broken = tmp_path / "models" / "broken"
    shutil.copytree(root / "models" / "a", broken)
    (broken / "inference.pdiparams").write_bytes(b"cut")
    unread = tmp_path / "models" / "unread"  # it has no keys, and no worker gets it
    shutil.copytree(root / "models" / "a", unread)
    (unread / "inference.json").write_text("{")
    recipe = (root / "zoo.yaml").read_text()
    recipe += "  - path: models/broken\n  - path: models/unread\n"
    (tmp_path / "zoo.yaml").write_text(recipe)
    flags = ("--scheduler", "local:2", "--store", f"file://{tmp_path}/store")

    code, said = build(tmp_path, "out", "--cache", tmp_path / "cache", *flags)

    assert code == 2, said
    assert artefacts(tmp_path / "out") == made
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    rows = {model["name"]: model for model in report["models"]}
    assert rows["c"]["stages"][1]["seconds"] > 0
    assert rows["c"]["stages"][2]["artefacts"]
    assert str(broken) in rows["broken"]["stages"][0]["error"]["message"]
    assert rows["unread"]["stages"][0]["error"]["exit_code"] == 2
    assert "Start parsing" in (tmp_path / "out" / "logs" / "c.log").read_text()
    # What came back is in the cache here: the next build needs no cluster.
    code, said = build(tmp_path, "again", "--cache", tmp_path / "cache")
    assert "cached" in said
    assert artefacts(tmp_path / "again") == made


@pytest.mark.slow
def test_ctrl_c_ends_as_it_does_here(zoo, tmp_path):
    root, _ = zoo
    for number in range(14):
        shutil.copytree(root / "models" / "c", tmp_path / "models" / f"c{number}")
    (tmp_path / "zoo.yaml").write_text("schema: 1\nmodels: [{path: models/*}]\n")
    process = start(tmp_path, "out", "--scheduler", "local:1", "--no-cache")
    end = time.monotonic() + LIMIT
    while len(list((tmp_path / "out").glob("c*/inference.onnx"))) < 2:  # the first is reported
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)

    code, said = finish(process)

    assert code == 130, said
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["interrupted"]
    ended = {
        model["name"]: [stage["status"] for stage in model["stages"][:4]]
        for model in report["models"]
    }
    assert len(ended) == 14
    done = {name for name, statuses in ended.items() if statuses == ["ok"] * 4}
    assert done
    assert len(done) < 14
    assert {path.parent.name for path in (tmp_path / "out").glob("*/inference.onnx")} >= done


def test_a_worker_that_came_later_with_other_versions_refuses(tmp_path):
    versions = {**dask_worker.versions_here(), "onnx": "1.0"}
    data = task().model_dump(mode="json")
    with pytest.raises(dask_worker.UnfitWorker, match=r"this machine 1\.0"):
        dask_worker.run_task("topic", data, str(tmp_path / "log"), versions)


def test_what_is_compiled_goes_where_a_chip_is_and_the_rest_elsewhere():
    workers = {"tcp://a:1": {"ascend": 1.0}, "tcp://b:2": {}}
    assert dask_executor.placed(task(soc="Ascend310P3"), workers) == {"resources": {"ascend": 1}}
    assert dask_executor.placed(task(), workers) == {
        "workers": ["tcp://b:2"],
        "allow_other_workers": True,
    }
    # Nobody declares a chip, or everybody: anywhere, as without a cluster.
    assert dask_executor.placed(task(soc="Ascend310P3"), {"tcp://b:2": {}}) == {}
    assert dask_executor.placed(task(), {"tcp://a:1": {"ascend": 1.0}}) == {}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"sees": True, "versions": {"onnx": "1.17.0", "paddle2om": "0.1"}}, None),
        ({"sees": False, "versions": {"onnx": "1.17.0", "paddle2om": "0.1"}}, "does not see"),
        ({"sees": True, "versions": {"onnx": "1.16.1", "paddle2om": "0.1"}}, "has onnx 1.16.1"),
        ({"sees": True, "versions": {"onnx": "1.17.0"}}, "has paddle2om None"),
    ],
)
def test_a_worker_with_other_versions_or_files_is_unfit(found, words):
    told = dask_executor.unfit({"onnx": "1.17.0", "paddle2om": "0.1"}, found, "/out")
    assert (told is None) if words is None else (words in told[0] and told[1])


def test_a_lost_task_is_a_crashed_row():
    report = crashed(task(), "its Dask worker was lost: killed")
    (died,) = report.stages
    assert (died.status, died.error.exit_code) == ("crashed", 4)
    assert "Dask worker was lost" in died.error.message


@pytest.mark.parametrize("address", ["nowhere", "local:none", "local:0"])
def test_an_address_that_is_none_is_told(address):
    with pytest.raises(InputError, match="is no scheduler"), dask_executor.cluster(address):
        pass


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="not installed") as raised, dask_executor.cluster("local"):
        pass
    assert "paddle2om[dask]" in raised.value.hint


class StoppedCluster:
    """A client whose workers tell of two stages, once anew, before the user stops the run."""

    def __init__(self, events):
        self.events = events

    def subscribe_topic(self, _topic, handler):
        for event in self.events:
            handler((0.0, event))

    def submit(self, *_, key, **__):
        return Mock(key=key, status="pending", done=self.stop)

    def stop(self):
        raise KeyboardInterrupt

    def run(self, work, *_):
        return {} if work is dask_worker.stop_all else {"tcp://w": facts_of_a_worker()}

    def scheduler_info(self, **_):
        return {"workers": {"tcp://w": {}}}

    def wait_for_workers(self, *_, **__):
        pass

    cancel = unsubscribe_topic = wait_for_workers


def facts_of_a_worker():
    return {"sees": True, "host": "w", "versions": dask_worker.versions_here()}


def test_ctrl_c_keeps_the_stages_that_were_told(tmp_path):
    """The display had said that they are done."""
    made = [
        {"kind": "result", "name": "m", "result": {"stage": stage, "status": "ok"}}
        for stage in ("inspect", "export")
    ]
    begun = {"kind": "model", "name": "m"}
    client = StoppedCluster([begun, made[0], begun, *made])
    executor = dask_executor.DaskExecutor(client)
    stages = ("inspect", "export", "validate")
    tasks = [task().model_copy(update={"name": name, "stages": stages}) for name in ("m", "n")]
    logs = {each.name: tmp_path / each.name for each in tasks}

    reports = executor.run(tasks, logs, Silent(), jobs=1)

    assert executor.interrupted
    assert [[stage.status for stage in report.stages] for report in reports] == [
        ["ok", "ok", "interrupted"],
        ["interrupted", "skipped", "skipped"],
    ]


class HungCluster(StoppedCluster):
    """One whose workers answer nothing any more when the user stops the run."""

    def __init__(self):
        super().__init__([])
        self.answers = threading.Event()
        self.statuses = iter(("pending", "finished"))

    def submit(self, *_, key, **__):
        return Mock(key=key, status=next(self.statuses), done=self.stop, result=self.late)

    def late(self, timeout=None):
        assert timeout is not None
        raise TimeoutError

    def run(self, work, *words):
        if work is dask_worker.stop_all:
            self.answers.wait()
        return super().run(work, *words)


def test_workers_that_hang_keep_no_interrupted_run(tmp_path, monkeypatch):
    """Signals are ignored meanwhile: a node that its batch system suspended held it for ever."""
    monkeypatch.setattr(dask_executor, "_PARTING", 0.1)
    client = HungCluster()
    executor = dask_executor.DaskExecutor(client)
    tasks = [task().model_copy(update={"name": name}) for name in ("m", "n")]
    logs = {each.name: tmp_path / each.name for each in tasks}

    runs = threading.Thread(target=executor.run, args=(tasks, logs, Silent()), kwargs={"jobs": 1})
    runs.start()
    runs.join(LIMIT)
    hung = runs.is_alive()
    client.answers.set()
    runs.join()

    assert not hung
    assert executor.interrupted
