/*
 * The part of the port contract of os.h about the program itself, on Linux 5.10 and later: its end, and the
 * files that it is made of.
 */
#define _GNU_SOURCE
#include "shm/port/os.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 4352 /* a path of PATH_MAX, and what is before it */

void mst_os_keep_code(const void *at)
{
    Dl_info info;

    /* The handle is dropped: the flag stays. For a program, which the linker may not find by its name, this
     * does nothing. */
    if (dladdr(at, &info) && info.dli_fname)
        dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

int mst_os_at_exit(void (*fn)(int status, void *arg), void *arg)
{
#ifdef __GLIBC__
    return on_exit(fn, arg) == 0 ? 0 : -ENOMEM;
#else
    (void)fn, (void)arg;
    return -ENOSYS;
#endif
}

/* The path in a line of /proc/self/maps, if `at` is in its range; NULL: it is not, or it is no file. */
static char *file_of(char *line, uintptr_t at, unsigned long *inode)
{
    unsigned long begin, end;
    char *path = strchr(line, '/'), *newline = strchr(line, '\n');

    if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &begin, &end, inode) != 3 || at < begin || at >= end ||
        !path || !newline)
        return NULL;
    *newline = '\0';
    return path;
}

/* A file that was removed is named "PATH (deleted)", which anybody may have made since. */
static bool is_gone(const char *path)
{
    static const char mark[] = " (deleted)";
    size_t length = strlen(path), of_mark = sizeof mark - 1;

    return length >= of_mark && strcmp(path + length - of_mark, mark) == 0;
}

bool mst_os_mapped_file(const void *at, char *path, size_t bytes, uint32_t *owner)
{
    char line[LINE_BYTES], *found = NULL;
    unsigned long inode = 0;
    FILE *file = fopen("/proc/self/maps", "re");
    struct stat st;

    if (!file)
        return false;
    while (!found && fgets(line, sizeof line, file))
        found = file_of(line, (uintptr_t)at, &inode);
    fclose(file);
    if (!found || (size_t)snprintf(path, bytes, "%s", found) >= bytes)
        return false;
    /* Devices are not compared: those of overlayfs and btrfs differ between the two. */
    if (is_gone(path) || stat(path, &st) < 0 || st.st_ino != inode)
        return false;
    *owner = st.st_uid;
    return true;
}

static bool is_trusted(const char *path, uint32_t owner)
{
    struct stat st;

    return lstat(path, &st) == 0 && (st.st_uid == 0 || st.st_uid == geteuid() || st.st_uid == owner) &&
           !(st.st_mode & S_IWOTH);
}

static bool is_in_trusted_folder(const char *path, uint32_t owner)
{
    char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL, *resolved = NULL;

    if (slash) {
        slash[slash == folder] = '\0';
        resolved = realpath(folder, NULL);
    }
    bool trusted = resolved && is_trusted(resolved, owner);
    free(resolved);
    free(folder);
    return trusted;
}

bool mst_os_trusted_file(const char *path, uint32_t owner, char *found, size_t bytes)
{
    char *resolved = realpath(path, NULL);

    /* The path's own folder, too: whoever may write there has made a link, if it is one. */
    bool trusted = resolved && (size_t)snprintf(found, bytes, "%s", resolved) < bytes &&
                   is_trusted(resolved, owner) && is_in_trusted_folder(resolved, owner) &&
                   is_in_trusted_folder(path, owner);
    free(resolved);
    return trusted;
}
