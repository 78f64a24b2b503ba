/* Put where a plug-in might be looked for: says that it was loaded, by a file that TEST_HOSTILE names. */
#include <fcntl.h>
#include <stdlib.h>

static void __attribute__((constructor)) say_so(void)
{
    const char *name = getenv("TEST_HOSTILE");

    if (name)
        creat(name, 0600);
}
