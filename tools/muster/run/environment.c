/* Finding the environment of environment.h, by the file that Python itself knows it by. */
#define _DEFAULT_SOURCE /* realpath */
#include "tools/muster/run/environment.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* The folder of the path that the command was called by. A link to it, which pipx makes, is no call of that
 * environment: its user has another Python. */
static bool find_folder(char folder[PATH_MAX])
{
    const char *called = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char as_called[PATH_MAX];

    if (!called || snprintf(as_called, sizeof as_called, "%s", called) >= (int)sizeof as_called)
        return false;
    char *slash = strrchr(as_called, '/');
    if (!slash)
        return false;
    slash[1] = '\0';
    return realpath(as_called, folder) != NULL;
}

static bool is_in_path(const char *folder, const char *path)
{
    size_t bytes = strlen(folder);

    for (; path; path = strchr(path, ':') ? strchr(path, ':') + 1 : NULL)
        if (strncmp(path, folder, bytes) == 0 && (path[bytes] == ':' || path[bytes] == '\0'))
            return true;
    return false;
}

void prefer_environment(void)
{
    const char *path = getenv("PATH");
    char folder[PATH_MAX], mark[PATH_MAX + sizeof "/../pyvenv.cfg"];

    if (!find_folder(folder) || is_in_path(folder, path))
        return;
    snprintf(mark, sizeof mark, "%s/../pyvenv.cfg", folder);
    if (access(mark, R_OK) != 0)
        return;
    if (!path)
        path =
            "/usr/local/bin:/usr/bin:/bin"; /* what is searched without one, and is not any more with ours */
    size_t bytes = strlen(folder) + strlen(path) + 2;
    char *both = malloc(bytes);
    if (!both)
        return;
    snprintf(both, bytes, "%s:%s", folder, path);
    setenv("PATH", both, 1);
    free(both);
}
