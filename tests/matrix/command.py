"""``python -m tests.matrix``: convert every case with paddle2onnx alone and with paddle2om.

python -m tests.matrix                            everything, at every opset
python -m tests.matrix 'activations.*' '*conv*'   cases by glob
python -m tests.matrix --family padding --opset 11 --only-ours -v
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

from tests.matrix import causes, page, running, table
from tests.matrix.case import OPSETS, SAMPLED_OPSETS
from tests.matrix.catalogue import cases

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "matrix"
PAGE = ROOT / "docs" / "reference" / "operators.md"


def main(argv: list[str] | None = None) -> int:
    """Run the matrix; 0 when nothing wrong was accepted, 1 when something was, 2 for bad flags."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.matrix", description=(__doc__ or "").partition("\n")[0]
    )
    add = parser.add_argument
    add("patterns", nargs="*", metavar="GLOB", help="case ids, as activations.* (default: all)")
    add("--family", action="append", default=[], help="only this family; may be repeated")
    add("--opset", action="append", type=int, default=[], help="only this opset; may be repeated")
    add("--only-ours", action="store_true", help="do not run paddle2onnx alone")
    add("--only-bare", action="store_true", help="do not run paddle2om")
    add("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="workers at a time")
    add("--build", type=Path, default=BUILD, help="where models and results go")
    add("--results", type=Path, help="where to write the results (default: below --build)")
    add("--compare", type=Path, metavar="OLD", help="show what changed since these results")
    add("--docs", action="store_true", help="write docs/reference/operators.md, of a whole run")
    add("--from-results", type=Path, help="run nothing; show, and --docs from, these results")
    add("--note", default="", help="a sentence for the page: which code its cells come from")
    add("--keep", action="store_true", help="keep the ONNX files, and the logs of paddle2om")
    add("--update", type=Path, metavar="OLD", help="put what ran into these results, and show all")
    add("--causes", type=Path, help="write what is not right, grouped by cause, as Markdown")
    add("--list", action="store_true", help="list the cases and end")
    add("-v", "--verbose", action="store_true", help="a line for every cell, not only the bad ones")
    options = parser.parse_args(argv)
    if options.from_results:
        results = running.Results.read(options.from_results)
        results.note = options.note or results.note
        return _report(results, options)
    warnings.simplefilter("ignore")
    chosen = cases(options.patterns, options.family)
    if not chosen:
        parser.error("no case matches")
    if options.list:
        for case in chosen:
            print(case.id, *(["sample"] if case.sample else []))
        return 0
    whole = not (options.patterns or options.family or options.opset)
    if options.docs and (not whole or options.only_ours or options.only_bare):
        parser.error("--docs wants a whole run: leave the filters out")
    opsets = tuple(options.opset) or tuple(sorted((*OPSETS, *SAMPLED_OPSETS)))
    name = "results.json" if whole else "filtered.json"
    target = options.results or options.update or options.build / name
    started = time.monotonic()
    results = running.Results(told_shapes=True, note=options.note)
    running.preload()
    jobs, build = options.jobs, options.build
    progress = table.Progress(sys.stderr)
    told = progress.stage("save", running.count_unsaved(chosen, build / "models"))
    saved, results.cases = running.save_all(chosen, build / "models", jobs=jobs, told=told)
    count = sum(opset in one.case.opsets for opset in opsets for one in saved)
    old = running.Results()
    if options.update and options.update.is_file():
        old = running.Results.read(options.update)

    def keep_so_far() -> None:
        """A run of hours may be ended from outside: what it found is on disk."""
        results.seconds = round(time.monotonic() - started, 1)
        results.over(old).write(target)

    for tool, convert, left_out in (
        ("bare", running.convert_bare, options.only_ours),
        ("ours", running.convert_ours, options.only_bare),
    ):
        if not left_out:
            told = progress.stage(tool, count)
            for cell in convert(
                saved, opsets, build / tool, jobs=jobs, keep=options.keep, told=told
            ):
                results.cells.append(cell)
                if len(results.cells) % 500 == 0:
                    keep_so_far()
            keep_so_far()
    progress.close()
    results = results.over(old)
    print(f"results: {target}", file=sys.stderr)
    return _report(results, options)


def _report(results: running.Results, options: argparse.Namespace) -> int:
    print(table.cells(results, verbose=options.verbose))
    print(table.summary(results))
    if options.causes:
        options.causes.write_text(causes.render(results), encoding="utf-8")
    if options.docs:
        PAGE.write_text(page.render(results), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}", file=sys.stderr)
    if options.compare:
        print(table.changes(running.Results.read(options.compare), results))
    return 1 if any(c.wrong_but_accepted for c in results.of("ours")) else 0
