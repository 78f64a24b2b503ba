/* The guard process of guard.h. After the fork it calls only async-signal-safe functions, since the program
 * may have threads. */
#define _GNU_SOURCE /* pipe2 */
#include "src/launch/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "shm/base/atomic.h"
#include "shm/base/layout.h"
#include "shm/port/os.h"
#include "shm/wait/poison.h"

typedef struct ward {
    pid_t groups[MST_RANKS_MAX];
    int count;
} ward;

/* A note is a process group to add, or the negative of one to remove; one write, which is atomic. */
static void take_note(ward *ward, pid_t note)
{
    if (note > 0 && ward->count < MST_RANKS_MAX)
        ward->groups[ward->count++] = note;
    for (int i = 0; note < 0 && i < ward->count; i++)
        if (ward->groups[i] == -note)
            ward->groups[i] = ward->groups[--ward->count];
}

/* Handles the notes in the pipe; false: the pipe has no writers any more. */
static bool take_notes(ward *ward, int control)
{
    pid_t notes[64];

    for (;;) {
        ssize_t got = read(control, notes, sizeof notes);

        if (got < 0)
            return errno == EAGAIN || errno == EINTR;
        if (got == 0)
            return false;
        for (size_t i = 0; i < (size_t)got / sizeof notes[0]; i++)
            take_note(ward, notes[i]);
    }
}

static void poison_all(const mst_geometry *geometry)
{
    static const mst_poison gone = { .kind = MST_POISON_LAUNCHER };

    for (uint32_t seat = 0; seat < geometry->seats; seat++)
        for (uint32_t index = 0; index < MST_CELLS_MAX; index++) {
            mst_cell *cell = mst_layout_cell(geometry, seat, index);
            uint64_t membership = mst_load64_acq(&cell->membership); /* E10 */
            uint64_t none = mst_poison_none(membership);

            if (membership == 0) /* cells are claimed in order: none after this was used */
                break;
            if (membership & 1)
                mst_poison_spread(&cell, &none, 1, &gone);
        }
}

/* A rank that has left its process group continues, and its next call must report that the launcher is gone.
 * A rank that wakes before all cells are poisoned may sleep again: the second pass wakes it. */
static void tell_survivors(const mst_geometry *geometry)
{
    poison_all(geometry);
    poison_all(geometry);
}

/* The arena is not inherited by forks: maps the control lines anew. False: impossible. */
static bool map_cells(const mst_arena *arena, mst_geometry *geometry)
{
    void *base;

    *geometry = arena->geometry;
    if (mst_os_object_map(mst_os_held_fd(&arena->held), mst_layout_cell_offset(geometry, 0, MST_CELLS_MAX),
                          &base) != 0)
        return false;
    geometry->base = base;
    return true;
}

static _Noreturn void keep_watch(int control, int launcher, const mst_arena *arena)
{
    ward ward = { .count = 0 };
    struct pollfd polled[2] = { { .fd = control, .events = POLLIN }, { .fd = launcher, .events = POLLIN } };
    const int kept[2] = { control, launcher };
    mst_geometry geometry;
    bool launched, mapped = map_cells(arena, &geometry);

    mst_os_close_others(kept, 2);
    setsid();
    int moved = chdir("/");
    (void)moved; /* otherwise a directory stays in use while the ranks live */
    do {
        launched = poll(polled, launcher >= 0 ? 2 : 1, -1) < 0 || !(polled[1].revents & POLLIN);
        if (take_notes(&ward, control))
            continue;
        /* The launcher has ended, or its program closes descriptors that it does not know: its watch tells
         * which. */
        launched = launched && launcher >= 0;
        polled[0].fd = -1;
    } while (launched);
    for (int i = 0; i < ward.count; i++)
        kill(-ward.groups[i], SIGKILL);
    if (mapped)
        tell_survivors(&geometry);
    _exit(0);
}

void mst_guard_start(mst_guard *guard, const mst_arena *arena)
{
    int32_t parent = mst_os_process_id();
    int control[2];

    *guard = (mst_guard){ .pid = 0, .control = { { .fd = -1 }, { .fd = -1 } } };
    if (pipe2(control, O_CLOEXEC | O_NONBLOCK) < 0)
        return;
    int launcher = mst_os_process_watch(parent); /* fires even if a fork of it has the pipe open */
    int32_t pid = mst_os_fork_unseen();
    if (pid == 0)
        keep_watch(control[0], launcher, arena);
    mst_os_close(launcher);
    *guard = (mst_guard){ .pid = pid, .control = { mst_os_hold(control[0]), mst_os_hold(control[1]) } };
    if (pid < 0)
        mst_guard_stop(guard);
}

void mst_guard_stop(mst_guard *guard)
{
    if (guard->pid > 0)
        mst_os_end_unseen(guard->pid);
    mst_os_held_close(&guard->control[0]);
    mst_os_held_close(&guard->control[1]);
    *guard = (mst_guard){ .pid = 0, .control = { { .fd = -1 }, { .fd = -1 } } };
}

/* A stopped guard does not block us: its pipe has space for some thousand notes. For process groups whose
 * notes are lost after that, the kernel still kills the rank itself. */
static void note(const mst_guard *guard, pid_t what)
{
    int to = mst_os_held_fd(&guard->control[1]);

    if (to >= 0 && write(to, &what, sizeof what) < 0)
        return;
}

void mst_guard_add(const mst_guard *guard, pid_t group)
{
    note(guard, group);
}

void mst_guard_remove(const mst_guard *guard, pid_t group)
{
    note(guard, -group);
}
