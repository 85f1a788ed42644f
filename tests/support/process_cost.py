"""Memory and processor time of a process, from the kernel's books."""

import os
import time
from pathlib import Path

PROC = Path("/proc")
UNREADABLE = not PROC.is_dir() and "what a process costs is read from /proc, which this system does not have"
"""Why no cost can be read here; False where it can."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Cost:
    def __init__(self, pid: int) -> None:
        self._folder = PROC / str(pid)

    def resident_kib(self, *, peak: bool = False) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        name = "VmHWM:" if peak else "VmRSS:"
        return int(next(line.split()[1] for line in lines if line.startswith(name)))

    def forget_peak(self) -> None:
        (self._folder / "clear_refs").write_text("5")

    def cpu_s(self) -> float:
        fields = (self._folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def busy_share(self, over_s: float) -> float:
        """Part of one processor that it uses now; waits `over_s`."""
        before, begun = self.cpu_s(), time.monotonic()
        time.sleep(over_s)
        return (self.cpu_s() - before) / (time.monotonic() - begun)
