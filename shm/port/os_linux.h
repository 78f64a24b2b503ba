/* What the files of the port to Linux (os_linux*.c) share, and no other file sees. */
#ifndef MST_OS_LINUX_H
#define MST_OS_LINUX_H

#include <stdbool.h>
#include <stddef.h>

/* Reads what fits of a file of /proc at that path below the directory, and ends it with 0. False: there is
 * none, or nothing in it. */
bool mst_os_read_at(int directory, const char *path, char *text, size_t bytes);

#endif
