"""The text of ``paddle2om inspect`` for an OM file."""

from __future__ import annotations

from collections.abc import Iterator

from converter.model.om_file import OmFile
from converter.model.om_inout import OmProfiles
from converter.model.om_types import OmTensor
from converter.report import format as fmt

#: More profiles than this are counted, not listed.
_MAX_LISTED = 100


def om_text(om: OmFile) -> str:
    """What an OM file says of itself, in lines for people."""
    return "\n".join(fmt.printable(line.replace("\n", " ")) for line in _lines(om))


def _lines(om: OmFile) -> Iterator[str]:
    header, build = om.header, om.build
    yield f"file        {om.file}: {fmt.size(om.file_bytes)}"
    yield f"model       {om.model_name or header.name or '(no name)'}"
    table = "24" if header.wide_table else "12"
    yield (
        f"format      OM, {header.model_type} model, version {header.version:#x}, "
        f"{table}-byte partition table, {fmt.count(header.model_num, 'model')}"
    )
    if header.is_emulated:
        yield "emulated    written by a simulator of atc: no device can run it"
    elif header.user_info:
        yield f"user info   {header.user_info}"
    yield f"chip        {build.soc_version or 'not recorded'}"
    versions = {"atc": build.atc_version, "opp": build.opp_version}
    told = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    source = f" from {build.framework}" if build.framework else ""
    yield f"built by    {told or 'not recorded'}{source}"
    host = " ".join(part for part in (build.host_os, build.host_cpu) if part)
    checked = "; loads only there" if header.need_check_os_cpu_info else ""
    if host or checked:
        yield f"host        {host or 'not recorded'}{checked}"
    if om.signature_from is None:
        yield "signature   not recorded"
    yield from (f"input       {_tensor(tensor)}" for tensor in om.inputs)
    yield from (f"output      {_tensor(tensor)}" for tensor in om.outputs)
    if om.profiles:
        yield from _profiles(om.profiles)
    yield from (f"out shape   {text}" for text in om.dynamic_output_shapes)
    yield from _resources(om)
    for partition in om.partitions:
        model = f"  model {partition.model + 1}" if header.model_num > 1 else ""
        size = fmt.size(partition.bytes)
        yield f"partition   {partition.name:22} {size:>8} at byte {partition.offset}{model}"
    if build.atc_cmdline:
        yield f"command     {build.atc_cmdline}"


def _tensor(tensor: OmTensor) -> str:
    size = f", {fmt.size(tensor.bytes)}" if tensor.bytes else ""
    image = f", image {fmt.shape(tensor.shape_v2)}" if tensor.shape_v2 else ""
    ranges = "".join(f" {low}~{'' if high < 0 else high}" for low, high in tensor.ranges)
    return f"{tensor} {tensor.format}{size}{image}{', range' + ranges if ranges else ''}"


def _profiles(profiles: OmProfiles) -> Iterator[str]:
    kind = {"batch": "batch size", "image": "height,width", "dims": "dynamic extents"}
    order = f" of {', '.join(profiles.order)}" if profiles.order else ""
    found = " (from the command line)" if profiles.source == "atc_cmdline" else ""
    count = fmt.count(len(profiles.values), "profile")
    yield f"profiles    {count}: {kind[profiles.kind]}{order}{found}"
    for values in profiles.values[:_MAX_LISTED]:
        yield f"  {','.join(map(str, values))}"
    if len(profiles.values) > _MAX_LISTED:
        yield f"  and {len(profiles.values) - _MAX_LISTED} more"


def _resources(om: OmFile) -> Iterator[str]:
    found = om.resources
    sizes = {"memory": found.memory_bytes, "weights": found.weight_bytes}
    counts = {"stream": found.streams, "event": found.events, "label": found.labels}
    parts = [f"{name} {fmt.size(max(n, 0))}" for name, n in sizes.items() if n is not None]
    parts += [fmt.count(n, name) for name, n in counts.items() if n is not None]
    if parts:
        yield f"on device   {', '.join(parts)}"
