/*
 * Arena memory in large pages, without privilege. This header depends on nothing else of the library, because
 * `muster doctor` uses it too.
 */
#ifndef MST_HUGE_H
#define MST_HUGE_H

#include <stdbool.h>

#define MST_HUGE_PAGE_BYTES (2ULL << 20)

/* Whether there is so much memory that some large pages for each of `ranks`, mostly empty, do not matter. */
bool mst_huge_pages_fit(int ranks);

/*
 * A file without a name, of mode 0600, on a file system (tmpfs, huge=always, of no size limit) that is
 * mounted for it alone, and nowhere: no path leads there. A forked child mounts it and hands over the
 * descriptor, since a sandbox may kill whoever makes these calls: as it is if it may, else in namespaces of
 * its own. It cannot be sealed. Returns the descriptor, or -errno and in *why what could not be done;
 * `helped`: whether it took the namespaces.
 */
int mst_os_object_create_huge(const char **why, int *helped);

#endif
