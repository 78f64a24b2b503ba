"""A server's loop that loses ranks and gets them back.

    muster run -n 4 --on-failure respawn -- python serve.py

Rank 1 kills itself at step 300, once. The others are told, wait for the process that replaces it, tell it where
they are, and go on, as many as before.
"""

import array
import os
import signal

import muster

STEPS = 1000
first_life = os.environ.get("MUSTER_RESTARTS", "0") == "0"


def agree_on_step(group, step):
    """All go on where the slowest is; who is new knows of no step."""
    return muster.all_min(array.array("q", [step]), group=group)[0]


def replace_the_lost(group, step):
    while True:
        try:
            group = group.grow()
            return group, agree_on_step(group, step)
        except muster.PeerDiedError as error:  # another one died meanwhile
            print(f"step {step}: {error}", flush=True)


group = muster.init()  # in a later life, this is when the others take us in
step = agree_on_step(group, 0 if first_life else STEPS)
while step < STEPS:
    if first_life and group.rank() == 1 and step == 300:
        os.kill(os.getpid(), signal.SIGKILL)
    try:
        assert muster.all_sum(array.array("q", [1]), group=group)[0] == group.size()
        step += 1
    except muster.PeerDiedError as error:
        print(f"step {step}: {error}", flush=True)
        group, step = replace_the_lost(group, step)
print(f"done after {step} steps, {group.size()} ranks", flush=True)
