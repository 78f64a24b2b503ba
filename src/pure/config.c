/* Reads and checks what config.h describes. */
#define _GNU_SOURCE /* secure_getenv */
#include "src/pure/config.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/error.h"
#include "src/pure/sized.h"

muster_status mst_config_accept(const muster_config *given, muster_config *config)
{
    muster_status status = mst_sized_take(config, sizeof *config, given, "MUSTER_CONFIG_INIT");

    if (status == MUSTER_OK && config->size == 0)
        config->size = 1;
    return status;
}

muster_status mst_launch_config_accept(const muster_launch_config *given, muster_launch_config *config)
{
    muster_status status = mst_sized_take(config, sizeof *config, given, "MUSTER_LAUNCH_CONFIG_INIT");

    if (status == MUSTER_OK && config->size == 0)
        config->size = 1;
    return status;
}

/* ---- parsing ---- */

bool mst_config_seconds(const char *text, int64_t *ns)
{
    char *end;

    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return false;
    double seconds = strtod(text, &end);
    if (end == text || *end != '\0' || !(seconds > 0) || seconds > 3e9)
        return false;
    *ns = (int64_t)(seconds * 1e9);
    return *ns > 0;
}

bool mst_config_bytes(const char *text, size_t *bytes)
{
    const char *units = "kKmMgG", *unit;
    unsigned long long value;
    char *end;
    int shift = 0;

    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    value = strtoull(text, &end, 10);
    if (*end != '\0' && (unit = strchr(units, *end)) != NULL) {
        shift = 10 * (int)((unit - units) / 2 + 1);
        end++;
    }
    if (errno || *end != '\0' || value > (SIZE_MAX >> shift))
        return false;
    *bytes = (size_t)value << shift;
    return true;
}

bool mst_config_descriptor(const char *arena, int *fd)
{
    char *end;

    if (strncmp(arena, "fd:", 3) != 0 || !isdigit((unsigned char)arena[3]))
        return false;
    errno = 0;
    long value = strtol(arena + 3, &end, 10);
    *fd = (int)value;
    return errno == 0 && *end == '\0' && value <= 1 << 30;
}

/* ---- the environment ---- */

#define TOPOLOGY_MOST 1024

/* NULL also in a setuid program, whose environment is not to be trusted. */
static const char *variable(const char *name)
{
    const char *value = secure_getenv(name);

    return value && value[0] ? value : NULL;
}

const char *mst_config_isa(void)
{
    return variable("MUSTER_ISA");
}

const char *mst_config_tuning(void)
{
    return variable("MUSTER_TUNING");
}

const char *mst_config_fake_hosts(void)
{
    return variable("MUSTER_FAKE_HOSTS");
}

const char *mst_config_mpi(void)
{
    return variable("MUSTER_MPI");
}

muster_status mst_config_topology(int *domains, int *ranks)
{
    const char *text = variable("MUSTER_PRETEND_TOPOLOGY");
    size_t numbers[2] = { 0, 0 };
    char first[8] = "";
    size_t digits = text ? strcspn(text, "x") : 0;

    *domains = *ranks = 0;
    if (!text)
        return MUSTER_OK;
    if (text[digits] == 'x' && digits < sizeof first) {
        memcpy(first, text, digits);
        if (mst_config_bytes(first, &numbers[0]) && mst_config_bytes(text + digits + 1, &numbers[1]) &&
            numbers[0] - 1 < TOPOLOGY_MOST && numbers[1] - 1 < TOPOLOGY_MOST) {
            *domains = (int)numbers[0];
            *ranks = (int)numbers[1];
            return MUSTER_OK;
        }
    }
    return mst_fail(
        MUSTER_ERR_INVALID,
        "MUSTER_PRETEND_TOPOLOGY is \"%.40s\"; expected DOMAINSxRANKS, such as 4x8, with numbers from 1 to "
        "%d",
        text, TOPOLOGY_MOST);
}

const char *mst_config_cache(const char **below)
{
    const char *cache = variable("XDG_CACHE_HOME"), *home = variable("HOME");

    *below = "";
    if (cache && cache[0] == '/')
        return cache;
    *below = "/.cache";
    return home && home[0] == '/' ? home : NULL;
}

bool mst_config_launched(void)
{
    return variable("MUSTER_ARENA") || variable("MUSTER_RANK") || variable("MUSTER_SIZE");
}

static muster_status read_number(const char *name, int *number)
{
    const char *text = variable(name);
    char *end;

    if (!text)
        return mst_fail(MUSTER_ERR_INVALID,
                        "%s is not set; a rank needs MUSTER_ARENA, MUSTER_RANK and MUSTER_SIZE, which muster "
                        "run sets",
                        name);
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || *end != '\0' || !isdigit((unsigned char)text[0]) || value > 1 << 30)
        return mst_fail(MUSTER_ERR_INVALID, "%s is \"%.40s\"; expected a whole number", name, text);
    *number = (int)value;
    return MUSTER_OK;
}

static muster_status read_seconds(const char *name, int64_t *ns)
{
    const char *text = variable(name);

    if (!text || mst_config_seconds(text, ns))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "%s is \"%.40s\"; expected seconds, such as 30 or 2.5", name, text);
}

int64_t mst_config_attach_limit(void)
{
    static const char *const names[] = { "MUSTER_ATTACH_TIMEOUT", "MUSTER_TIMEOUT" };
    int64_t ns;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (variable(names[i]) && mst_config_seconds(variable(names[i]), &ns))
            return ns;
    return 0;
}

static muster_status read_bytes(const char *name, size_t *bytes)
{
    const char *text = variable(name);

    if (!text || mst_config_bytes(text, bytes))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "%s is \"%.40s\"; expected bytes, such as 4096, 64k or 2G", name,
                    text);
}

static muster_status read_switch(const char *name, bool *on)
{
    const char *text = variable(name);

    *on = text && strcmp(text, "1") == 0;
    if (!text || *on || strcmp(text, "0") == 0)
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID, "%s is \"%.40s\"; expected 1 or 0", name, text);
}

muster_status mst_config_stream_bytes(size_t *bytes)
{
    return read_bytes("MUSTER_STREAM_BYTES", bytes);
}

muster_status mst_config_huge_pages(bool *wanted)
{
    *wanted = true;
    return variable("MUSTER_HUGE_PAGES") ? read_switch("MUSTER_HUGE_PAGES", wanted) : MUSTER_OK;
}

muster_status mst_config_sizes_from_environment(size_t *arena_bytes, size_t *staging_bytes)
{
    muster_status status = MUSTER_OK;

    if (*arena_bytes == 0)
        status = read_bytes("MUSTER_ARENA_BYTES", arena_bytes);
    if (status == MUSTER_OK && *staging_bytes == 0)
        status = read_bytes("MUSTER_STAGING_BYTES", staging_bytes);
    return status;
}

static muster_status read_log_level(muster_log_level *level)
{
    static const char *const names[] = { "off", "warn", "info", "debug" };
    const char *text = variable("MUSTER_LOG");

    for (int i = 0; text && i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *level = (muster_log_level)i;
            return MUSTER_OK;
        }
    return text ? mst_fail(MUSTER_ERR_INVALID, "MUSTER_LOG is \"%.40s\"; expected warn, info or debug", text)
                : MUSTER_OK;
}

static muster_status read_seed(uint64_t *seed)
{
    const char *text = variable("MUSTER_CHAOS");
    char *end;

    if (!text)
        return MUSTER_OK;
    errno = 0;
    *seed = strtoull(text, &end, 10);
    if (errno || *end != '\0' || !isdigit((unsigned char)text[0]) || *seed == 0)
        return mst_fail(MUSTER_ERR_INVALID,
                        "MUSTER_CHAOS is \"%.40s\"; expected a seed, a whole number above 0", text);
    return MUSTER_OK;
}

muster_status mst_config_from_environment(muster_config *config)
{
    muster_config read = MUSTER_CONFIG_INIT;

    muster_status status = read_seconds("MUSTER_TIMEOUT", &read.timeout_ns);
    if (status == MUSTER_OK)
        status = read_seconds("MUSTER_ATTACH_TIMEOUT", &read.attach_timeout_ns);
    if (status == MUSTER_OK)
        status = mst_config_sizes_from_environment(&read.arena_bytes, &read.staging_bytes);
    if (status == MUSTER_OK)
        status = read_switch("MUSTER_REPORT_CRASHES", &read.report_crashes);
    if (status == MUSTER_OK)
        status = read_switch("MUSTER_ONE_THREAD", &read.one_thread);
    if (status == MUSTER_OK)
        status = read_switch("MUSTER_THREADS_MULTIPLE", &read.threads_multiple);
    if (status == MUSTER_OK)
        status = read_switch("MUSTER_EXACT_TIMES", &read.exact_times);
    if (status == MUSTER_OK)
        status = read_switch("MUSTER_PROGRESS_THREAD", &read.progress_thread);
    if (status == MUSTER_OK)
        status = read_switch("MUSTER_ARENA_MALLOC", &read.arena_malloc);
    if (status == MUSTER_OK)
        status = read_log_level(&read.log_level);
    if (status == MUSTER_OK)
        status = read_seed(&read.chaos);
    read.liveness = variable("MUSTER_LIVENESS");
    read.fault = variable("MUSTER_FAULT");
    if (status == MUSTER_OK && mst_config_launched()) {
        read.arena = variable("MUSTER_ARENA");
        if (!read.arena)
            return mst_fail(MUSTER_ERR_INVALID,
                            "MUSTER_RANK or MUSTER_SIZE is set and MUSTER_ARENA is not; expected /NAME, the "
                            "same on all ranks, or start them with muster run");
        status = read_number("MUSTER_RANK", &read.rank);
        if (status == MUSTER_OK)
            status = read_number("MUSTER_SIZE", &read.size);
        if (status == MUSTER_OK && read.size == 0) /* which in a config means 1 */
            status = mst_fail(MUSTER_ERR_INVALID, "MUSTER_SIZE is 0; expected 1 or more ranks");
        if (status == MUSTER_OK && variable("MUSTER_RESTARTS"))
            status = read_number("MUSTER_RESTARTS", &read.restarts);
    }
    if (status == MUSTER_OK)
        *config = read;
    return status;
}

/* ---- other launchers ---- */

/* Where other launchers put the number of ranks. */
static const char *const sizes[] = { "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS" };

const char *muster_other_launcher(int *size)
{
    if (mst_config_launched())
        return NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *text = variable(sizes[i]);
        long found = text ? strtol(text, NULL, 10) : 0;

        if (found < 2 || found > INT_MAX)
            continue;
        if (size)
            *size = (int)found;
        return sizes[i];
    }
    return NULL;
}

const char *mst_config_mpi_launcher(void)
{
    static const char *const places[] = { "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK" };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (variable(places[i]))
            return places[i];
    return NULL;
}

/* The number that a launcher has put there; -1: none. */
static int launcher_number(const char *name)
{
    const char *text = variable(name);
    long found = text && isdigit((unsigned char)text[0]) ? strtol(text, NULL, 10) : -1;

    return found <= INT_MAX ? (int)found : -1;
}

/* A size of MPI's own launchers is the truth. PMIx and Slurm tell it otherwise, or not at all. */
const char *mst_config_mpi_not_alone(int *value)
{
    static const char *const own[] = { "OMPI_COMM_WORLD_SIZE", "PMI_SIZE" };
    bool told = false;

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        *value = launcher_number(own[i]);
        if (*value > 1)
            return own[i];
        told = told || *value == 1;
    }
    *value = launcher_number("PMIX_RANK");
    if (told || *value < 0)
        return NULL;
    if (*value > 0)
        return "PMIX_RANK";
    *value = launcher_number("SLURM_NTASKS");
    return *value > 1 ? "SLURM_NTASKS" : NULL;
}
