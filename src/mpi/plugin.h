/*
 * What libmuster and a plug-in for one MPI know of each other: one table, which the plug-in exports as
 * MST_PLUGIN_NAME. The plug-in links its MPI and calls nothing of libmuster, so it serves a shared, a static
 * and a hidden copy of the library, of any version with the same MST_PLUGIN_VERSION. This header depends on
 * nothing else of the library.
 *
 * Functions that can fail return false, with the reason in `why`, of MST_PLUGIN_WHY_BYTES. One thread at a
 * time calls them. What is started is over when `test` says so; one thing is started at a time.
 */
#ifndef MST_PLUGIN_H
#define MST_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MST_PLUGIN_NAME "muster_mpi_plugin"
#define MST_PLUGIN_VERSION 4
#define MST_PLUGIN_WHY_BYTES 200
#define MST_PLUGIN_TEXT_BYTES 120

/* A process as MPI has placed it. */
typedef struct mst_plugin_seat {
    int rank, size;
} mst_plugin_seat;

typedef struct mst_plugin {
    uint32_t version; /* MST_PLUGIN_VERSION; in every version the first field */
    const char *mpi;  /* as its users call it: "Open MPI" */

    /* Begins MPI, unless the program has, and starts making a communicator of our own. `ends` is called when
     * the program ends MPI itself, while MPI still works. */
    bool (*begin)(void (*ends)(void), char *why);
    /* After that is over: which rank this process is. All ranks have begun then, and some may have given up
     * since: so nothing waits for them inside MPI, here or below, where nobody could limit or end it. */
    bool (*find_seat)(mst_plugin_seat *seat, char *why);
    /* Starts to give all ranks the bytes of each, in the order of ranks. Both stay valid until it is over. */
    bool (*exchange)(const void *own, void *all, size_t bytes, char *why);
    bool (*barrier)(char *why); /* starts one; fails while the seat is not known */
    bool (*test)(bool *over, char *why);
    /* Frames (src/wire/frames.h) between processes whose seats are known, in calls that do not wait. The
     * bytes that are sent stay valid until `is_sent` says so of the slot; what is taken is valid until the
     * next is; *bytes is NULL: nothing has come. */
    bool (*send)(int to, const void *bytes, size_t count, int *slot, char *why);
    bool (*is_sent)(int slot, bool *sent, char *why);
    bool (*take)(int *from, const void **bytes, size_t *count, char *why);
    /* Ends MPI, if `begin` began it and nobody has ended it. */
    void (*finalize)(void);
    /* Whether this thread may call MPI, and so what is above, but for `begin`, which fails where it may not.
     */
    bool (*is_allowed)(void);
    /* Whether several threads may call MPI, one at a time; `beside`: also while the program calls it, if it
     * has begun MPI. Once it has begun. */
    bool (*serves_threads)(bool beside);
    /* Which one it is, with its version, and what carries its bytes, as far as it can be known; texts of
     * MST_PLUGIN_TEXT_BYTES, empty where it cannot. Once it has begun. */
    void (*describe)(char *version, char *transport);
} mst_plugin;

#endif
