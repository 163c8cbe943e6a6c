"""Where something was measured: processor, instruction sets, cores, memory."""

import os
import platform
from pathlib import Path

from msgspec import Struct

GIB = 2**30

TOLD_APART = (
    "sse4_2 avx f16c fma avx2 avx_vnni avx512f avx512bw avx512vl avx512_vnni avx512_bf16 avx512_fp16 "
    "amx_tile amx_int8 amx_bf16 asimd asimddp asimdhp i8mm bf16 sve sve2"
).split()
"""Flags of /proc/cpuinfo that numpy, FAISS, ONNX Runtime and torch choose their code by (x86 and ARM). Two
processors that differ in them can be several times apart in what 8 or 16 bits save."""


class Machine(Struct, frozen=True):
    """Where it was measured."""

    cpu: str
    instruction_sets: tuple[str, ...]  # of `TOLD_APART`; empty where the system does not list them
    cores: int  # that this process may use
    memory_gib: float
    python: str
    system: str
    load_before: float  # processes that wanted a core in the minute before; figures suffer from others

    @property
    def processor(self) -> str:
        """The processor and its instruction sets, as they stand beside every figure."""
        return f"{self.cpu} ({' '.join(self.instruction_sets) or 'instruction sets not known'})"


def this_machine() -> Machine:
    """The machine that this process runs on."""
    cpu, instruction_sets = described_processor(_cpuinfo())
    return Machine(
        cpu=cpu or platform.processor() or platform.machine(),
        instruction_sets=instruction_sets,
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB, 1),
        python=platform.python_version(),
        system=platform.system(),
        load_before=round(os.getloadavg()[0], 2),
    )


def described_processor(cpuinfo: str) -> tuple[str | None, tuple[str, ...]]:
    """Name and instruction sets from the text of /proc/cpuinfo.

    Family and model are part of the name: a virtual machine often calls its processor only by its maker.
    """
    fields: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    flags = set((fields.get("flags") or fields.get("features") or "").split())
    model = fields.get("model name")
    if model and {"cpu family", "model"} <= fields.keys():
        model += f", family {fields['cpu family']} model {fields['model']}"
    return model, tuple(flag for flag in TOLD_APART if flag in flags)


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
