/*
 * The plug-in by which libmuster asks an MPI for its ranks (src/mpi/plugin.h): compiled once for each MPI, as
 * each has an ABI of its own. It calls MPI by the names of the profiling interface, so that tools that count
 * the program's calls do not see ours.
 */
#include "src/mpi/plugin.h"

#include <mpi.h>
#include <stdio.h>

#ifdef OPEN_MPI
#define MPI_NAME "Open MPI"
#else
#define MPI_NAME "MPICH"
#endif

static MPI_Comm ours = MPI_COMM_NULL;
static MPI_Request started = MPI_REQUEST_NULL;
static bool seated; /* `ours` is whole: all ranks have come */
static bool began;  /* MPI is to be ended by us */
static int level;   /* which threads may call MPI */
static void (*program_ends)(void);

static bool check(int error, const char *call, char *why)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;

    if (error == MPI_SUCCESS)
        return true;
    PMPI_Error_string(error, text, &length);
    snprintf(why, MST_PLUGIN_WHY_BYTES, "%s: %.150s", call, text);
    return false;
}

/* An attribute of MPI_COMM_SELF is deleted first of all in MPI_Finalize. */
static int self_ends(MPI_Comm comm, int key, void *value, void *extra)
{
    (void)comm, (void)key, (void)value, (void)extra;
    program_ends();
    return MPI_SUCCESS;
}

static bool watch_the_end(char *why)
{
    int key;

    return check(PMPI_Comm_create_keyval(MPI_COMM_NULL_COPY_FN, self_ends, &key, NULL),
                 "MPI_Comm_create_keyval", why) &&
           check(PMPI_Comm_set_attr(MPI_COMM_SELF, key, NULL), "MPI_Comm_set_attr", why);
}

static bool is_allowed(void)
{
    int is_main = 0;

    return level >= MPI_THREAD_SERIALIZED || (PMPI_Is_thread_main(&is_main) == MPI_SUCCESS && is_main);
}

static bool begin(void (*ends)(void), char *why)
{
    int initialized = 0, finalized = 0;

    if (program_ends && program_ends != ends) {
        snprintf(why, MST_PLUGIN_WHY_BYTES,
                 "another copy of muster's library in this process has asked for its ranks");
        return false;
    }
    PMPI_Finalized(&finalized);
    PMPI_Initialized(&initialized);
    if (finalized) {
        snprintf(why, MST_PLUGIN_WHY_BYTES, "the program has ended MPI (MPI_Finalize)");
        return false;
    }
    if (!initialized &&
        !check(PMPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level), "MPI_Init_thread", why))
        return false;
    began |= !initialized;
    PMPI_Query_thread(&level);
    if (!is_allowed()) {
        snprintf(
            why, MST_PLUGIN_WHY_BYTES,
            "the program has begun MPI for its main thread only, and this is another; give MPI_Init_thread "
            "MPI_THREAD_SERIALIZED, or call muster_init in the main thread");
        return false;
    }
    program_ends = ends;
    return watch_the_end(why) && check(PMPI_Comm_idup(MPI_COMM_WORLD, &ours, &started), "MPI_Comm_idup", why);
}

static bool find_seat(mst_plugin_seat *seat, char *why)
{
    MPI_Comm host;

    seated = true;
    PMPI_Comm_set_errhandler(ours, MPI_ERRORS_RETURN);
    PMPI_Comm_rank(ours, &seat->rank);
    PMPI_Comm_size(ours, &seat->size);
    seat->first = seat->rank;
    if (!check(PMPI_Comm_split_type(ours, MPI_COMM_TYPE_SHARED, seat->rank, MPI_INFO_NULL, &host),
               "MPI_Comm_split_type", why))
        return false;
    bool told = check(PMPI_Bcast(&seat->first, 1, MPI_INT, 0, host), "MPI_Bcast", why);
    PMPI_Comm_free(&host);
    return told;
}

static bool exchange(const void *own, void *all, size_t bytes, char *why)
{
    return check(PMPI_Iallgather(own, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, ours, &started),
                 "MPI_Iallgather", why);
}

static bool barrier(char *why)
{
    if (!seated) {
        snprintf(why, MST_PLUGIN_WHY_BYTES, "not all ranks have come");
        return false;
    }
    return check(PMPI_Ibarrier(ours, &started), "MPI_Ibarrier", why);
}

static bool test(bool *over, char *why)
{
    int done = 0;

    bool tested = check(PMPI_Test(&started, &done, MPI_STATUS_IGNORE), "MPI_Test", why);
    *over = done;
    return tested;
}

static void finalize(void)
{
    int finalized = 0;

    PMPI_Finalized(&finalized);
    if (began && !finalized)
        PMPI_Finalize();
}

extern const mst_plugin muster_mpi_plugin __attribute__((visibility("default")));
const mst_plugin muster_mpi_plugin = {
    .version = MST_PLUGIN_VERSION,
    .mpi = MPI_NAME,
    .begin = begin,
    .find_seat = find_seat,
    .exchange = exchange,
    .barrier = barrier,
    .test = test,
    .finalize = finalize,
    .is_allowed = is_allowed,
};
