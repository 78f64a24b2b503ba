/*
 * What the user asked for: the MUSTER_* variables and the public structs, read, checked and turned
 * into plain values. Reads the environment when told to and keeps nothing.
 */
#ifndef MST_CONFIG_H
#define MST_CONFIG_H

#include "muster/muster.h"

/* Copies a caller's struct of any version into ours (src/pure/sized.h), and puts the defaults in place of 0.
 */
muster_status mst_config_accept(const muster_config *given, muster_config *config);
muster_status mst_launch_config_accept(const muster_launch_config *given, muster_launch_config *config);

/* Whether the environment asks for a world. */
bool mst_config_launched(void);

/* Everything from the environment. config->arena points into it. */
muster_status mst_config_from_environment(muster_config *config);

/* The sizes alone, which whoever creates an arena may set: MUSTER_ARENA_BYTES, MUSTER_STAGING_BYTES. */
muster_status mst_config_sizes_from_environment(size_t *arena_bytes, size_t *staging_bytes);

/* N of "fd:N"; false when the text is no such thing. */
bool mst_config_descriptor(const char *arena, int *fd);

/* MUSTER_ISA, NULL when unset. */
const char *mst_config_isa(void);

/* MUSTER_STREAM_BYTES, in place of what would be measured; *bytes stays when unset. */
muster_status mst_config_stream_bytes(size_t *bytes);

/* "2.5" seconds as nanoseconds; false unless the text is a number > 0 and below a century. */
bool mst_config_seconds(const char *text, int64_t *ns);

/* "4096", "64k", "2M", "1G" as bytes; false for anything else. */
bool mst_config_bytes(const char *text, size_t *bytes);

#endif
