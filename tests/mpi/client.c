/*
 * A rank that MPI's launcher has started, and that knows nothing of MPI. Its argument says what it does;
 * what it finds it prints in one line: "CASE: done", or what was wrong.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "muster/muster.h"
#include "tests/mpi/say.h"

static void begin(void)
{
    CHECK(muster_init(true, "mpi", &world) == MUSTER_OK);
    rank = muster_group_rank(world);
    size = muster_group_size(world);
}

static void done(void)
{
    SAY("%s: done\n", name);
}

/* ---- what works ---- */

static void works(void)
{
    muster_group *again, *half;
    float ones[1000];
    int number, got = -1;

    begin();
    CHECK(muster_init(false, NULL, &again) == MUSTER_OK && again == world);
    for (int i = 0; i < 1000; i++)
        ones[i] = (float)(rank + 1);
    CHECK(muster_all_sum(ones, ones, 1000, MUSTER_FLOAT32, world) == MUSTER_OK);
    CHECK(2 * ones[999] == (float)(size * (size + 1)));
    CHECK(muster_group_split(world, rank % 2, rank, &half) == MUSTER_OK);
    CHECK(muster_barrier(half) == MUSTER_OK);
    muster_group_free(half);
    number = rank;
    CHECK(muster_sendrecv(&number, 1, (rank + 1) % size, 0, &got, 1, (rank + size - 1) % size, 0,
                          MUSTER_INT32, world, NULL) == MUSTER_OK);
    CHECK(got == (rank + size - 1) % size);
    muster_group_free(again);
    done();
}

/* The world ends before the process: a rank attaches once. */
static void frees(void)
{
    begin();
    CHECK(muster_barrier(world) == MUSTER_OK);
    muster_group_free(world);
    CHECK(muster_init(false, "mpi", &world) == MUSTER_ERR_UNAVAILABLE);
    CHECK(strstr(muster_error_detail(), "a rank attaches once"));
    CHECK(muster_init(false, NULL, &world) == MUSTER_ERR_UNAVAILABLE); /* it is not alone */
    CHECK(strstr(muster_error_detail(), "has left its world; a rank attaches once"));
    done();
}

/* As a destructor of C++ does, which runs when the rank has left its world. */
static void free_world(void)
{
    muster_barrier(world); /* whatever it says, and soon */
    muster_group_free(world);
    SAY("%s: over\n", name);
}

static void frees_late(void)
{
    atexit(free_world);
    begin();
    CHECK(muster_barrier(world) == MUSTER_OK);
    done();
}

/* Children are no ranks, and their end is not the rank's. */
static void forks(void)
{
    int status;

    begin();
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            muster_group *mine;
            bool refused = muster_init(false, "mpi", &mine) == MUSTER_ERR_FORKED;
            exit(refused ? 5 : 6); /* by exit, as careless programs do */
        }
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
    }
    CHECK(muster_barrier(world) == MUSTER_OK);
    done();
}

/* "any" is as without that launcher, and the first call decides. */
static void alone(void)
{
    CHECK(muster_init(true, NULL, &world) == MUSTER_ERR_UNAVAILABLE);
    CHECK(strstr(muster_error_detail(), "ask muster_init for \"mpi\""));
    CHECK(muster_init(false, NULL, &world) == MUSTER_OK && muster_group_size(world) == 1);
    CHECK(muster_init(false, "mpi", &world) == MUSTER_ERR_UNAVAILABLE);
    CHECK(strstr(muster_error_detail(), "did not ask for \"mpi\""));
    done();
}

/* Which pages the arena has: those of memfds, or of a file system of its own. */
static void pages(void)
{
    char text[500];
    struct stat small;
    unsigned long from, to;
    unsigned major_device, minor_device;
    FILE *maps = fopen("/proc/self/maps", "re");

    CHECK(muster_init(true, getenv("MUSTER_ARENA") ? "any" : "mpi", &world) == MUSTER_OK);
    CHECK(maps && fstat(memfd_create("small", MFD_CLOEXEC), &small) == 0);
    while (fgets(text, sizeof text, maps))
        if (sscanf(text, "%lx-%lx %*s %*s %x:%x", &from, &to, &major_device, &minor_device) == 4 &&
            strstr(text, "muster") && to - from > 1UL << 30)
            SAY("%s: %s\n", name, makedev(major_device, minor_device) == small.st_dev ? "small" : "large");
    fclose(maps);
}

/* ---- ends ---- */

static void expect_death(const char *words)
{
    muster_status status;

    do
        status = muster_barrier(world);
    while (status == MUSTER_OK);
    CHECK(status == MUSTER_ERR_PEER_DIED);
    CHECK(strstr(muster_error_detail(), words));
}

static void killed(void)
{
    begin();
    CHECK(muster_barrier(world) == MUSTER_OK);
    if (rank == 1)
        raise(SIGKILL);
    expect_death("rank 1 was killed by signal 9");
    done();
    exit(4);
}

/* The survivors go on without it, and end well. */
static void survives(void)
{
    muster_group *rest;

    begin();
    if (rank == 1)
        raise(SIGKILL);
    expect_death("rank 1 was killed by signal 9");
    CHECK(muster_group_shrink(world, &rest) == MUSTER_OK && muster_group_size(rest) == size - 1);
    CHECK(muster_barrier(rest) == MUSTER_OK);
    done();
}

/* One dies when it has written a word of its own where ranks decide how they end: a page that they share. */
static void decides(const char *word)
{
    char text[500];
    unsigned long from, to, page = 0;
    FILE *maps;

    begin();
    CHECK(muster_barrier(world) == MUSTER_OK);
    maps = fopen("/proc/self/maps", "re");
    while (rank == 1 && maps && fgets(text, sizeof text, maps))
        if (strstr(text, "memfd:muster") && sscanf(text, "%lx-%lx", &from, &to) == 2 && to - from == 4096)
            page = from;
    CHECK(rank != 1 || page);
    if (rank == 1) {
        *(uint32_t *)page = (uint32_t)atoi(word); // NOLINT(performance-no-int-to-ptr)
        raise(SIGKILL);
    }
    expect_death("rank 1 was killed by signal 9");
    done();
}

/* One fails while the others wait for it. */
static void fails(void)
{
    begin();
    CHECK(muster_barrier(world) == MUSTER_OK);
    if (rank == 1) {
        done();
        exit(7);
    }
    expect_death("rank 1 left the group");
    done();
}

/* All fail: nobody is missed. */
static void all_fail(void)
{
    begin();
    done();
    CHECK(muster_barrier(world) == MUSTER_OK); /* the launcher kills all when one has failed */
    exit(7);
}

static bool no_room; /* for an arena */

/* In place of the C library's. */
void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t from)
{
    if (no_room && (flags & MAP_SHARED) && bytes > 1UL << 30) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, from);
}

/* One cannot map the arena, when the others have begun to wait for it there; it ends. */
static void has_no_room(void)
{
    const char *place = getenv("OMPI_COMM_WORLD_RANK");

    no_room = atoi(place ? place : getenv("PMI_RANK")) == 1;
    CHECK(muster_init(true, "mpi", &world) != MUSTER_OK);
    done();
}

/* One fails and gives up; the others come to their end when it is gone, and it has begun the barrier there.
 */
static void gives_up(void)
{
    int pid = getpid();

    begin();
    CHECK(muster_broadcast(&pid, &pid, 1, MUSTER_INT32, 0, world) == MUSTER_OK);
    CHECK(muster_barrier(world) == MUSTER_OK);
    if (rank == 0)
        exit(7);
    while (getpgid(pid) >= 0)
        sched_yield();
    done();
}

/* One ends well, much earlier than the others, and waits for them. */
static void early(void)
{
    muster_group *others;
    int ranks[64];

    begin();
    for (int i = 1; i < size; i++)
        ranks[i - 1] = i;
    if (rank > 0) {
        CHECK(muster_group_subset(world, ranks, size - 1, &others) == MUSTER_OK);
        for (int i = 0; i < 1000; i++)
            CHECK(muster_barrier(others) == MUSTER_OK);
    }
    done();
}

/* ---- what fails on all ranks, in the words of one ---- */

static void refused(const char *words)
{
    muster_status status = muster_init(false, "mpi", &world);

    CHECK(status != MUSTER_OK);
    if (!strstr(muster_error_detail(), words))
        SAY("%s: says %s\n", name, muster_error_detail());
    else
        done();
}

/* The program is gone from its folder, where others may put what they like. */
static void unlinked(const char *words)
{
    char path[4096] = "";

    CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0 && unlink(path) == 0);
    refused(words);
}

/* What a module says that has a library of its own. */
static const char *ask_module(void *module)
{
    const char *(*works)(void) = NULL;
    void *found = module ? dlsym(module, "mpi_module_works") : NULL;

    memcpy(&works, &found, sizeof found);
    CHECK(works);
    return works();
}

/* The module is closed while its rank has still to leave. */
static void closes(const char *path)
{
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const char *wrong = ask_module(module);

    if (wrong)
        SAY("%s: the module says %s\n", name, wrong);
    dlclose(module);
    done();
}

/* One rank of MPI's is not two of muster's. */
static void twice(const char *path)
{
    begin();
    const char *wrong = ask_module(dlopen(path, RTLD_NOW | RTLD_LOCAL));
    CHECK(wrong && strstr(wrong, "another copy of muster's library"));
    CHECK(muster_barrier(world) == MUSTER_OK);
    done();
}

/* Calls a function of an MPI that nobody else sees, as a module of Python's has one. */
static void call_hidden(void *library, const char *function)
{
    int (*fn)(void *, void *) = NULL;
    void *found = dlsym(library, function);

    memcpy(&fn, &found, sizeof found);
    CHECK(fn && fn(NULL, NULL) == 0);
}

static void hidden(const char *path, bool usable)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

    CHECK(library);
    call_hidden(library, "MPI_Init");
    if (usable)
        begin();
    else {
        CHECK(muster_init(true, "mpi", &world) == MUSTER_ERR_UNAVAILABLE);
        CHECK(strstr(muster_error_detail(), "this process has two MPIs"));
    }
    call_hidden(library, "MPI_Finalize");
    done();
}

/* As many operations as are asked for: time per operation, for whoever looks. */
static void turns(const char *count)
{
    float one = 1, sum;

    struct timespec from, to;

    begin();
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = atoi(count); i > 0; i--)
        CHECK(muster_all_sum(&one, &sum, 1, MUSTER_FLOAT32, world) == MUSTER_OK);
    clock_gettime(CLOCK_MONOTONIC, &to);
    SAY("%s: %.3f us\n", name,
        ((double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_nsec - from.tv_nsec) / 1e3) / atoi(count));
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = { { "works", works },
                  { "frees", frees },
                  { "frees_late", frees_late },
                  { "forks", forks },
                  { "alone", alone },
                  { "pages", pages },
                  { "killed", killed },
                  { "survives", survives },
                  { "fails", fails },
                  { "all_fail", all_fail },
                  { "gives_up", gives_up },
                  { "early", early },
                  { "has_no_room", has_no_room } };
    static const struct {
        const char *name;
        void (*run)(const char *argument);
    } others[] = { { "refused", refused }, { "unlinked", unlinked }, { "closes", closes },
                   { "twice", twice },     { "turns", turns },       { "decides", decides } };

    name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(name, cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    for (size_t i = 0; argc > 2 && i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i].name) == 0) {
            others[i].run(argv[2]);
            return 0;
        }
    if (argc > 2 && (strcmp(name, "hidden") == 0 || strcmp(name, "hidden_other") == 0))
        hidden(argv[2], name[strlen("hidden")] == '\0');
    else
        return 2;
    return 0;
}
