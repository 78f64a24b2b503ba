"""For gdb: the words of the arena that decide a wait, of a rank that waits in a collective.

    gdb -p PID -batch -x scripts/words.py

HACKING.md says how to read them."""
import gdb  # there is such a module inside of gdb only


def find_call():
    """The innermost frame's `call` that is there: optimised builds have it in some frames only."""
    frame = gdb.newest_frame()
    while frame:
        try:
            value = frame.read_var("call")
            if not value.is_optimized_out and str(value.type.unqualified()).endswith("mst_call *"):
                return value
        except ValueError:
            pass
        frame = frame.older()
    raise gdb.GdbError("this thread is in no collective of muster (gdb: thread apply all bt)")


def number(value):
    return int(value.cast(gdb.lookup_type("unsigned long")))


def main():
    group = find_call()["group"]
    subarena, sequence = group["subarena"], group["collectives"]
    print(f"rank {int(subarena['rank'])} of {int(subarena['size'])}: round {int(sequence['round'])} of the sequence of "
          f"collectives, operation {int(group['operation'])}")
    print(f"{'rank':>4} {'membership':>11} {'poison':>11} {'even':>9} {'odd':>9} {'bit':>4} {'sleepers':>9}")
    for rank in range(int(subarena["size"])):
        cell = subarena["cells"][rank].dereference()
        lines = cell["collectives"]
        even, odd = (number(lines["arrivals"][i]["word"]) for i in (0, 1))
        print(f"{rank:>4} {number(cell['membership']):>11} {number(cell['poison']):>11x} {even >> 1:>9} {odd >> 1:>9} "
              f"{(even | odd) & 1:>4} {number(lines['sleepers']):>9}")


main()
