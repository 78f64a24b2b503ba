"""For gdb: the words of the arena that decide a wait, of a rank that waits in a call on a group.

    gdb -p PID -batch -x scripts/words.py

HACKING.md says how to read them."""
import gdb  # there is such a module inside of gdb only


def read(frame, name):
    """A variable of the frame; None: it has none of that name, or the compiler has left it out."""
    try:
        value = frame.read_var(name)
        return None if value.is_optimized_out else value
    except (ValueError, gdb.error):
        return None


def find_group():
    """The group of the innermost call that shows it: optimised builds keep it in some frames only."""
    group = gdb.lookup_type("mst_group").pointer()
    frame = gdb.newest_frame()
    while frame:
        for name, field in (("call", "group"), ("group", None), ("request", "group")):
            value = read(frame, name)
            kind = str(value.type.unqualified()).replace("const ", "") if value is not None else ""
            if kind in ("mst_call *", "muster_request *") and int(value) and int(value[field]):
                return value[field].cast(group)
            if kind in ("mst_group *", "muster_group *") and int(value):
                return value.cast(group)
        frame = frame.older()
    raise gdb.GdbError("this thread is in no call of muster on a group (gdb: thread apply all bt)")


def number(value):
    return int(value.cast(gdb.lookup_type("unsigned long")))


def levels(cell):
    """Of a leader, in a group that meets in two levels."""
    even, odd = (number(cell["gathered"][i]["word"]) >> 1 for i in (0, 1))
    return f" | gathered {even} {odd}, released {number(cell['release']['word']) >> 1}"


def main():
    try:
        gdb.lookup_type("mst_group")
    except gdb.error:
        raise gdb.GdbError("there is no debug information of muster in this process: it is no rank, or muster was "
                           "built without -g") from None
    group = find_group()
    subarena, sequence = group["subarena"], group["collectives"]
    print(f"rank {int(subarena['rank'])} of {int(subarena['size'])}: round {int(sequence['round'])} of the sequence of "
          f"collectives, operation {int(group['operation'])}")
    print("                            | rounds                        | messages         | started collectives")
    print(f"{'rank':>4} {'membership':>11} {'poison':>11} | {'even':>9} {'odd':>9} {'bit':>3} {'asleep':>6} | "
          f"{'rings':>9} {'asleep':>6} | {'started':>7} {'read':>7} {'done':>7}")
    for rank in range(int(subarena["size"])):
        cell = subarena["cells"][rank].dereference()
        lines, doorbell, journal = cell["collectives"], cell["doorbell"], cell["journal"]
        even, odd = (number(lines[parity]["word"]) for parity in ("even", "odd"))
        print(f"{rank:>4} {number(cell['membership']):>11} {number(cell['poison']):>11x} | {even >> 1:>9} {odd >> 1:>9} "
              f"{(even | odd) & 1:>3} {number(lines['sleepers']):>6} | {number(doorbell['word']) >> 1:>9} "
              f"{number(doorbell['sleepers']):>6} | {number(journal['started']):>7} {number(journal['read']):>7} "
              f"{number(journal['done']):>7}{levels(cell) if int(group['hierarchy']) else ''}")


main()
