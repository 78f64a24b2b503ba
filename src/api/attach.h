/* Which backends there are, and attaching by one. */
#ifndef MST_API_ATTACH_H
#define MST_API_ATTACH_H

#include "src/backend.h"

/* The one of that name; NULL or "any": the best there is. NULL: there is none. */
const mst_backend *mst_backend_find(const char *name);

/* muster_attach, by that backend. */
muster_status mst_attach_by(const mst_backend *backend, const muster_config *given, muster_group **world);

#endif
