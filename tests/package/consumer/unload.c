/* A program that opens the library at run time and closes it again while it is a rank, and reports its
 * crashes: threads and handlers of the library's go on. Arguments: the library, and "crash". */
#include <dlfcn.h>
#include <muster/muster.h>
#include <signal.h>

typedef muster_status init_fn(bool strict, const char *backend, muster_group **world);
typedef muster_status group_fn(muster_group *group);

int main(int argc, char **argv)
{
    void *library = dlopen(argv[1], RTLD_NOW);
    muster_group *world;

    if (!library)
        return 1;
    init_fn *init = (init_fn *)dlsym(library, "muster_init");
    group_fn *barrier = (group_fn *)dlsym(library, "muster_barrier");
    group_fn *report_crashes = (group_fn *)dlsym(library, "muster_report_crashes");
    if (init(true, NULL, &world) || report_crashes(world) || barrier(world) || dlclose(library))
        return 2;
    return argc > 2 ? raise(SIGFPE) : 0;
}
