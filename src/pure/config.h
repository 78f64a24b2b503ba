/*
 * What the user asked for: the MUSTER_* variables and the public structs, read, checked and turned into plain
 * values. Reads the environment when asked to and keeps no state.
 */
#ifndef MST_CONFIG_H
#define MST_CONFIG_H

#include "muster/muster.h"

/* Copies a caller's struct of any version into ours (src/pure/sized.h), and replaces 0 by the defaults.
 */
muster_status mst_config_accept(const muster_config *given, muster_config *config);
muster_status mst_launch_config_accept(const muster_launch_config *given, muster_launch_config *config);

/* Whether the environment asks for a world. */
bool mst_config_launched(void);

/* Reads all settings from the environment. config->arena points into it. */
muster_status mst_config_from_environment(muster_config *config);

/* Only the sizes, which any creator of an arena may set: MUSTER_ARENA_BYTES, MUSTER_STAGING_BYTES. */
muster_status mst_config_sizes_from_environment(size_t *arena_bytes, size_t *staging_bytes);

/* MUSTER_HUGE_PAGES: true if unset. */
muster_status mst_config_huge_pages(bool *wanted);

/* Parses "fd:N"; false for any other text. */
bool mst_config_descriptor(const char *arena, int *fd);

/* MUSTER_ISA, NULL when unset. */
const char *mst_config_isa(void);

/* MUSTER_TUNING, NULL when unset. */
const char *mst_config_tuning(void);

/* MUSTER_ATTACH_TIMEOUT, or MUSTER_TIMEOUT, for a rank whose other variables may make no sense; 0: unset, or
 * no time. Leaves the thread's latest error. */
int64_t mst_config_attach_limit(void);

/* MUSTER_FAKE_HOSTS, NULL when unset. */
const char *mst_config_fake_hosts(void);

/* MUSTER_MPI, NULL when unset. */
const char *mst_config_mpi(void);

/* The variable by which an MPI's launcher tells this process its place; NULL: none is set. */
const char *mst_config_mpi_launcher(void);

/* The variable by which an MPI's launcher tells this process that it is not alone, and its value; NULL: none
 * does. */
const char *mst_config_mpi_not_alone(int *value);

/* MUSTER_PRETEND_TOPOLOGY, "DOMAINSxRANKS"; both 0: unset. */
muster_status mst_config_topology(int *domains, int *ranks);

/* XDG_CACHE_HOME, or HOME with what it then means; NULL: neither is an absolute path, or not to be trusted.
 */
const char *mst_config_cache(const char **below);

/* MUSTER_STREAM_BYTES, which replaces the measured threshold; leaves *bytes alone if unset. */
muster_status mst_config_stream_bytes(size_t *bytes);

/* Parses "2.5" seconds to nanoseconds; false unless the text is a number > 0 and less than a century. */
bool mst_config_seconds(const char *text, int64_t *ns);

/* Parses "4096", "64k", "2M" or "1G" to bytes; false for anything else. */
bool mst_config_bytes(const char *text, size_t *bytes);

#endif
