"""The contenders of bench/compare: how each is found, built, started, and asked for its version."""
import importlib.metadata
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "compare"
SOURCES = ROOT / "bench" / "peers"
CPUS = os.cpu_count() or 1
LIMIT_S = 600
TRIAL_LIMIT_S = 60


class LeftOut(Exception):
    """Why a peer is not measured: a sentence."""


def fail(text):
    sys.exit(f"bench/compare: {text}")


def words(command):
    return [str(word) for word in command]


def run_job(command, environment, limit_s):
    """(exit status, stdout, stderr). Nothing of the job is there afterwards, whatever ends the waiting."""
    with subprocess.Popen(words(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=environment, start_new_session=True) as job:
        try:
            out, err = job.communicate(timeout=limit_s)
        except BaseException:
            job.terminate()  # a launcher ends its ranks, which may be in sessions of their own
            try:
                job.wait(5)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(job.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            raise
    return job.returncode, out, err


def output_of(command, refused=fail):
    done = subprocess.run(words(command), capture_output=True, text=True)
    if done.returncode:
        refused(f"{' '.join(words(command))} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def left_out(text):
    """With a command's first line, and the first of its own lines that tells of an error."""
    first, *more = text.splitlines()
    raise LeftOut(": ".join([first, *[line.strip() for line in more if "error" in line.lower()][:1]]))


def last_line(said):
    return next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "it said nothing")


class Contender:
    """launch: what stands before the program for a number of ranks. spins: whether it spins, or sleeps at once, while
    another rank needs its CPU, which costs milliseconds for each operation. ranks_max: no more ranks than that.
    kind: "peer", "muster", or "bare" (a loop that nobody would use)."""

    def __init__(self, name, version, program, launch, environment=None, spins=False, ranks_max=None, kind="peer"):
        self.name, self.version, self.program, self.launch = name, version, words(program), launch
        self.environment, self.spins, self.ranks_max, self.kind = environment or {}, spins, ranks_max, kind

    @property
    def title(self):
        return f"{self.name} {self.version}".strip()

    def largest_for(self, ranks, largest):
        """The largest size that it is given with this many ranks, 0 for none."""
        if self.ranks_max and ranks > self.ranks_max:
            return 0
        if self.spins and ranks > CPUS:
            return min(largest, 65536) if ranks <= 8 else 0
        return largest

    def job(self, ranks, operations, sizes, seconds, limit_s=LIMIT_S):
        """(exit status, stdout, stderr, command)"""
        with tempfile.TemporaryDirectory() as store:
            environment = {**os.environ, **self.environment, "BENCH_STORE": store}
            command = [*self.launch(ranks), *self.program, ",".join(operations), *sizes, seconds]
            return *run_job(command, environment, limit_s), command

    def measure(self, ranks, operations, sizes, seconds):
        """[(operation, bytes, median, p99, mean, wrong)] of those that it has; LeftOut when it fails, or is wrong."""
        try:
            status, out, err, command = self.job(ranks, operations, sizes, seconds)
        except subprocess.TimeoutExpired as late:
            raise LeftOut(f"it took more than {late.timeout:.0f} s") from None
        if status == 2:
            return []
        if status:
            raise LeftOut(f"{' '.join(words(command))} ended with {status}: {last_line(err or out)}")
        rows = [line.split() for line in out.splitlines() if line.split(" ")[0] in operations]
        measured = [(r[0], int(r[1]), *map(float, r[2:6])) for r in rows]
        for operation, size, *_, wrong in measured:
            if wrong:
                raise LeftOut(f"{operation} of {size} bytes is wrong in {wrong:.0f} elements")
        return measured

    def try_out(self):
        """One barrier, so that a peer that does not run on this machine costs its column and not the run."""
        try:
            status, out, err, command = self.job(2, ["barrier"], (4, 4, 4), 0.001, TRIAL_LIMIT_S)
        except subprocess.TimeoutExpired as late:
            raise LeftOut(f"a barrier of 2 ranks took more than {late.timeout:.0f} s") from None
        if status or not any(line.startswith("barrier ") for line in out.splitlines()):
            raise LeftOut(f"{' '.join(words(command))} ended with {status}: {last_line(err or out)}")


# ---- building ----

def compile_peer(compiler, sources, output, *flags, refused=left_out):
    output_of([compiler, "-O2", *sources, "-o", output, f"-I{SOURCES}", *flags], refused)
    return output


def number_in(text):
    """The first version number in what a program said."""
    found = re.search(r"\d+(\.\d+)+\S*", text)
    return found.group().rstrip(",") if found else "of an unknown version"


def build_muster(folder):
    unneeded = [f"-DMUSTER_BUILD_{what}=OFF" for what in ("TESTS", "EXAMPLES", "PYTHON", "MLX")]
    output_of(["cmake", "-S", ROOT, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", *unneeded])
    output_of(["cmake", "--build", folder, "-j", CPUS])


def commit():
    """ (abc1234), or nothing where this is no clone."""
    done = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty", "--exclude=*"], capture_output=True,
                          text=True) if shutil.which("git") else None
    return f" ({done.stdout.strip()})" if done and done.returncode == 0 else ""


class Workshop:
    """What the contenders are made of: a build of muster, the loop, and the folder of the virtual environments."""

    def __init__(self, muster, environments):
        BUILD.mkdir(parents=True, exist_ok=True)
        self.muster, self.environments = muster, environments
        if not muster:
            self.muster = BUILD / "muster"
            build_muster(self.muster)
        self.loop = BUILD / "loop.o"
        output_of(["cc", "-O2", "-std=c11", "-c", SOURCES / "loop.c", "-o", self.loop])
        self.ping = compile_peer("cc", [SOURCES / "ping.c"], BUILD / "ping", refused=fail)

    def linked(self):
        return [f"-I{ROOT}/include", f"{self.muster}/libmuster.so", f"-Wl,-rpath,{self.muster}"]

    def command(self):
        return self.muster / "bin" / "muster"

    def run(self, ranks):
        return [self.command(), "run", "-n", ranks, "--prefix", "none", "--"]

    def version(self, package):
        """Of a package in its virtual environment, by what pip wrote there."""
        folders = [str(p) for p in (self.environments / package).glob("lib/python*/site-packages")]
        for found in importlib.metadata.distributions(path=folders):
            if found.metadata["Name"].replace("_", "-").lower() == package:
                return found.version
        return None


# ---- the contenders ----

def muster(shop):
    program = compile_peer("cc", [SOURCES / "collectives.c", shop.loop], BUILD / "peer_muster", *shop.linked(),
                           refused=fail)
    version = number_in(output_of([shop.command(), "--version"])) + commit()
    return [Contender("muster", version, [program], shop.run, kind="muster"),
            Contender("muster arena", version, [program], shop.run, {"BENCH_ARENA": "1"}, kind="muster")]


def bare(shop, name="bare loop", environment=None):
    """The algorithms of muster and nothing else: what this CPU allows."""
    flags = ["-std=c11", "-O3", "-march=native", "-fno-tree-loop-distribute-patterns"]  # a loop is to stay one
    program = compile_peer("cc", [*flags, SOURCES / "bare.c", shop.loop], BUILD / "bare")
    return Contender(name, "", [program], lambda ranks: [], environment, spins=True, ranks_max=2, kind="bare")


def bare_read(shop):
    return bare(shop, "bare read", {"BENCH_READV": "1"})


def build_mpi(shop, package, debian):
    """(program, launcher): with the package of PyPI, else with Debian's."""
    folder, program = shop.environments / package, BUILD / f"peer_{package}"
    sources = [SOURCES / "mpi.c", shop.loop]
    if (folder / "include" / "mpi.h").exists():
        compile_peer("cc", sources, program, f"-I{folder}/include", f"-L{folder}/lib", f"-Wl,-rpath,{folder}/lib",
                     "-lmpi")
        return program, folder / "bin" / "mpiexec"
    if not debian or not shutil.which(f"mpicc.{debian}"):
        raise LeftOut("not installed; see scripts/setup bench")
    return compile_peer(f"mpicc.{debian}", sources, program), f"mpirun.{debian}"


def mpi(shop, name, package, debian, flags=(), environment=None, spins=False):
    program, launcher = build_mpi(shop, package, debian)
    version = number_in(output_of([program, "--version"], left_out))
    return Contender(name, version, [program], lambda n: [launcher, *flags, "-n", n], environment, spins)


# The transport through shared memory was "vader" before Open MPI 5, which still takes that name for "sm".
OPEN_MPI_FLAGS = ["--oversubscribe", "--bind-to", "none", "--mca", "btl", "self,vader", "--mca", "pml", "ob1"]
OPEN_MPI_SETTINGS = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def open_mpi(shop):
    return mpi(shop, "Open MPI", "openmpi", "openmpi", OPEN_MPI_FLAGS, OPEN_MPI_SETTINGS)


def mpich(shop):
    return mpi(shop, "MPICH", "mpich", "mpich", spins=True)


def intel_settings(folder):
    return {"I_MPI_ROOT": str(folder), "I_MPI_FABRICS": "shm", "I_MPI_PIN": "0", "I_MPI_HYDRA_BOOTSTRAP": "fork"}


def intel_mpi(shop):
    return mpi(shop, "Intel MPI", "impi", None, [], intel_settings(shop.environments / "impi"))


def oneccl(shop):
    folder, program = shop.environments / "oneccl", BUILD / "peer_oneccl"
    if not (folder / "include" / "oneapi" / "ccl.hpp").exists():
        raise LeftOut("not installed; see scripts/setup bench")
    compile_peer("c++", [SOURCES / "oneccl.cc", shop.loop], program, f"-I{folder}/include", f"-L{folder}/lib",
                 f"-Wl,-rpath,{folder}/lib", "-lccl")
    version = number_in(output_of([program, "--version"], left_out))
    # Over MPI, as its own transport takes milliseconds, and without a thread beside each rank, which takes its CPU.
    return Contender("oneCCL", version, [program], lambda n: [folder / "bin" / "mpiexec", "-n", n],
                     {**intel_settings(folder), "LD_LIBRARY_PATH": str(folder / "lib"), "CCL_ATL_TRANSPORT": "mpi",
                      "CCL_WORKER_OFFLOAD": "0"}, spins=True)


def gloo(shop):
    if not pathlib.Path("/usr/include/gloo/allreduce.h").exists():
        raise LeftOut("not installed; Debian's libgloo-dev has it, see scripts/setup bench")
    program = compile_peer("c++", [SOURCES / "gloo.cc", shop.loop], BUILD / "peer_gloo", "-lgloo", "-pthread")
    version = output_of(["dpkg-query", "-W", "-f", "${Version}", "libgloo-dev"], left_out)
    return Contender("Gloo", version, [program], shop.run, spins=True)


def torch_gloo(shop):
    python = shop.environments.parent / "torch" / "bin" / "python"
    if not python.exists():
        raise LeftOut("not installed; scripts/setup torch installs PyTorch")
    version = output_of([python, "-c", "import torch; print(torch.__version__)"], left_out).strip()
    return Contender("PyTorch Gloo", version, [python, SOURCES / "torch_gloo.py"], shop.run, spins=True, ranks_max=2)


OTHERS = {"bare loop": bare, "bare read": bare_read, "Open MPI": open_mpi, "MPICH": mpich, "Intel MPI": intel_mpi,
          "oneCCL": oneccl, "Gloo": gloo, "PyTorch Gloo": torch_gloo}


def gather(shop):
    """(contenders, [why each missing one is left out])"""
    found, reasons = muster(shop), []
    for name, make in OTHERS.items():
        try:
            peer = make(shop)
            peer.try_out()
            found.append(peer)
        except LeftOut as reason:
            reasons.append(f"{name} is left out: {reason}")
    return found, reasons
