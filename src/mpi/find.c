/* Chooses, finds and loads a plug-in, as described in find.h. */
#define _GNU_SOURCE /* RTLD_DEFAULT, dl_iterate_phdr, dladdr */
#include "src/mpi/find.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shm/base/error.h"
#include "shm/port/os.h"
#include "src/pure/config.h"

#define PATH_BYTES 4096

/* An MPI for which a plug-in can be built. */
typedef struct flavour {
    const char *name; /* in the plug-in's */
    const char *mpi;
    const char *variables; /* of its launcher begin so */
} flavour;

static const flavour flavours[] = { { "openmpi", "Open MPI", "OMPI_" }, { "mpich", "MPICH", "PMI_" } };

#define FLAVOURS (sizeof flavours / sizeof flavours[0])

/* ---- the MPIs that are loaded ---- */

#define LIBRARIES_MAX 16

typedef struct libraries {
    char paths[LIBRARIES_MAX][512];
    int count;
} libraries;

static int add_library(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    libraries *found = arg;
    const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;

    (void)bytes;
    if (strncmp(name, "libmpi", strlen("libmpi")) == 0 && found->count < LIBRARIES_MAX &&
        (size_t)snprintf(found->paths[found->count], sizeof found->paths[0], "%s", info->dlpi_name) <
            sizeof found->paths[0])
        found->count++;
    return 0;
}

/* An MPI is several libraries, which find the functions of one. */
static void list_libraries(libraries *found)
{
    found->count = 0;
    dl_iterate_phdr(add_library, found);
}

static bool has_begun(void *library)
{
    int (*initialized)(int *flag) = NULL;
    void *found = dlsym(library, "PMPI_Initialized");
    int flag = 0;

    memcpy(&initialized, &found, sizeof found); /* which does not convert to a function in ISO C */
    return initialized && initialized(&flag) == 0 && flag;
}

/* The path of an MPI that the program has begun and whose PMPI_Init is not `but`; NULL: none. *which: its
 * flavour. */
static const char *find_begun(libraries *found, const void *but, const flavour **which)
{
    list_libraries(found);
    for (int i = 0; i < found->count; i++) {
        void *library = dlopen(found->paths[i], RTLD_LAZY | RTLD_NOLOAD);
        const void *init = library ? dlsym(library, "PMPI_Init") : NULL;
        bool begun = init && init != but && has_begun(library);

        if (begun)
            *which = &flavours[dlsym(library, "ompi_mpi_comm_world") ? 0 : 1];
        if (library)
            dlclose(library); /* it stays loaded by whoever has loaded it */
        if (begun)
            return found->paths[i];
    }
    return NULL;
}

bool mst_mpi_is_begun(void)
{
    const flavour *which;
    libraries found;

    return mst_config_mpi_launcher() || find_begun(&found, NULL, &which);
}

bool mst_mpi_program_has_begun(void)
{
    const flavour *which;
    libraries found;

    return mst_config_mpi_launcher() && find_begun(&found, NULL, &which);
}

/* ---- choosing ---- */

static const flavour *named(const char *name)
{
    for (size_t i = 0; name && i < FLAVOURS; i++)
        if (strcmp(name, flavours[i].name) == 0)
            return &flavours[i];
    return NULL;
}

/* NULL: there is no reason for one. */
static const flavour *choose(void)
{
    const char *variable = mst_config_mpi_launcher();
    const flavour *which = named(mst_config_mpi());
    libraries found;

    if (which || find_begun(&found, NULL, &which))
        return which;
    for (size_t i = 0; variable && i < FLAVOURS; i++)
        if (strncmp(variable, flavours[i].variables, strlen(flavours[i].variables)) == 0)
            return &flavours[i];
    return NULL;
}

/* ---- places ---- */

/* What has been found; empty: nothing. */
typedef struct place {
    char path[PATH_BYTES];
    char refused[PATH_BYTES]; /* the first that is there, and not trusted */
} place;

static bool try(const flavour *which, const char *folder, size_t bytes, uint32_t owner, place *found)
{
    char name[PATH_BYTES];

    if (bytes == 0 || folder[0] != '/' ||
        (size_t)snprintf(name, sizeof name, "%.*s/libmuster_mpi_%s.so", (int)bytes, folder, which->name) >=
            sizeof name)
        return false;
    if (mst_os_trusted_file(name, owner, found->path, sizeof found->path))
        return true;
    if (!found->refused[0] && access(name, F_OK) == 0)
        memcpy(found->refused, name, strlen(name) + 1);
    return false;
}

/* Beside the file that has this code: a shared library, or a program in bin. */
static bool try_beside(const flavour *which, uint32_t *owner, place *found)
{
    static const char *const places[] = { "/muster", "/../" MST_PLUGIN_LIBDIR "/muster" };
    char own[PATH_BYTES], folder[PATH_BYTES];

    if (!mst_os_mapped_file(flavours, own, sizeof own, owner))
        return false;
    *strrchr(own, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t bytes = (size_t)snprintf(folder, sizeof folder, "%s%s", own, places[i]);

        if (bytes < sizeof folder && try(which, folder, bytes, *owner, found))
            return true;
    }
    return false;
}

static bool find(const flavour *which, place *found)
{
    uint32_t owner = 0;

    if (try_beside(which, &owner, found))
        return true;
    for (const char *folder = MST_PLUGIN_PLACES; *folder;) {
        size_t bytes = strcspn(folder, ":");

        if (try(which, folder, bytes, owner, found))
            return true;
        folder += bytes + (folder[bytes] == ':');
    }
    return false;
}

/* Where it is; an empty path: nowhere. *which: the flavour that was looked for, NULL: each. */
static muster_status locate(const flavour **which, place *found)
{
    const char *setting = mst_config_mpi();

    *which = NULL;
    found->path[0] = found->refused[0] = '\0';
    if (setting && setting[0] == '/') {
        snprintf(found->path, sizeof found->path, "%s", setting);
        return MUSTER_OK;
    }
    if (setting && !named(setting))
        return mst_fail(MUSTER_ERR_INVALID,
                        "MUSTER_MPI is \"%.40s\"; expected openmpi, mpich, or the path of a plug-in",
                        setting);
    *which = choose();
    for (size_t i = 0; i < FLAVOURS; i++)
        if ((!*which || *which == &flavours[i]) && find(&flavours[i], found))
            return MUSTER_OK;
    found->path[0] = '\0';
    return MUSTER_OK;
}

bool mst_plugin_is_there(void)
{
    const flavour *which;
    place found;

    return locate(&which, &found) == MUSTER_OK && found.path[0] && access(found.path, R_OK) == 0;
}

/* ---- loading ---- */

static const char *file_with(const void *address)
{
    Dl_info info;

    return address && dladdr(address, &info) && info.dli_fname ? info.dli_fname : "this program";
}

/*
 * Calls of the plug-in would go to another MPI that is global, whose handles differ; muster's library for MLX
 * is such a one, without the names of the profiling interface, which a tool that only counts calls leaves
 * alone. And two MPIs cannot both be the process that the launcher has started.
 */
static muster_status refuse_second_mpi(const char *path, void *library)
{
    const void *own = dlsym(library, "PMPI_Init"), *global = dlsym(RTLD_DEFAULT, "PMPI_Init");
    const void *other = global ? global : dlsym(RTLD_DEFAULT, "MPI_Init");
    const flavour *which;
    libraries found;

    const char *name = other && other != own ? file_with(other) : find_begun(&found, own, &which);
    if (!name)
        return MUSTER_OK;
    return mst_fail(
        MUSTER_ERR_UNAVAILABLE,
        "this process has two MPIs, %.200s and %.200s, for which %.200s is; use one of them, or set "
        "MUSTER_MPI",
        name, file_with(own), path);
}

static muster_status open_table(const char *path, void *library, const mst_plugin **plugin)
{
    const mst_plugin *table = dlsym(library, MST_PLUGIN_NAME);

    if (!table)
        return mst_fail(MUSTER_ERR_UNAVAILABLE, "%.300s is no plug-in of muster", path);
    if (table->version != MST_PLUGIN_VERSION)
        return mst_fail(
            MUSTER_ERR_UNAVAILABLE,
            "%.300s is for version %u of what plug-ins are asked, and this is version %d; install "
            "those of one muster",
            path, table->version, MST_PLUGIN_VERSION);
    muster_status status = refuse_second_mpi(path, library);
    if (status == MUSTER_OK)
        *plugin = table;
    return status;
}

static muster_status refuse_missing(const flavour *which, const place *found)
{
    if (found->refused[0])
        return mst_fail(
            MUSTER_ERR_UNAVAILABLE,
            "%.250s is not loaded: it and its folder must belong to this user, the superuser or the owner of "
            "muster's library, and not everybody may write there; mend that, or name it in MUSTER_MPI",
            found->refused);
    return mst_fail(
        MUSTER_ERR_UNAVAILABLE,
        "there is no plug-in for %s: libmuster_mpi_%s.so is neither in the folder muster beside this "
        "library nor in %s; install libmuster-%s, or build muster where pkg-config finds that MPI",
        which ? which->mpi : "an MPI", which ? which->name : "openmpi", MST_PLUGIN_PLACES,
        which ? which->name : "openmpi");
}

muster_status mst_plugin_load(const mst_plugin **plugin)
{
    const flavour *which;
    place found;

    muster_status status = locate(&which, &found);
    const char *path = found.path;
    if (status == MUSTER_OK && path[0] == '\0')
        status = refuse_missing(which, &found);
    if (status != MUSTER_OK)
        return status;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return mst_fail(MUSTER_ERR_UNAVAILABLE, "cannot load the plug-in for MPI: %.400s", dlerror());
    status = open_table(path, library, plugin);
    if (status != MUSTER_OK)
        dlclose(library);
    return status;
}

muster_status mst_plugin_refuse_alone(const mst_plugin *plugin)
{
    int value;
    const char *variable = mst_config_mpi_not_alone(&value);

    if (!variable)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_UNAVAILABLE,
                    "%s is %d, and %s, which the plug-in is for, says that there is 1 rank: use that MPI's "
                    "launcher, or set "
                    "MUSTER_MPI to openmpi or mpich",
                    variable, value, plugin->mpi);
}
