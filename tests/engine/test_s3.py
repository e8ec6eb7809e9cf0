"""Builds through a real S3 server, with workers that have nothing else in common."""

import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from converter.engine.store import Store
from converter.errors import InputError
from converter.model.artefacts import sha256_of
from tests.command import ROOT, environment
from tests.engine.building import LIMIT, artefacts, build, finish
from tests.engine.dask_cluster import dask_cluster

BUCKET = "paddle2om-tests"
STORE = f"s3://{BUCKET}/zoo"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of an S3 server with one empty bucket."""
    log = tmp_path_factory.mktemp("s3") / "log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        process = subprocess.Popen(command, stdout=file, stderr=file)
    end = time.monotonic() + LIMIT
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)
    request(f"{found[0]}/{BUCKET}", "PUT")
    yield found[0]
    process.kill()
    process.wait()


def request(url, method="GET", data=None):
    asked = urllib.request.Request(url, method=method, data=data)
    asked.add_header("Content-Type", "application/octet-stream")
    asked.add_header("Authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/a")
    with urllib.request.urlopen(asked) as answer:
        return answer.read()


def names_in(server):
    text = request(f"{server}/{BUCKET}?list-type=2").decode()
    return re.findall(r"<Key>([^<]*)</Key>", text)


def damage(server, name):
    url = f"{server}/{BUCKET}/zoo/{name}"
    data = request(url)
    changed = bytes([data[0] ^ 1]) + data[1:]
    request(url, "PUT", changed)
    assert request(url) == changed


@pytest.fixture
def credentials(server, monkeypatch):
    """Those of this process, as people give them."""
    from s3fs import S3FileSystem

    given = {
        "AWS_ENDPOINT_URL": server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    return given


@pytest.mark.slow
def test_a_build_over_s3_and_one_that_finds_damage_there(
    server, credentials, tmp_path, tiny_pir, cls_model
):
    shutil.copytree(tiny_pir, tmp_path / "models" / "a")
    shutil.copytree(cls_model, tmp_path / "models" / "c")
    cut = tmp_path / "models" / "cut"
    shutil.copytree(tiny_pir, cut)
    weights = cut / "inference.pdiparams"
    weights.write_bytes(weights.read_bytes()[:300])
    (tmp_path / "zoo.yaml").write_text("schema: 1\nmodels: [{path: models/*}]\n")
    code, said = build(tmp_path, "local", "--no-cache")
    assert code == 2, said
    made = artefacts(tmp_path / "local")
    with dask_cluster(tmp_path, environment()) as (address, add):
        for name in ("one", "two"):
            add(home=tmp_path / name)
        flags = ("--scheduler", address, "--store", STORE)

        code, said = build(tmp_path, "out", "--cache", tmp_path / "cache", *flags)

        assert code == 2, said
        assert artefacts(tmp_path / "out") == made
        # The worker's own directory is nobody's business, in no line.
        assert f"{cut}/inference.pdiparams is cut short" in said
        assert str(tmp_path / "one") not in said
        assert str(tmp_path / "two") not in said
        names = names_in(server)
        assert {name.split("/")[1] for name in names} == {"objects", "entries"}
        assert not [name for name in names if not re.fullmatch("[0-9a-f]{64}", name[-64:])]

        # A model, a result and an entry change.
        weights = tmp_path / "models" / "c" / "inference.pdiparams"
        damage(server, f"objects/{sha256_of(weights)}")
        damage(server, f"objects/{made['a/inference.onnx']}")
        damage(server, next(name for name in names if "/entries/" in name).partition("/")[2])

        code, said = build(tmp_path, "mended", "--cache", tmp_path / "another", *flags)

        assert code == 2, said
        assert artefacts(tmp_path / "mended") == made
        report = json.loads((tmp_path / "mended" / "report.json").read_text())
        assert [m["name"] for m in report["models"] if m["status"] == "failed"] == ["cut"]


def test_no_bucket_is_made(server, credentials):
    """One that is named by mistake would be paid for."""
    with pytest.raises(InputError, match="bucket does not exist"):
        Store("s3://no-such-bucket/zoo").check()
    with pytest.raises(urllib.error.HTTPError, match="404"):
        request(f"{server}/no-such-bucket")


def test_an_object_is_written_at_once_and_what_others_wrote_is_seen(
    server, credentials, tmp_path, monkeypatch
):
    """S3 has no rename: a copy would be one more transfer, and a name that nobody removes."""
    (tmp_path / "w").write_bytes(b"12345")
    opened = Store(f"s3://{BUCKET}/seen")
    asked = []
    call = type(opened._fs)._call_s3
    monkeypatch.setattr(
        type(opened._fs),
        "_call_s3",
        lambda self, method, *words, **more: (
            asked.append((method, more.get("Key", ""))) or call(self, method, *words, **more)
        ),
    )
    opened.put("objects/x", tmp_path / "w")
    written = [name for method, name in asked if method.startswith(("put", "copy", "delete"))]
    assert written == ["seen/objects/x"]

    opened._fs.ls(f"{BUCKET}/seen/objects")  # remembered by s3fs
    request(f"{server}/{BUCKET}/seen/objects/x", "DELETE")
    opened.put("objects/x", tmp_path / "w")
    assert request(f"{server}/{BUCKET}/seen/objects/x") == b"12345"


def test_a_worker_without_credentials_is_told(server, credentials, tmp_path):
    """All that it has is the server's address."""
    program = (
        "import asyncio\nfrom converter.engine.dask_worker import what_it_is\n"
        f"print(asyncio.run(what_it_is('/out', {STORE!r}))['store'][0])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "AWS_ENDPOINT_URL": server,
            "AWS_EC2_METADATA_DISABLED": "true",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    code, said = finish(process)
    assert code == 0
    assert f"the store {STORE} cannot be used: Unable to locate credentials" in said
