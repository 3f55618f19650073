"""A throw-away cluster with the settings of the benchmark, reached by a Unix socket that only its user can enter."""
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from fixture.cluster import BIN
from fixture.process import USER, as_user, environment, run, write

from . import profile
from .load import TICKS, descendants, tree

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 400
shared_buffers = {buffers}
max_wal_size = 8GB
checkpoint_timeout = 30min
work_mem = 64MB
jit = off
autovacuum = off
fsync = on
synchronous_commit = on
log_line_prefix = '%m [%p] %q%u@%d '
shared_preload_libraries = '{preload}'
"""
AEGIS = """
aegis.region = 'UK'
aegis.environment = 'development'
aegis.key_provider = 'file:{folder}/keyring'
aegis.step_up_time = '1d'
"""


def place():
    """A new folder of the server's user on a real disk: /tmp may be memory, where a flush costs nothing."""
    import pwd
    path = tempfile.mkdtemp(prefix="aegis-bench-", dir=os.environ.get("AEGIS_BENCH_PLACE", "/var/tmp"))
    entry = pwd.getpwnam(USER)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    os.chmod(path, 0o700)
    return path


def run_with_children(command):
    """Runs a program that starts others: when we are interrupted, none of them may go on writing."""
    process = subprocess.Popen(as_user(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, cwd="/", env=environment(), start_new_session=True)
    try:
        said = process.communicate()[0]
    except BaseException:
        deadline = time.monotonic() + 5
        with contextlib.suppress(ProcessLookupError):  # raised once the last of them is gone
            while time.monotonic() < deadline:
                os.killpg(process.pid, signal.SIGKILL)
                process.poll()
                time.sleep(0.01)
        raise
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{said}")


class Cluster:
    database = "bench"

    def __init__(self, preload="aegis", extensions=("aegis",), extra="", buffers="512MB"):
        self.preload, self.extensions, self.extra, self.buffers = preload, extensions, extra, buffers
        self.folder = self.process = self.watched = None
        self.scripts = 0

    def __enter__(self):
        try:
            self.folder = place()
            self.data = os.path.join(self.folder, "data")
            self.log = os.path.join(self.folder, "log")
            self.make()
            self.start()
            self.watched = self.process.pid  # a restarted server is not looked into
            profile.servers.append(self.watched)
            profile.clusters.append(self)
            self.sql(f"CREATE DATABASE {self.database}", database="postgres")
            for name in self.extensions:
                self.sql(f"CREATE EXTENSION {name}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self in profile.clusters:
            profile.clusters.remove(self)
            profile.servers.remove(self.watched)
        try:
            self.stop()
        finally:
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)

    def make(self):
        run_with_children([f"{BIN}/initdb", "-D", self.data, "-U", "postgres", "--no-locale", "--encoding=UTF8", "--no-sync", "-A", "trust"])
        text = SETTINGS.format(folder=self.folder, preload=self.preload, buffers=self.buffers)
        if "aegis" in self.preload:
            write(os.path.join(self.folder, "keyring"), f"1:{7:064x}\n", 0o400)
            text += AEGIS.format(folder=self.folder)
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as file:
            file.write(text + self.extra)

    def command(self):
        return [f"{BIN}/postgres", "-D", self.data]

    def start(self):
        """The postmaster is our own child: its CPU counts as ours, and Ctrl-C does not reach it before us."""
        with open(self.log, "a", encoding="utf-8") as out:
            self.process = subprocess.Popen(as_user(self.command()), stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, cwd="/", env=environment(), start_new_session=True)
        deadline = time.monotonic() + 60
        ready = [f"{BIN}/pg_isready", "-q", "-h", self.folder]
        while subprocess.run(ready, env=environment(), check=False).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self.log, encoding="utf-8", errors="replace") as file:
                    raise RuntimeError(f"the server does not start:\n{file.read()[-2000:]}")
            time.sleep(0.05)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)  # fast shutdown
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)

    def sql(self, text, user="postgres", database=None):
        """Runs psql; its unaligned output."""
        done = subprocess.run(
            as_user([f"{BIN}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", user,
                     "-d", database or self.database]),
            input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), cwd="/", check=False)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr}\nin: {text[:1500]}")
        return done.stdout.strip()

    def timed(self, statement, user="postgres", before="", after="", repeat=3, warm=True):
        """Median milliseconds of a statement, as psql sees them; run once more before, to warm up."""
        first = f"{statement};\n" if warm else ""
        text = f"{before}\n\\o /dev/null\n{first}\\timing on\n" + f"{statement};\n" * repeat + f"\\timing off\n{after}\n"
        times = [float(found) for found in re.findall(r"^Time: ([0-9.]+) ms", self.sql(text, user), re.M)]
        if len(times) != repeat:
            raise RuntimeError(f"{repeat} times expected, got {times} of: {statement}")
        return statistics.median(times)

    def measured(self, statement, user="postgres", before="", after="", repeat=3):
        """As timed; with the servers' processor time for one, in microseconds, which has a resolution of 10 ms for all of them."""
        ticks = tree(self.process.pid)
        milliseconds = self.timed(statement, user, before, after, repeat)
        return {"figure": milliseconds, "server_us": (tree(self.process.pid) - ticks) * 1e6 / TICKS / (repeat + 1)}

    def wait_for_ends(self, known):
        """A backend outlives its client by a moment. Until the server has waited for it, its time is in nobody's sum."""
        deadline = time.monotonic() + 1  # workers of our own may have started meanwhile, and stay
        while set(descendants(self.process.pid)) - set(known) and time.monotonic() < deadline:
            time.sleep(0.002)

    def begin_psql(self, text=None, user="postgres"):
        """A psql that goes on while we do: with statements to read, or else with a pipe to write them to."""
        process = subprocess.Popen(as_user([f"{BIN}/psql", "-XqAt", "-h", self.folder, "-U", user, "-d", self.database]),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(), cwd="/")
        if text is not None:
            process.stdin.write(text)
            process.stdin.flush()
        return process

    @contextlib.contextmanager
    def session(self, user="postgres"):
        """A session that stays open: a function that sends it statements and returns when they are done."""
        process = self.begin_psql(user=user)

        def send(text):
            process.stdin.write(f"{text}\n\\echo done\n")
            process.stdin.flush()
            while process.stdout.readline() not in ("done\n", ""):
                pass
        try:
            yield send
        finally:
            process.stdin.close()
            process.wait(30)
            process.stdout.close()

    def pgbench(self, script, user="postgres", clients=1, seconds=0, transactions=20, variables=None, latencies=False, threads=None, rate=None):
        """Runs a script, for so many seconds or else so many times per client, as fast as it goes or at a rate; transactions per second, the server's processor
        time for one in microseconds, and with latencies also p50 and p99 in milliseconds."""
        self.scripts += 1
        path = os.path.join(self.folder, f"script{self.scripts}.sql")
        write(path, script)
        command = [f"{BIN}/pgbench", "-n", "-M", "prepared", "-h", self.folder, "-U", user, "-f", path, "-c", str(clients),
                   "-j", str(threads or min(clients, 2)), *(["-T", str(seconds)] if seconds else ["-t", str(transactions)])]
        for name, value in (variables or {}).items():
            command += ["-D", f"{name}={value}"]
        prefix = os.path.join(self.folder, f"latency{self.scripts}")
        if latencies:
            command += ["-l", f"--log-prefix={prefix}"]
        if rate:
            command += ["-R", str(rate)]
        known, before = descendants(self.process.pid), tree(self.process.pid)
        said = run([*command, self.database])
        self.wait_for_ends(known)
        ticks = tree(self.process.pid) - before
        tps = re.search(r"^tps = ([0-9.]+)", said, re.M)
        count = re.search(r"actually processed: (\d+)", said)
        if tps is None or count is None or re.search(r"aborted|failed transactions: [1-9]", said):
            raise RuntimeError(f"pgbench: {said}")
        figures = {"figure": float(tps.group(1)), "server_us": ticks * 1e6 / TICKS / max(1, int(count.group(1)))}
        if latencies:
            figures.update(percentiles(self.folder, os.path.basename(prefix)))
        return figures


def percentiles(folder, prefix):
    times = []
    for name in os.listdir(folder):
        if name.startswith(prefix + "."):
            path = os.path.join(folder, name)
            with open(path, encoding="ascii") as file:
                times += [int(line.split()[2]) for line in file]
            os.unlink(path)
    times.sort()
    return {"p50": times[len(times) // 2] / 1000, "p99": times[len(times) * 99 // 100] / 1000}
