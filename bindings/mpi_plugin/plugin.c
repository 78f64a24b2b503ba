/*
 * The plug-in by which libmuster asks an MPI for its ranks (src/mpi/plugin.h): compiled once for each MPI, as
 * each has an ABI of its own. It calls MPI by the names of the profiling interface, so that tools that count
 * the program's calls do not see ours.
 */
#include "src/mpi/plugin.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

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

static bool init(char *why)
{
    return check(PMPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level), "MPI_Init_thread", why);
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
    if (!initialized && !init(why))
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
    seated = true;
    PMPI_Comm_set_errhandler(ours, MPI_ERRORS_RETURN);
    return check(PMPI_Comm_rank(ours, &seat->rank), "MPI_Comm_rank", why) &&
           check(PMPI_Comm_size(ours, &seat->size), "MPI_Comm_size", why);
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

/* ---- frames ---- */

#define FRAMES_TAG 1
#define PROBES_MAX 16 /* at once */

/* A frame that comes. */
typedef struct arrival {
    struct arrival *next;
    MPI_Request request;
    bool whole;
    int from, count;
    char bytes[];
} arrival;

static arrival *arrivals, *taken; /* in the order in which they were sent, by sender */
static MPI_Request *slots;        /* of what is being sent */
static int *free_slots, slot_count, free_count;

static bool refuse_memory(char *why)
{
    snprintf(why, MST_PLUGIN_WHY_BYTES, "no memory");
    return false;
}

static bool grow_slots(char *why)
{
    int count = slot_count ? 2 * slot_count : 64;
    MPI_Request *larger = realloc(slots, (size_t)count * sizeof *slots);
    int *larger_list = larger ? realloc(free_slots, (size_t)count * sizeof *free_slots) : NULL;

    slots = larger ? larger : slots;
    if (!larger_list)
        return refuse_memory(why);
    free_slots = larger_list;
    while (slot_count < count)
        free_slots[free_count++] = slot_count++;
    return true;
}

static bool send(int to, const void *bytes, size_t count, int *slot, char *why)
{
    if (free_count == 0 && !grow_slots(why))
        return false;
    *slot = free_slots[free_count - 1];
    if (!check(PMPI_Isend(bytes, (int)count, MPI_BYTE, to, FRAMES_TAG, ours, &slots[*slot]), "MPI_Isend",
               why))
        return false;
    free_count--;
    return true;
}

static bool is_sent(int slot, bool *sent, char *why)
{
    int done = 0;

    bool tested = check(PMPI_Test(&slots[slot], &done, MPI_STATUS_IGNORE), "MPI_Test", why);
    *sent = done;
    if (done)
        free_slots[free_count++] = slot;
    return tested;
}

/* Begins to receive what has been sent; its bytes may come later. */
static bool probe(bool *found, char *why)
{
    MPI_Message message;
    MPI_Status status;
    int flag = 0, count = 0;

    *found = false;
    if (!check(PMPI_Improbe(MPI_ANY_SOURCE, FRAMES_TAG, ours, &flag, &message, &status), "MPI_Improbe", why))
        return false;
    *found = flag;
    if (!flag)
        return true;
    PMPI_Get_count(&status, MPI_BYTE, &count);
    arrival *made = malloc(sizeof *made + (size_t)count);
    if (!made)
        return refuse_memory(why);
    *made = (arrival){ .from = status.MPI_SOURCE, .count = count };
    if (!check(PMPI_Imrecv(made->bytes, count, MPI_BYTE, &message, &made->request), "MPI_Imrecv", why)) {
        free(made);
        return false;
    }
    arrival **at = &arrivals;
    while (*at)
        at = &(*at)->next;
    *at = made;
    return true;
}

static bool comes_before(const arrival *other, const arrival *until, int from)
{
    while (other != until && other->from != from)
        other = other->next;
    return other != until;
}

/* The first that is whole, and of whose sender none before it is under way. */
static bool find_whole(char *why)
{
    for (arrival **at = &arrivals; *at; at = &(*at)->next) {
        arrival *one = *at;
        int done = 0;

        if (!one->whole && !check(PMPI_Test(&one->request, &done, MPI_STATUS_IGNORE), "MPI_Test", why))
            return false;
        one->whole |= done != 0;
        if (!one->whole || comes_before(arrivals, one, one->from))
            continue;
        *at = one->next;
        taken = one;
        return true;
    }
    return true;
}

static bool take(int *from, const void **bytes, size_t *count, char *why)
{
    bool found = true;

    free(taken);
    taken = NULL;
    *bytes = NULL;
    for (int i = 0; i < PROBES_MAX && found; i++)
        if (!probe(&found, why))
            return false;
    if (!find_whole(why))
        return false;
    if (taken) {
        *from = taken->from;
        *bytes = taken->bytes;
        *count = (size_t)taken->count;
    }
    return true;
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
    .send = send,
    .is_sent = is_sent,
    .take = take,
    .finalize = finalize,
    .is_allowed = is_allowed,
};
