"""Runs the contenders of bench/compare in rounds, and writes the table, the CSV and the plots."""
import argparse
import csv
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "compare"
PEERS = ROOT / "bench" / "peers"
SLOW_NS = 130  # a line that takes longer comes from another die or socket
LIMIT_S = 600
SCALING = (4, 8, 16, 32, 64)


def fail(text):
    sys.exit(f"bench/compare: {text}")


def run(command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    if done.returncode:
        fail(f"{' '.join(str(c) for c in command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


# ---- contenders ----

class Contender:
    def __init__(self, name, program, launch, environment=None):
        self.name, self.program, self.launch = name, program, launch
        self.environment = environment or {}

    def measure(self, ranks, collective, sizes, seconds):
        """[(bytes, median, p99, mean, wrong)], or [] where the contender has no such collective."""
        with tempfile.TemporaryDirectory() as store:
            environment = {**os.environ, **self.environment, "BENCH_GLOO_STORE": store}
            command = [*self.launch(ranks), self.program, collective, *sizes, seconds]
            done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment,
                                  timeout=LIMIT_S, stdin=subprocess.DEVNULL)
        if done.returncode == 2:
            return []
        if done.returncode:
            fail(f"{self.name}: {' '.join(str(c) for c in command)} ended with {done.returncode}\n{done.stderr}")
        rows = [line.split() for line in done.stdout.splitlines() if line.startswith(collective + " ")]
        return [(int(r[1]), *map(float, r[2:6])) for r in rows]


def compile_peer(compiler, sources, output, *flags):
    if not shutil.which(compiler):
        return None
    run([compiler, "-O2", *sources, "-o", output, *flags])
    return output


def loop_object():
    run(["cc", "-O2", "-std=c11", "-c", PEERS / "loop.c", "-o", BUILD / "loop.o"])
    return BUILD / "loop.o"


def build_muster():
    run(["cmake", "-S", ROOT, "-B", BUILD / "muster", "-DCMAKE_BUILD_TYPE=Release", "-DMUSTER_BUILD_TESTS=OFF"])
    run(["cmake", "--build", BUILD / "muster", "-j", str(os.cpu_count())])


def contenders():
    BUILD.mkdir(parents=True, exist_ok=True)
    build_muster()
    loop = loop_object()
    library = BUILD / "muster"
    muster_run = lambda n: [library / "bin" / "muster", "run", "-n", n, "--prefix", "none", "--"]
    ours = compile_peer("cc", [PEERS / "collectives.c", loop], BUILD / "peer_muster", f"-I{ROOT}/include",
                        f"-I{PEERS}", f"{library}/libmuster.so", f"-Wl,-rpath,{library}")
    compile_peer("cc", [PEERS / "ping.c"], BUILD / "ping")
    found = [Contender("muster", ours, muster_run),
             Contender("muster arena", ours, muster_run, {"BENCH_ARENA": "1"})]
    openmpi = compile_peer("mpicc.openmpi", [PEERS / "mpi.c", loop], BUILD / "peer_openmpi", f"-I{PEERS}")
    if openmpi:
        allow = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        found.append(Contender("Open MPI", openmpi, lambda n: [
            "mpirun.openmpi", "--oversubscribe", "--bind-to", "none", "--mca", "btl", "self,vader",
            "--mca", "pml", "ob1", "-n", n], allow))
    mpich = compile_peer("mpicc.mpich", [PEERS / "mpi.c", loop], BUILD / "peer_mpich", f"-I{PEERS}")
    if mpich:
        found.append(Contender("MPICH", mpich, lambda n: ["mpirun.mpich", "-n", n]))
    if pathlib.Path("/usr/include/gloo/allreduce.h").exists():
        gloo = compile_peer("c++", [PEERS / "gloo.cc", loop], BUILD / "peer_gloo", f"-I{PEERS}", "-lgloo",
                            "-pthread")
        found.append(Contender("Gloo", gloo, muster_run))
    return found


def ping_ns():
    return float(run([BUILD / "ping"]))


def idle_us():
    """How long an idle rank waited each time, the CPU time it took, and how long its wake-up: median, worst."""
    library = BUILD / "muster"
    compile_peer("cc", [PEERS / "idle.c"], BUILD / "idle", f"-I{ROOT}/include", f"{library}/libmuster.so",
                 f"-Wl,-rpath,{library}")
    return [float(n) for n in run([library / "bin" / "muster", "run", "-n", 2, "--prefix", "none", "--",
                                   BUILD / "idle"]).split()]


def copy_gbps():
    """What two processes can copy together, read + written, as `muster bench` measures it."""
    out = run([BUILD / "muster" / "bin" / "muster", "bench", "--json", "--seconds", 0.001, "barrier"])
    return json.loads(out)["limits"]["copy_2_gbps"]


# ---- rounds ----

def plan(options):
    """(ranks, collective, smallest, largest, factor)"""
    if options.smoke:
        return [(2, c, 4, 65536, 64) for c in ("all_reduce", "all_gather", "broadcast", "barrier")]
    whole = [(2, "barrier", 4, 4, 4), (2, "all_reduce", 4, 64 << 20, 4), (2, "all_gather", 1024, 16 << 20, 4),
             (2, "reduce_scatter", 1024, 16 << 20, 4), (2, "broadcast", 1024, 16 << 20, 4),
             (2, "ping_pong", 4, 16 << 20, 4)]
    for ranks in (4, 8):
        whole += [(ranks, "barrier", 4, 4, 4), (ranks, "all_reduce", 64, 1 << 20, 4)]
    for ranks in SCALING[2:]:
        whole += [(ranks, "barrier", 4, 4, 4), (ranks, "all_reduce", 4096, 4096, 4)]
    return [p for p in whole if not options.only or p[1] in options.only]


def spins(name, ranks):
    """Whether it spins, or sleeps at once, while another rank needs its CPU: milliseconds for each operation."""
    return name in ("MPICH", "Gloo") and ranks > (os.cpu_count() or 1)


def largest_for(name, ranks, largest):
    return min(largest, 65536) if spins(name, ranks) else largest


def run_rounds(options, found):
    rows = []
    for number in range(options.rounds):
        for ranks, collective, smallest, largest, factor in plan(options):
            for contender in found:
                if ranks > 8 and spins(contender.name, ranks):
                    continue
                before = ping_ns()
                last = largest_for(contender.name, ranks, largest)
                measured = contender.measure(ranks, collective, (smallest, last, factor), options.seconds)
                after = ping_ns()
                place = ("slow pair" if min(before, after) > SLOW_NS else
                         "fast pair" if max(before, after) <= SLOW_NS else "mixed")
                for size, median, p99, mean, wrong in measured:
                    if wrong:
                        fail(f"{contender.name}: {collective} of {size} bytes is wrong in {wrong:.0f} elements")
                    rows.append(dict(round=number, ranks=ranks, collective=collective, bytes=size,
                                     contender=contender.name, place=place, ping_ns=max(before, after),
                                     median_us=median, p99_us=p99, mean_us=mean))
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    return rows


# ---- what comes out ----

def figure(ranks):
    """With more ranks than CPUs medians hide the stalls."""
    return "mean_us" if ranks > (os.cpu_count() or 1) else "median_us"


def summarise(rows):
    """{(ranks, collective, place): {bytes: {contender: [times]}}}"""
    cells = {}
    for row in rows:
        group = cells.setdefault((row["ranks"], row["collective"], row["place"]), {})
        group.setdefault(row["bytes"], {}).setdefault(row["contender"], []).append(row[figure(row["ranks"])])
    return cells


def human(size):
    for unit in ("B", "KiB", "MiB"):
        if size < 1024 or unit == "MiB":
            return f"{size} {unit}"
        size //= 1024


def spread(times):
    if len(times) == 1:
        return f"{times[0]:.3g}"
    return f"{statistics.median(times):.3g} ({min(times):.3g}–{max(times):.3g})"


def write_tables(cells, names, path):
    with open(path, "w") as out:
        for (ranks, collective, place), sizes in sorted(cells.items()):
            what = "means" if figure(ranks) == "mean_us" else "medians"
            out.write(f"\n### {collective}, {ranks} ranks, {place} (µs, {what}; median of rounds, least–most)\n\n")
            out.write("| bytes | " + " | ".join(names) + " | best peer ÷ muster | ÷ muster arena |\n")
            out.write("|---" * (len(names) + 3) + "|\n")
            for size, times in sorted(sizes.items()):
                peers = [statistics.median(times[n]) for n in names if n in times and not n.startswith("muster")]
                ratios = ["–" if not peers or n not in times else f"{min(peers) / statistics.median(times[n]):.1f}"
                          for n in ("muster", "muster arena")]
                cell = [spread(times[n]) if n in times else "–" for n in names]
                out.write(f"| {human(size)} | " + " | ".join(cell) + f" | {ratios[0]} | {ratios[1]} |\n")


def draw(folder, stem, title, xlabel, ylabel, names, rows, scale, more="", limit=None):
    """One plot from rows of (x, {name: y}); scale: gnuplot's expression for column {c}."""
    data = folder / f"{stem}.dat"
    with open(data, "w") as out:
        for x, values in rows:
            out.write(f"{x} " + " ".join(f"{values.get(n, 'nan')}" for n in names) + "\n")
    lines = [f"'{data}' using 1:({scale.format(c=i + 2)}) with linespoints title '{n}'" for i, n in enumerate(names)]
    if limit:
        lines.append(limit)
    script = (f"set terminal svg size 800,500; set output '{folder}/{stem}.svg'\n"
              f"set title '{title}'; set logscale xy; {more}\nset xlabel '{xlabel}'; set ylabel '{ylabel}'\n"
              f"set key left top; set grid\nplot {', '.join(lines)}\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def plot(cells, names, folder, copy):
    if not shutil.which("gnuplot"):
        return
    medians = {key: {size: {n: statistics.median(t) for n, t in times.items()} for size, times in sizes.items()}
               for key, sizes in cells.items()}
    for (ranks, collective, place), sizes in medians.items():
        rows = sorted(sizes.items())
        if len(rows) < 3:
            continue
        stem, title = f"{collective}-{ranks}-{place.split()[0]}", f"{collective}, {ranks} ranks, {place}"
        draw(folder, f"{stem}-latency", title, "bytes", "µs", names, rows, "${c}", "set format x '%.0b%B'")
        # Each rank reads its input and writes its output once: 4 bytes move for one of the vector.
        bound = f"{copy / 4} title 'limit: read in and written out once, {copy / 4:.1f} GB/s' with lines dashtype 2"
        draw(folder, f"{stem}-bandwidth", title, "bytes", "GB/s", names, rows, "$1/1000/${c}",
             "set format x '%.0b%B'", bound if (ranks, collective) == (2, "all_reduce") else None)
    for collective, size in (("barrier", 0), ("all_reduce", 4096)):
        for place in ("fast pair", "slow pair"):
            rows = [(r, medians[r, collective, place][size]) for r in (2, *SCALING)
                    if size in medians.get((r, collective, place), {})]
            if len(rows) > 2:
                what = collective if size == 0 else f"{collective} of 4 KiB"
                draw(folder, f"{collective}-scaling-{place.split()[0]}", f"{what} by ranks on {os.cpu_count()} CPUs, {place}",
                     "ranks", "µs", names, rows, "${c}")


def main():
    parser = argparse.ArgumentParser(prog="bench/compare")
    parser.add_argument("--smoke", action="store_true", help="a short form that looks at results, not at times")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of measuring per size")
    parser.add_argument("--only", nargs="*", help="these collectives")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.seconds = 1, 0.001
    found = contenders()
    names = [c.name for c in found]
    rows = run_rounds(options, found)
    results = BUILD / "smoke" if options.smoke else BUILD
    results.mkdir(exist_ok=True)
    with open(results / "compare.csv", "w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    cells = summarise(rows)
    write_tables(cells, names, results / "compare.md")
    if not options.smoke:
        waited, used, median, worst = idle_us()
        with open(BUILD / "compare.md", "a") as out:
            out.write(f"\nAn idle rank that waited {waited / 1000:.0f} ms took {used:.0f} µs of CPU time, and went on "
                      f"{median:.0f} µs (worst {worst:.0f}) after the last one came.\n")
        plot(cells, names, BUILD, copy_gbps())
    print(f"{len(rows)} rows, every result right: {', '.join(names)}; see {results.relative_to(ROOT)}/compare.md")


main()
