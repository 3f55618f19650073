"""How much of the machine others used while we measured: a figure taken beside a busy neighbour says little.

All that we start descends from this process, and the times of children that ended are in their parents'
sums, so "ours" is the sum over the living tree."""
import os

TICKS = os.sysconf("SC_CLK_TCK")
IDLE_FIELDS = (3, 4)  # idle, iowait
STEAL_FIELD = 7


def _machine():
    """(all, busy, stolen) ticks of all CPUs."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(field) for field in file.readline().split()[1:9]]
    return sum(fields), sum(fields) - sum(fields[i] for i in IDLE_FIELDS), fields[STEAL_FIELD]


def _processes():
    """Parents, and ticks with those of children that ended, by process id."""
    parents, ticks = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked
        parents[int(name)] = int(fields[1])
        ticks[int(name)] = sum(int(field) for field in fields[11:15])
    return parents, ticks


def _below(root, parents):
    for pid in parents:
        at = pid
        while at in parents and at != root:
            at = parents[at]
        if at == root:
            yield pid


def descendants(root):
    """Process ids of a process and of all that descends from it."""
    return list(_below(root, _processes()[0]))


def tree(root):
    """Ticks of a process, its descendants, and their children that ended."""
    parents, ticks = _processes()
    return sum(ticks[pid] for pid in _below(root, parents))


class Load:
    """with Load() as load: ...; then load.others is the share of the machine that others used."""

    def __enter__(self):
        self.before = _machine(), tree(os.getpid())
        return self

    def __exit__(self, *_):
        (all_before, busy_before, stolen_before), ours_before = self.before
        (all_after, busy_after, stolen_after), ours_after = _machine(), tree(os.getpid())
        whole = max(1, all_after - all_before)
        busy = (busy_after - busy_before) - (ours_after - ours_before)
        self.others = min(1.0, max(0.0, busy / whole))
        self.stolen = (stolen_after - stolen_before) / whole
