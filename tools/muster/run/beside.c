/* Looks at the places of beside.h. */
#include "tools/muster/run/beside.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool find_beside(const char *const places[2], char path[BESIDE_BYTES])
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    if (length <= 0)
        return false;
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (int i = 0; i < 2; i++)
        if (snprintf(path, BESIDE_BYTES, "%s/%s", self, places[i]) < BESIDE_BYTES && access(path, R_OK) == 0)
            return true;
    return false;
}
