/* The environment variables that muster reads. docs/CONFIG.md describes them, and a test compares both with
 * the code. */
#include <string.h>

#include "muster/muster.h"

static const char *const known[] = {
    "MUSTER_ARENA",
    "MUSTER_ARENA_BYTES",
    "MUSTER_ARENA_MALLOC",
    "MUSTER_ATTACH_TIMEOUT",
    "MUSTER_CHAOS",
    "MUSTER_EXACT_TIMES",
    "MUSTER_FAKE_HOSTS",
    "MUSTER_FAULT",
    "MUSTER_HUGE_PAGES",
    "MUSTER_ISA",
    "MUSTER_LIVENESS",
    "MUSTER_LOG",
    "MUSTER_MLX_ON_ERROR",
    "MUSTER_MPI",
    "MUSTER_ONE_THREAD",
    "MUSTER_PRETEND_TOPOLOGY",
    "MUSTER_PROGRESS_THREAD",
    "MUSTER_RANK",
    "MUSTER_REPORT_CRASHES",
    "MUSTER_RESTARTS",
    "MUSTER_SIZE",
    "MUSTER_STAGING_BYTES",
    "MUSTER_STREAM_BYTES",
    "MUSTER_THREADS_MULTIPLE",
    "MUSTER_TIMEOUT",
    "MUSTER_TORCH_BACKEND",
    "MUSTER_TUNING",
    NULL,
};

const char *const *muster_variables(void)
{
    return known;
}

bool muster_is_variable(const char *name)
{
    if (strncmp(name, "MUSTER_", 7) != 0)
        return true;
    for (size_t i = 0; known[i]; i++)
        if (strcmp(name, known[i]) == 0)
            return true;
    return false;
}
