"""MLX's collectives on muster, natively and by muster run --mlx, beside Open MPI 5 and MLX's ring, in turn in one run.

    scripts/setup mlx; bench/peers/install openmpi
    python3 bench/mlx_compare.py                        five rounds at 2 and at 4 ranks
    python3 bench/mlx_compare.py --rounds 1 --csv FILE  adds a round to those of FILE, and shows all of them

Prints Markdown: microseconds that mx.eval takes for one all_sum of float32, and for the decode loop of
bench/peers/mlx_rank.py, and tokens per second of mlx_lm. Each contender's processes begin anew in each round: where the
kernel puts their threads differs from one start to the next, and decides small operations. Beside busy processes, one for
each CPU by default, there are the decode loop and the tokens only.
"""

import argparse
import contextlib
import csv
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

import report
from contenders import OPEN_MPI_FLAGS, OPEN_MPI_SETTINGS, ROOT, number_in, run_job

RANK = ROOT / "bench" / "peers" / "mlx_rank.py"
PYTHON = ROOT / "build" / "mlx" / "bin" / "python"
OPEN_MPI = ROOT / "build" / "peers" / "openmpi"
SIZES = [4, 16 << 10, 256 << 10, 1 << 20, 4 << 20, 64 << 20]
LIMIT_S = 60
BUSY = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    for _ in range(10 ** 6):\n        pass"
RING_SLOWER = 20  # where ranks outnumber CPUs it takes 20 ms for each operation, so it gets fewer calls there
NATIVE, BOUND, ARENA = "muster.mlx", "the same, --bind core", "muster.mlx, --arena-malloc"
STAND_IN, MPI, RING = "muster run --mlx", "Open MPI", "ring"


def program(backend, arguments, fewer=1):
    return [PYTHON, RANK, backend, arguments.calls / fewer, *arguments.sizes]


def muster(arguments, *options):
    return [arguments.muster / "bin" / "muster", "run", "--prefix", "none", *options]


def run(command, **settings):
    """What it printed. Environment variables are added to those that are there. TimeoutExpired: nothing of it is left."""
    status, said, errors = run_job(command, {**os.environ, "OMP_NUM_THREADS": "1", **settings}, LIMIT_S)
    if status:
        sys.exit(f"{command[0]} ended with {status}: {errors}")
    return said


# ---- the contenders: each is a function of the number of ranks and the arguments ----

def native(ranks, arguments, *options):
    return run([*muster(arguments, "-n", ranks, *options), "--", *program("muster", arguments)],
               PYTHONPATH=str(arguments.muster / "bindings" / "python"))


def bound(ranks, arguments):
    return native(ranks, arguments, "--bind", "core")


def in_arena(ranks, arguments):
    return native(ranks, arguments, "--arena-malloc")


def stand_in(ranks, arguments):
    return run([*muster(arguments, "--mlx", "-n", ranks), "--", *program("mpi", arguments)])


def open_mpi(ranks, arguments):
    return run([OPEN_MPI / "bin" / "mpiexec", *OPEN_MPI_FLAGS, "-n", ranks, *program("mpi", arguments)],
               **OPEN_MPI_SETTINGS, MLX_MPI_LIBNAME=str(OPEN_MPI / "lib" / "libmpi.so.40"))


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def ring(ranks, arguments):
    """Started by hand: mlx.launch ends with 0 whatever happens, and its threads take a CPU."""
    with tempfile.TemporaryDirectory() as work:
        hosts, output = pathlib.Path(work, "hosts"), pathlib.Path(work, "output")
        hosts.write_text(json.dumps([[f"127.0.0.1:{port}"] for port in free_ports(ranks)]))
        fewer = RING_SLOWER if ranks > report.CPUS else 1
        command = [str(word) for word in program("ring", arguments, fewer)]
        with output.open("w") as out:
            started = [subprocess.Popen(command, stdout=out, env={
                **os.environ, "OMP_NUM_THREADS": "1", "MLX_HOSTFILE": str(hosts), "MLX_RANK": str(rank)})
                for rank in range(ranks)]
            try:
                if any([process.wait(LIMIT_S) for process in started]):
                    sys.exit("a rank of ring has failed")
            except subprocess.TimeoutExpired:
                print(f"ring with {ranks} ranks did not end in {LIMIT_S} s: what it had done by then counts",
                      file=sys.stderr)
            finally:
                for process in started:
                    process.kill()
                for process in started:
                    process.wait()
        return output.read_text()


CONTENDERS = {NATIVE: native, BOUND: bound, ARENA: in_arena, STAND_IN: stand_in, MPI: open_mpi, RING: ring}


def available(wanted):
    if MPI not in wanted or (OPEN_MPI / "lib" / "libmpi.so.40").exists():
        return wanted
    print("Open MPI is left out: not installed; see bench/peers/install", file=sys.stderr)
    return [name for name in wanted if name != MPI]


@contextlib.contextmanager
def busy_processes(count):
    """So many on each CPU, which end with this process."""
    started = [subprocess.Popen([sys.executable, "-c", BUSY, str(os.getpid())])
               for _ in range(count) for _ in range(report.CPUS)]
    try:
        for i, process in enumerate(started):
            os.sched_setaffinity(process.pid, {sorted(os.sched_getaffinity(0))[i % report.CPUS]})
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def rows_of(name, ranks, neighbours, arguments):
    what = argparse.Namespace(**{**vars(arguments), "sizes": [] if neighbours else arguments.sizes})
    place = f", beside {neighbours} busy process{'es' if neighbours > 1 else ''} per CPU" if neighbours else ""
    with busy_processes(neighbours):
        try:
            said = CONTENDERS[name](ranks, what)
        except subprocess.TimeoutExpired:
            print(f"{name} with {ranks} ranks{place} did not end in {LIMIT_S} s, and is left out of this round",
                  file=sys.stderr)
            return
    for line in said.splitlines():
        operation, size, median, mean = line.split()
        yield {"contender": name, "ranks": ranks, "operation": operation, "bytes": int(size), "place": place,
               "median_us": float(median), "mean_us": float(mean)}


# ---- the table ----

def read_csv(path):
    with open(path, newline="") as rows:
        return [{**row, "ranks": int(row["ranks"]), "bytes": int(row["bytes"]), "median_us": float(row["median_us"]),
                 "mean_us": float(row["mean_us"])} for row in csv.DictReader(rows)]


def ratios(times):
    """Times of the peers, also where a table shows how many in a second: Open MPI's and ring's divided by that of muster's
    slower group, neither bound nor in the arena, and Open MPI's by that in the arena."""
    medians = {name: statistics.median(times[name]) for name in times}
    ours = max(medians.get(NATIVE, 0), medians.get(STAND_IN, 0))
    return (report.ratio(medians.get(MPI), ours), report.ratio(medians.get(RING), ours),
            report.ratio(medians.get(MPI), medians.get(ARENA, 0)))


def per_second(times):
    return report.spread([1e6 / time for time in times])


def print_tables(rows):
    for (ranks, operation, place), sizes in sorted(report.summarise(rows).items(), key=lambda cell: cell[0]):
        names = [name for name in CONTENDERS if any(name in times for times in sizes.values())]
        unit, show = ("per second", per_second) if operation == "tokens" else ("µs", report.spread)
        print(f"\n### MLX, {operation}, {ranks} ranks{place} ({unit}, {report.figure(ranks).split('_')[0]}s; median of "
              f"rounds, least–most)\n\n| bytes | {' | '.join(names)} | Open MPI ÷ muster | ring ÷ muster | Open MPI ÷ in the arena |")
        print("|---" * (len(names) + 4) + "|")
        for size, times in sorted(sizes.items()):
            cells = [show(times[name]) if name in times else "–" for name in names]
            print(f"| {report.human(size)} | {' | '.join([*cells, *ratios(times)])} |")


def versions(names, arguments):
    said = [number_in(run([arguments.muster / "bin" / "muster", "--version"])),
            number_in(run([PYTHON, "-c", "import mlx.core; print(mlx.core.__version__)"]))]
    if MPI in names:
        said.append(number_in(run([OPEN_MPI / "bin" / "mpiexec", "--version"], **OPEN_MPI_SETTINGS)))
    return ", ".join(f"{name} {version}" for name, version in zip(("muster", "MLX", "Open MPI"), said))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ranks", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS), metavar="CONTENDER",
                        help=", ".join(CONTENDERS))
    parser.add_argument("--neighbours", type=int, nargs="+", default=[0, 1], help="busy processes for each CPU")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="bytes")
    parser.add_argument("--calls", type=float, default=1, help="this times the usual number of calls")
    parser.add_argument("--csv", type=pathlib.Path, help="where all rounds are kept; those that are there count, too")
    parser.add_argument("--muster", type=pathlib.Path, default=ROOT / "build" / "release", help="a build")
    arguments = parser.parse_args()
    arguments.muster = arguments.muster.resolve()
    if not PYTHON.exists() or shutil.which("c++") is None:
        sys.exit("bench/mlx_compare.py needs MLX in build/mlx (scripts/setup mlx) and a C++ compiler")
    return arguments


def main():
    arguments = parse()
    names = available([name for name in CONTENDERS if name in arguments.only])
    rows = read_csv(arguments.csv) if arguments.csv and arguments.csv.exists() else []
    for number in range(arguments.rounds):
        for ranks in arguments.ranks:
            for neighbours in arguments.neighbours:
                for name in names[number % len(names):] + names[:number % len(names)]:
                    rows += rows_of(name, ranks, neighbours, arguments)
        if arguments.csv:
            report.write_csv(rows, arguments.csv)
    print(f"{report.machine()}; {versions(names, arguments)}")
    print_tables(rows)


if __name__ == "__main__":
    main()
