"""Runs the contenders of bench/compare in rounds: see contenders.py for who they are, report.py for what comes out."""
import argparse
import json
import pathlib
import shutil
import sys

import contenders
import report
from contenders import BUILD, ROOT, SOURCES, LeftOut, compile_peer, fail, output_of

SLOW_NS = 130  # a line that takes longer comes from another die or socket
KIB, MIB = 1 << 10, 1 << 20


# ---- what is measured ----

# (ranks, operation, smallest, largest, factor); a form with counts by rank next to the fixed one
WHOLE = [(2, "barrier", 4, 4, 4), (2, "all_reduce", 4, 64 * MIB, 4), (2, "all_gather", KIB, 16 * MIB, 4),
         (2, "all_gatherv", KIB, 16 * MIB, 4), (2, "reduce_scatter", KIB, 16 * MIB, 4),
         (2, "broadcast", KIB, 16 * MIB, 4), (2, "all_to_all", KIB, 16 * MIB, 4), (2, "all_to_allv", KIB, 16 * MIB, 4),
         (2, "ping_pong", 4, 16 * MIB, 4), (2, "ping_pong_tagged", 4, 4, 4),
         (2, "halo", 64, 64 * KIB, 4), (2, "farm", 64, 64 * KIB, 4), (2, "tasks", 4, 64, 4), (3, "tasks", 4, 64, 4),
         *((ranks, *rest) for ranks in (4, 8)
           for rest in (("barrier", 4, 4, 4), ("all_reduce", 64, MIB, 4), ("halo", 4096, 4096, 4),
                        ("farm", 64, 4096, 8))),
         *((ranks, *rest) for ranks in report.SCALING[2:]
           for rest in (("barrier", 4, 4, 4), ("all_reduce", 4096, 4096, 4)))]
OPERATIONS = list(dict.fromkeys(operation for _, operation, *_ in WHOLE))


def plan(options):
    """[(ranks, operations, smallest, largest, factor)], each for one start of every contender"""
    wanted = [o for o in OPERATIONS if not options.only or o in options.only]
    if options.smoke:
        return [(2, wanted, 4, 65536, 64)]
    return [(ranks, [operation], *sizes) for ranks, operation, *sizes in WHOLE if operation in wanted]


# ---- the machine ----

def place(before, after):
    """What kind of CPUs the pair was, by how long a line took before and after; 0: not looked at."""
    return ("some pair" if max(before, after) == 0 else
            "slow pair" if min(before, after) > SLOW_NS else
            "fast pair" if max(before, after) <= SLOW_NS else "mixed")


def idle_us(shop):
    """How long an idle rank waited each time, the CPU time it took, and how long its wake-up: median, worst."""
    idle = compile_peer("cc", [SOURCES / "idle.c"], BUILD / "idle", *shop.linked(), refused=fail)
    return [float(n) for n in output_of([*shop.run(2), idle]).split()]


def copy_gbps(shop):
    """What two processes can copy together, read + written, as `muster bench` measures it."""
    out = output_of([shop.command(), "bench", "--json", "--seconds", 0.001, "barrier"])
    return json.loads(out)["limits"]["copy_2_gbps"]


# ---- rounds ----

def leave_out(reasons, text):
    reasons.append(text)
    print(text, file=sys.stderr)


def turn(options, shop, contender, ranks, operations, sizes):
    """The rows of one start of one contender."""
    def ping():  # its two processes spin: where no time is looked at, a busy machine need not carry them
        return 0 if options.smoke else float(output_of([shop.ping]))
    smallest, largest, factor = sizes
    last, rows = contender.largest_for(ranks, largest), []
    if last < smallest:
        return []
    before = ping()
    measured = contender.measure(ranks, operations, (smallest, last, factor), options.seconds)
    after = ping()
    for operation, size, median, p99, mean, _ in measured:
        rows.append(dict(ranks=ranks, operation=operation, bytes=size, contender=contender.name,
                         version=contender.version, cpu=report.cpu_model(), cpus=report.CPUS,
                         place=place(before, after), ping_ns=max(before, after), median_us=median, p99_us=p99,
                         mean_us=mean))
    return rows


def run_rounds(options, shop, found, reasons):
    """The rows. A peer that fails, or is wrong, costs what it was asked for, with a reason, and not a long run."""
    rows, failed = [], set()
    for number in range(options.rounds):
        for ranks, operations, *sizes in plan(options):
            for contender in found:
                key = contender.name, ranks, *operations
                try:
                    new = turn(options, shop, contender, ranks, operations, sizes) if key not in failed else []
                except LeftOut as reason:
                    text = f"{contender.name} is left out of {', '.join(operations)} with {ranks} ranks: {reason}"
                    if contender.kind == "muster" or options.smoke:
                        fail(text)
                    failed.add(key)
                    leave_out(reasons, text)
                    new = []
                rows += [dict(round=number, **row) for row in new]
        print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    return rows


# ---- the command ----

def parse():
    parser = argparse.ArgumentParser(prog="bench/compare")
    parser.add_argument("--smoke", action="store_true", help="a short form that looks at results, not at times")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="of measuring per size")
    parser.add_argument("--only", nargs="*", choices=OPERATIONS, metavar="OPERATION",
                        help=f"these: {', '.join(OPERATIONS)}")
    parser.add_argument("--muster", type=pathlib.Path, help="the build of muster to measure (default: a new one)")
    parser.add_argument("--peers", type=pathlib.Path, default=ROOT / "build" / "peers",
                        help="where scripts/setup bench has put the peers (build/peers)")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.seconds = 1, 0.001
    return options


def main():
    options = parse()
    results = BUILD / "smoke" if options.smoke else BUILD
    shop = contenders.Workshop(options.muster and options.muster.resolve(), options.peers.resolve())
    found, left_out = contenders.gather(shop)
    for reason in left_out:
        print(reason, file=sys.stderr)
    rows = run_rounds(options, shop, found, left_out)
    results.mkdir(exist_ok=True)
    report.write_csv(rows, results / "compare.csv")
    cells = report.summarise(rows)
    report.write_tables(cells, found, left_out, results / "compare.md")
    if not options.smoke:
        waited, used, median, worst = idle_us(shop)
        with open(results / "compare.md", "a") as out:
            out.write(f"\nAn idle rank that waited {waited / 1000:.0f} ms took {used:.0f} µs of CPU time, and went on "
                      f"{median:.0f} µs (worst {worst:.0f}) after the last one came.\n")
        if shutil.which("gnuplot"):
            report.plot(cells, found, results, copy_gbps(shop))
    if options.only and not options.smoke:
        print((results / "compare.md").read_text())
    print(f"{len(rows)} rows, every result right: {', '.join(c.title for c in found)}; {report.machine()}; "
          f"see {results.relative_to(ROOT)}/compare.md")


if __name__ == "__main__":
    main()
