/* Finds and preloads the library of bindings/malloc, for arena_malloc.h. */
#include "tools/muster/run/arena_malloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Installed, and in the build tree. */
static const char *const places[2] = { MUSTER_MALLOC_INSTALLED, "../bindings/malloc/libmuster_malloc.so" };

bool find_arena_malloc(char path[BESIDE_BYTES])
{
    return find_beside(places, path);
}

bool prepare_arena_malloc(char path[BESIDE_BYTES])
{
    if (!find_arena_malloc(path)) {
        fprintf(
            stderr,
            "muster run: there is no libmuster_malloc.so beside this command: --arena-malloc needs a whole "
            "installation of muster, without sanitizers\n");
        return false;
    }
    if (strpbrk(path, " :")) { /* which separate libraries in LD_PRELOAD */
        fprintf(stderr, "muster run: --arena-malloc: the folder of %s has a space or a colon in its name\n",
                path);
        return false;
    }
    return true;
}

void apply_arena_malloc(const char *path)
{
    const char *others = getenv("LD_PRELOAD");
    char both[2 * BESIDE_BYTES];

    setenv("MUSTER_ARENA_MALLOC", "1", 1);
    if (others && others[0] && snprintf(both, sizeof both, "%s:%s", path, others) < (int)sizeof both)
        path = both;
    setenv("LD_PRELOAD", path, 1);
}
