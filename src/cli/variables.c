/* The list of variables.h; docs/CONFIG.md explains them, and a test compares the two with the code. */
#include "src/cli/variables.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const char *const known[] = {
    "MUSTER_ARENA",         "MUSTER_ARENA_BYTES",    "MUSTER_ATTACH_TIMEOUT", "MUSTER_EXACT_TIMES",
    "MUSTER_ISA",           "MUSTER_LIVENESS",       "MUSTER_MLX_ON_ERROR",   "MUSTER_ONE_THREAD",
    "MUSTER_RANK",          "MUSTER_REPORT_CRASHES", "MUSTER_RESTARTS",       "MUSTER_SIZE",
    "MUSTER_STAGING_BYTES", "MUSTER_STREAM_BYTES",   "MUSTER_TIMEOUT",
};

extern char **environ;

bool is_variable_known(const char *setting)
{
    size_t bytes = strcspn(setting, "=");

    if (strncmp(setting, "MUSTER_", 7) != 0)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strlen(known[i]) == bytes && strncmp(setting, known[i], bytes) == 0)
            return true;
    return false;
}

void warn_of_variables(const char *command)
{
    for (char **setting = environ; *setting; setting++)
        if (!is_variable_known(*setting))
            fprintf(stderr, "muster %s: nobody reads %.*s; muster(1) lists the variables\n", command,
                    (int)strcspn(*setting, "="), *setting);
}
