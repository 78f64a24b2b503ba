/*
 * The plug-in by which libmuster asks an MPI for its ranks (src/mpi/plugin.h): compiled once for each MPI, as
 * each has an ABI of its own. It calls MPI by the names of the profiling interface, so that tools that count
 * the program's calls do not see ours.
 */
#define _GNU_SOURCE /* dl_iterate_phdr */
#include "src/mpi/plugin.h"

#include <link.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static bool ended;  /* nobody may call it any more, not even to ask who may */
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
    ended = true;
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

    return !ended &&
           (level >= MPI_THREAD_SERIALIZED || (PMPI_Is_thread_main(&is_main) == MPI_SUCCESS && is_main));
}

/* A program that leaves MPI to us calls it nowhere, or asks first who may. */
static bool serves_threads(bool beside)
{
    return level >= (beside && !began ? MPI_THREAD_MULTIPLE : MPI_THREAD_SERIALIZED);
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
    int from, count;
    char bytes[];
} arrival;

/* Those of one sender, in the order in which they were sent. */
typedef struct sender {
    arrival *first, *last;
} sender;

static sender *senders; /* by rank */
static int *coming;     /* the senders of whom something is there */
static int coming_count;
static arrival *taken;
static MPI_Request *slots; /* of what is being sent */
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

static bool reserve_senders(char *why)
{
    int size = 0;

    if (senders)
        return true;
    if (!check(PMPI_Comm_size(ours, &size), "MPI_Comm_size", why))
        return false;
    coming = calloc((size_t)size, sizeof *coming);
    senders = coming ? calloc((size_t)size, sizeof *senders) : NULL;
    return senders || refuse_memory(why);
}

static void append(arrival *made)
{
    sender *of = &senders[made->from];

    if (!of->first)
        coming[coming_count++] = made->from;
    *(of->first ? &of->last->next : &of->first) = made;
    of->last = made;
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
    append(made);
    return true;
}

/* Takes the first frame of a sender's, if it is whole. One that is under way delays those of its sender only.
 */
static bool take_of(int at, char *why)
{
    sender *of = &senders[coming[at]];
    int done = 0;

    if (!check(PMPI_Test(&of->first->request, &done, MPI_STATUS_IGNORE), "MPI_Test", why))
        return false;
    if (!done)
        return true;
    taken = of->first;
    of->first = taken->next;
    if (!of->first)
        coming[at] = coming[--coming_count];
    return true;
}

static bool find_whole(char *why)
{
    for (int at = 0; at < coming_count && !taken; at++)
        if (!take_of(at, why))
            return false;
    return true;
}

/* New ones are looked for when no other is whole: so few are here, however many have been sent. */
static bool take(int *from, const void **bytes, size_t *count, char *why)
{
    bool found = true;

    free(taken);
    taken = NULL;
    *bytes = NULL;
    if (!reserve_senders(why) || !find_whole(why))
        return false;
    for (int i = 0; i < PROBES_MAX && found && !taken; i++)
        if (!probe(&found, why) || (found && !find_whole(why)))
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

/* ---- what it is ---- */

#ifdef OPEN_MPI

/* Open MPI's way of moving bytes is a module that it has loaded; it unloads those that it does not take.
 * Where they are part of its library, nobody can tell. */
static int note_module(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    static const char *const kinds[] = { "mca_pml_", "mca_mtl_", "mca_btl_" };
    const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
    char *text = arg;
    size_t used = strlen(text);

    (void)bytes;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strncmp(name, kinds[i], strlen(kinds[i])) == 0 && strcmp(name, "mca_btl_self.so") != 0)
            snprintf(text + used, MST_PLUGIN_TEXT_BYTES - used, "%s%.3s %.*s", used ? ", " : "",
                     name + strlen("mca_"), (int)strcspn(name + strlen(kinds[i]), "."),
                     name + strlen(kinds[i]));
    return 0;
}

static void describe(char *version, char *transport)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length;

    PMPI_Get_library_version(text, &length);
    snprintf(version, MST_PLUGIN_TEXT_BYTES, "%.*s", (int)strcspn(text, ",\n"), text);
    transport[0] = '\0';
    dl_iterate_phdr(note_module, transport);
}

#else

/* What follows the words in a text of lines. */
static void copy_value(const char *text, const char *words, const char *before, char *value)
{
    const char *at = strstr(text, words);

    value[0] = '\0';
    if (!at)
        return;
    at += strlen(words);
    at += strspn(at, " \t");
    snprintf(value, MST_PLUGIN_TEXT_BYTES, "%s%.*s", before, (int)strcspn(at, "\n"), at);
}

static void describe(char *version, char *transport)
{
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length;

    PMPI_Get_library_version(text, &length);
    copy_value(text, "MPICH Version:", "MPICH ", version);
    copy_value(text, "MPICH Device:", "device ", transport);
}

#endif

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
    .serves_threads = serves_threads,
    .describe = describe,
};
