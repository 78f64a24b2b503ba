/*
 * A rank that MPI's launcher has started, and that begins MPI itself, for some threads: what of that is
 * enough for those of muster over several hosts. Its argument says what it does; what it finds it prints in
 * one line: "CASE: done", or what was wrong.
 */
#include <mpi.h>
#include <string.h>

#include "muster/muster.h"
#include "tests/mpi/say.h"

static void done(void)
{
    SAY("%s: done\n", name);
}

/* The variables say which threads there are; of fewer than they need MPI is asked in words. */
static void begins_for(int wanted, int needed, const char *words)
{
    int level;

    CHECK(MPI_Init_thread(NULL, NULL, wanted, &level) == MPI_SUCCESS);
    muster_status status = muster_init(true, "mpi", &world);
    if (level < needed) {
        CHECK(status == MUSTER_ERR_UNSUPPORTED);
        CHECK(strstr(muster_error_detail(), words));
    } else {
        CHECK(status == MUSTER_OK);
        CHECK(muster_barrier(world) == MUSTER_OK);
    }
    MPI_Finalize();
    done();
}

static void begins_serialized(void) /* too little for a progress thread */
{
    begins_for(MPI_THREAD_SERIALIZED, MPI_THREAD_MULTIPLE,
               "a progress thread (MUSTER_PROGRESS_THREAD, progress_thread) calls");
}

static void begins_funneled(void) /* too little for several */
{
    begins_for(MPI_THREAD_FUNNELED, MPI_THREAD_SERIALIZED,
               "several threads at once (MUSTER_THREADS_MULTIPLE, threads_multiple) call");
}

static void begins_in_turn(void) /* enough for several */
{
    begins_for(MPI_THREAD_SERIALIZED, MPI_THREAD_SERIALIZED, "");
}

/* A progress thread beside the program's own calls; it ends with the world, before MPI does: MPICH does not
 * let another thread be in a call then. */
static void ends_beside(void)
{
    int level, got = -1, one = 1, sum;
    muster_request pending = MUSTER_REQUEST_INIT;

    CHECK(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level) == MPI_SUCCESS);
    CHECK(level == MPI_THREAD_MULTIPLE);
    CHECK(muster_init(true, "mpi", &world) == MUSTER_OK);
    rank = muster_group_rank(world);
    size = muster_group_size(world);
    CHECK(muster_recv_start(&got, 1, MUSTER_INT32, (rank + 1) % size, 9, world, NULL, &pending) == MUSTER_OK);
    for (int i = 0; i < 100; i++) {
        CHECK(MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS && sum == size);
        CHECK(muster_all_sum(&one, &sum, 1, MUSTER_INT32, world) == MUSTER_OK && sum == size);
    }
    CHECK(muster_send(&one, 1, MUSTER_INT32, (rank + size - 1) % size, 9, world) == MUSTER_OK);
    CHECK(muster_wait(&pending, 0) == MUSTER_OK && got == 1);
    CHECK(muster_group_free(world) == MUSTER_OK);
    MPI_Finalize();
    done();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = { { "begins_serialized", begins_serialized },
                  { "begins_funneled", begins_funneled },
                  { "begins_in_turn", begins_in_turn },
                  { "ends_beside", ends_beside } };

    name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(name, cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    return 2;
}
