/* The environment: lines NAME=VALUE, of which names that begin with MUSTER_ count. Attaching to what they
 * describe is left out, as it would wait. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "src/pure/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static const char *const names[] = {
    "MUSTER_ARENA",
    "MUSTER_RANK",
    "MUSTER_SIZE",
    "MUSTER_ATTACH_TIMEOUT",
    "MUSTER_TIMEOUT",
    "MUSTER_ARENA_BYTES",
    "MUSTER_LIVENESS",
    "MUSTER_REPORT_CRASHES",
    "MUSTER_STAGING_BYTES",
    "MUSTER_STREAM_BYTES",
    "MUSTER_TUNING",
    "MUSTER_PRETEND_TOPOLOGY",
    "MUSTER_ISA",
    "MUSTER_ONE_THREAD",
    "MUSTER_RESTARTS",
    "MUSTER_FAULT",
    "MUSTER_CHAOS",
    "MUSTER_LOG",
    "MUSTER_THREADS_MULTIPLE",
    "MUSTER_PROGRESS_THREAD",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    muster_config config = MUSTER_CONFIG_INIT;
    size_t value = 0;
    char *text = malloc(bytes + 1);
    int fd, domains, ranks;

    if (!text)
        return 0;
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        char *equals = strchr(line, '=');

        if (!equals || strncmp(line, "MUSTER_", 7) != 0)
            continue;
        *equals = '\0';
        setenv(line, equals + 1, 1);
    }
    mst_config_stream_bytes(&value);
    mst_config_topology(&domains, &ranks);
    if (mst_config_from_environment(&config) == MUSTER_OK && config.arena)
        mst_config_descriptor(config.arena, &fd);
    free(text);
    return 0;
}
