"""Whether priorities count between the servers' processes. Services of systemd and containers share a control group, where they do;
outside of one, Linux gives every session a group of its own, where they do not (sched(7), autogroup), and each session of
PostgreSQL is one."""
import contextlib
import os

AUTOGROUP = "/proc/sys/kernel/sched_autogroup_enabled"
GROUPS = "/sys/fs/cgroup/cpu"    # version 1; with version 2, systemd has groups already


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def outside():
    """Whether this process is in no group but in those that Linux makes by session."""
    try:
        if read(AUTOGROUP).strip() != "1":
            return False
        paths = [line.split(":", 2) for line in read("/proc/self/cgroup").splitlines()]
    except OSError:
        return False
    return all(path == "/" for _, controllers, path in paths if controllers == "" or "cpu" in controllers.split(","))


@contextlib.contextmanager
def as_services():
    """Puts this process and what it starts into one group, as services are; yields what holds then."""
    if not outside():
        yield "priorities count between all processes"
        return
    group = os.path.join(GROUPS, f"aegis-bench-{os.getpid()}")
    try:
        os.mkdir(group)
    except OSError:
        yield "priorities do not count between sessions (autogroup), so that hashes do not give way"
        return
    try:
        with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        yield "clients and servers share a control group, as services of systemd do"
    finally:
        with open(os.path.join(GROUPS, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        with contextlib.suppress(OSError):  # when something in it has not ended yet
            os.rmdir(group)
