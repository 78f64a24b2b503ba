"""What bench/compare writes: the CSV, the tables and the plots."""
import csv
import functools
import os
import pathlib
import platform
import shutil
import statistics
import subprocess

CPUS = os.cpu_count() or 1
# An operation, and the one beside which it is to be seen.
FIXED = {"all_gatherv": "all_gather", "all_to_allv": "all_to_all", "ping_pong_tagged": "ping_pong"}
SCALING = (4, 8, 16, 32, 64)


@functools.cache
def cpu_model():
    """As the kernel names it; what lscpu says where the kernel gives only numbers, as on arm64."""
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if shutil.which("lscpu"):
        for line in subprocess.run(["lscpu"], capture_output=True, text=True).stdout.splitlines():
            if line.startswith("Model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def machine():
    return f"{CPUS} CPU{'s' if CPUS > 1 else ''}, {cpu_model()}"


def write_csv(rows, path):
    with open(path, "w", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


# ---- tables ----

def figure(ranks):
    """With more ranks than CPUs medians hide the stalls."""
    return "mean_us" if ranks > CPUS else "median_us"


def summarise(rows):
    """{(ranks, operation, place): {bytes: {contender: [times]}}}"""
    cells = {}
    for row in rows:
        group = cells.setdefault((row["ranks"], row["operation"], row["place"]), {})
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


def ratio(above, below):
    return f"{above / below:.1f}" if above and below else "–"


def median_of(times, name):
    return statistics.median(times[name]) if name in times else None


def write_table(out, key, cells, contenders):
    ranks, operation, place = key
    fixed = cells.get((ranks, FIXED.get(operation), place))
    heads = ["bytes", *(c.title for c in contenders), "best peer ÷ muster", "÷ muster arena", "muster ÷ bare"]
    if fixed:
        heads.append(f"muster ÷ its {FIXED[operation]}")
    what = "means" if figure(ranks) == "mean_us" else "medians"
    out.write(f"\n### {operation}, {ranks} ranks, {place} (µs, {what}; median of rounds, least–most)\n\n{machine()}\n\n")
    out.write("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|\n")
    for size, times in sorted(cells[key].items()):
        best, bare = (min((median_of(times, c.name) for c in contenders if c.name in times and c.kind == kind), default=None)
                      for kind in ("peer", "bare"))
        row = [human(size), *(spread(times[c.name]) if c.name in times else "–" for c in contenders),
               ratio(best, median_of(times, "muster")), ratio(best, median_of(times, "muster arena")),
               ratio(median_of(times, "muster"), bare)]
        if fixed:
            row.append(ratio(median_of(times, "muster"), median_of(fixed.get(size, {}), "muster")))
        out.write("| " + " | ".join(row) + " |\n")


def write_tables(cells, contenders, left_out, path):
    with open(path, "w") as out:
        for reason in left_out:
            out.write(f"- {reason}\n")
        for key in sorted(cells):
            write_table(out, key, cells, contenders)


# ---- plots ----

def draw(folder, stem, title, labels, contenders, rows, scale, more="", limit=None):
    """One plot from rows of (x, {name: y}); labels: of x and y; scale: gnuplot's expression for column {c}."""
    data = folder / f"{stem}.dat"
    with open(data, "w") as out:
        for x, values in rows:
            out.write(f"{x} " + " ".join(f"{values.get(c.name, 'nan')}" for c in contenders) + "\n")
    lines = [f"'{data}' using 1:({scale.format(c=i + 2)}) with linespoints title '{c.title}'"
             for i, c in enumerate(contenders)]
    if limit:
        lines.append(limit)
    script = (f"set terminal svg size 800,500; set output '{folder}/{stem}.svg'\n"
              f"set title '{title}; {machine()}'; set logscale xy; {more}\n"
              f"set xlabel '{labels[0]}'; set ylabel '{labels[1]}'\n"
              f"set key left top; set grid\nplot {', '.join(lines)}\n")
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def plot_sizes(medians, contenders, folder, copy_gbps):
    for (ranks, operation, place), sizes in medians.items():
        rows = sorted(sizes.items())
        if len(rows) < 3:
            continue
        stem, title = f"{operation}-{ranks}-{place.split()[0]}", f"{operation}, {ranks} ranks, {place}"
        draw(folder, f"{stem}-latency", title, ("bytes", "µs"), contenders, rows, "${c}", "set format x '%.0b%B'")
        # Each rank reads its input and writes its output once: 4 bytes move for one of the vector.
        bound = (f"{copy_gbps / 4} title 'limit: read in and written out once, {copy_gbps / 4:.1f} GB/s' "
                 "with lines dashtype 2")
        draw(folder, f"{stem}-bandwidth", title, ("bytes", "GB/s"), contenders, rows, "$1/1000/${c}",
             "set format x '%.0b%B'", bound if (ranks, operation) == (2, "all_reduce") else None)


def plot_ranks(medians, contenders, folder):
    for operation, size in (("barrier", 0), ("all_reduce", 4096)):
        for place in ("fast pair", "slow pair"):
            rows = [(r, medians[r, operation, place][size]) for r in (2, *SCALING)
                    if size in medians.get((r, operation, place), {})]
            if len(rows) > 2:
                what = operation if size == 0 else f"{operation} of 4 KiB"
                draw(folder, f"{operation}-scaling-{place.split()[0]}", f"{what} by ranks, {place}", ("ranks", "µs"),
                     contenders, rows, "${c}")


def plot(cells, contenders, folder, copy_gbps):
    medians = {key: {size: {n: statistics.median(t) for n, t in times.items()} for size, times in sizes.items()}
               for key, sizes in cells.items()}
    plot_sizes(medians, contenders, folder, copy_gbps)
    plot_ranks(medians, contenders, folder)
