/* The bytes of an arena that a rank is to attach to: what its header says is not believed. The input is
 * laid over the header of a good arena, so that the first bytes decide what is checked last. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/arena/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    mst_arena_plan plan = { .size = 1, .arena_bytes = 96 << 20, .staging_bytes = 8192 };
    muster_config config = MUSTER_CONFIG_INIT;
    unsigned char header[sizeof(mst_header)];
    muster_group *world;
    mst_arena *arena;
    char name[16];
    float x = 1;

    if (mst_arena_create(&plan, &arena) != MUSTER_OK)
        abort(); /* else nothing would be tried */
    memcpy(header, arena->geometry.base, sizeof header);
    for (size_t i = 0; i < bytes && i < sizeof header; i++)
        header[i] ^= data[i];
    if (pwrite(arena->held.fd, header, sizeof header, 0) != (ssize_t)sizeof header)
        return 0;
    snprintf(name, sizeof name, "fd:%d", arena->held.fd);
    config.arena = name;
    config.attach_timeout_ns = 1000000;
    if (muster_attach(&config, &world) == MUSTER_OK) {
        muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world);
        muster_group_free(world);
    }
    mst_arena_close(arena);
    return 0;
}
