"""The commands that README and docs/ show are run, page by page, as a reader would type them.

Those that need what is not here (a chip, another host, minutes) are in ``NOT_RUN`` with the reason;
``test_docs.py`` parses them all the same. A command that is not of ours is left to its own tests.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.command import paddle2om
from tests.docs.test_docs import DOCS, PAGES, ROOT, commands_in

pytestmark = pytest.mark.slow

#: A pattern of command lines -> why they cannot be run here.
NOT_RUN = {
    r"--on (ssh|container):": "needs a host or a container with atc (tests/atc runs both)",
    r"compile --import": "needs a bundle that came back from such a host (tests/atc)",
    r"--scheduler tcp:": "needs a cluster (tests/engine/test_dask.py starts one)",
    r"device kit|--device": "needs a chip's results (tests/cli/test_device_command.py)",
    r"my_model|my_pipeline|validate A B": "stands for a file of the reader's",
    r"other/bin/python": "stands for another environment",
    r"paddlex-3\.5\.0-py3": "needs a wheel from the network",
    r"^forecast ": "takes minutes on the model shown (tests/cli/test_forecast_command.py)",
    r"operators\.cfg": "stands for a list of the reader's",
    r"rehearse|check OCR": "needs a page and PaddleX for half a minute (tests/paddlex_runs)",
    r"PP-StructureV3|_server_|--timeout 3600": "needs models of gigabytes",
    r"cases results": "needs results from a chip",
    r"--moved": "stands for a directory of the reader's (tests/cli/test_reproduce_command.py)",
    r"--model tiny": "stands for a model of the reader's",
    r"build/demo": "needs `make demo`, which CI's user runs",
    r"cache gc": "removes results of other tests",
}

#: Commands (their end is `` --`` and a new line) that are shown because they fail, or that fail
#: without atc.
FAILS = {
    "--soc auto --\n": 2,
    "--soc Ascend310P --\n": 2,
    "cls -o out --soc Ascend310P3 --\n": 2,  # needs a shape
    "compile out/PP-OCRv5_mobile_rec --soc Ascend310P3 --shape": 2,
    "compile out/PP-OCRv5_mobile_rec --soc Ascend910B4": 2,
    "--backend om": 2,  # there is no OM file
    "--atol 0 --rtol 0": 3,
}


def reason_not_to_run(line: str) -> str:
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, line)), "")


def expected(line: str) -> int:
    return next((code for words, code in FAILS.items() if words in f"{line} --\n"), 0)


def ours(page: Path) -> list[str]:
    """The arguments of every paddle2om command of a page, each once in a row."""
    lines = [line.partition("#")[0].strip() for line in commands_in(page)]
    return [line.removeprefix("paddle2om ") for line in lines if line.startswith("paddle2om ")]


RUN = [page for page in PAGES if any(not reason_not_to_run(line) for line in ours(page))]


@pytest.fixture(scope="module")
def place(tmp_path_factory, real_models):
    """A directory as the pages assume it: fixtures, models, and what earlier pages made of them."""
    root = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "fixtures" / "tiny_pir", root / "fixtures" / "tiny_pir")
    name = "ch_ppocr_mobile_v2.0_cls"
    shutil.copytree(ROOT / "fixtures" / name, root / "fixtures" / name)
    for name in ("PP-OCRv5_mobile_det", "PP-OCRv5_mobile_rec"):
        shutil.copytree(real_models[name], root / "models" / name)
    run = Runner(root)
    both = "models/PP-OCRv5_mobile_det models/PP-OCRv5_mobile_rec"
    for line in (
        "recipe init fixtures -o zoo.yaml",
        "convert models/PP-OCRv5_mobile_rec -o out",
        f"convert {both} -o zoo",
    ):
        ran = run(line)
        assert ran.returncode == 0, ran.stderr
        run.done.add(line)
    return run


class Runner:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.done: set[str] = set()  # by the pages so far

    def __call__(self, line: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line)
        cut = next((i for i, word in enumerate(words) if word in {">", "2>", "|", "&&"}), None)
        arguments = [
            str(found)
            for word in words[:cut]
            for found in (sorted(self.root.glob(word)) if word.endswith("/*") else [word])
        ]
        return paddle2om(
            *arguments, cwd=self.root, limit=None, PADDLE2OM_CACHE=str(self.root / "user")
        )


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page_do_what_it_says(page, place):
    lines = [line for line in dict.fromkeys(ours(page)) if not reason_not_to_run(line)]
    for line in lines:
        if line in place.done:  # what it made is there still
            continue
        place.done.add(line)
        if "part1 --shard 1/4" in line:  # the other machines
            for part in "234":
                other = line.replace("part1", f"part{part}").replace("1/4", f"{part}/4")
                assert place(other).returncode == 0
        ran = place(line)
        assert ran.returncode == expected(line), f"{line}\n{ran.stderr}"
        assert "Traceback" not in ran.stderr, line


def test_every_reason_and_every_failure_is_of_a_command():
    lines = [line for page in PAGES for line in ours(page)]
    unused = [pattern for pattern in NOT_RUN if not any(re.search(pattern, n) for n in lines)]
    assert not unused
    assert not [words for words in FAILS if not any(words in f"{line} --\n" for line in lines)]
    assert DOCS.is_dir()
    assert len([line for line in lines if not reason_not_to_run(line)]) >= 30
