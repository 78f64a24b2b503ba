/* Finds backends, and attaches with one. */
#ifndef MST_API_ATTACH_H
#define MST_API_ATTACH_H

#include "src/backend.h"

/* The backend of that name; for NULL or "any" the best one, and so for "mpi" in a rank that a launcher of
 * ours has started. NULL: there is none. */
const mst_backend *mst_backend_find(const char *name);

/* muster_attach with that backend. */
muster_status mst_attach_by(const mst_backend *backend, const muster_config *given, muster_group **world);

/* This process cannot attach with that backend, for a reason that has been recorded: whoever waits for it is
 * told. Of the config only limits and the interrupt count. Returns the status. */
muster_status mst_decline(const mst_backend *backend, const muster_config *config, muster_status status);

#endif
