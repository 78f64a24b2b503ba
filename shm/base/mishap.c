/* Parsing and striking of mishap.h. */
#include "shm/base/mishap.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shm/port/os.h"
#include "src/pure/error.h"

/* ---- the text ---- */

static muster_status refuse(const char *text)
{
    return mst_fail(
        MUSTER_ERR_INVALID,
        "MUSTER_FAULT is \"%.80s\"; expected rank=R:op=N:WHAT, with kill, stop, delay=50ms or flip for "
        "WHAT; up to %d, with commas between them",
        text, MST_MISHAPS_MAX);
}

/* "name=123" at *at, which then points behind it. */
static bool take_number(const char **at, const char *name, uint64_t *number)
{
    size_t bytes = strlen(name);
    char *end;

    if (strncmp(*at, name, bytes) != 0 || !isdigit((unsigned char)(*at)[bytes]))
        return false;
    errno = 0;
    *number = strtoull(*at + bytes, &end, 10);
    *at = end;
    return errno == 0;
}

static bool take_delay(const char **at, int64_t *delay_ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = { { "us", 1000 }, { "ms", MST_NS_PER_MS }, { "s", MST_NS_PER_S } };
    uint64_t number;

    if (!take_number(at, "delay=", &number) || number > 3600 * 1000 * 1000ULL)
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strncmp(*at, units[i].name, strlen(units[i].name)) == 0) {
            *at += strlen(units[i].name);
            *delay_ns = (int64_t)number * units[i].ns;
            return *delay_ns <= 3600 * MST_NS_PER_S;
        }
    return false;
}

static bool take_what(const char **at, mst_mishap *mishap)
{
    static const char *const words[] = { [MST_MISHAP_KILL] = "kill", [MST_MISHAP_STOP] = "stop" };

    for (int i = 0; i <= MST_MISHAP_STOP; i++)
        if (strncmp(*at, words[i], 4) == 0) {
            mishap->kind = (mst_mishap_kind)i;
            *at += 4;
            return true;
        }
    if (strncmp(*at, "flip", 4) == 0) {
        mishap->kind = MST_MISHAP_FLIP;
        *at += 4;
        return true;
    }
    mishap->kind = MST_MISHAP_DELAY;
    return take_delay(at, &mishap->delay_ns);
}

muster_status mst_mishaps_parse(const char *text, int rank, mst_mishaps *mishaps)
{
    const char *at = text;
    int all = 0;

    *mishaps = (mst_mishaps){ .count = 0 };
    if (!text)
        return MUSTER_OK;
    for (;; at++) { /* behind the comma */
        mst_mishap mishap = { .operation = 0 };
        uint64_t whose;

        if (++all > MST_MISHAPS_MAX || !take_number(&at, "rank=", &whose) || *at++ != ':' ||
            !take_number(&at, "op=", &mishap.operation) || *at++ != ':' || mishap.operation == 0 ||
            !take_what(&at, &mishap))
            return refuse(text);
        if (whose == (uint64_t)rank)
            mishaps->all[mishaps->count++] = mishap;
        if (*at == '\0')
            return MUSTER_OK;
        if (*at != ',')
            return refuse(text);
    }
}

/* ---- what happens ---- */

static void strike(const mst_mishap *mishap, mst_mishaps *mishaps, const mst_log *log)
{
    unsigned long long operation = (unsigned long long)mishap->operation;

    switch (mishap->kind) {
    case MST_MISHAP_KILL:
        mst_log_line(log, MUSTER_LOG_WARN, "MUSTER_FAULT: kills itself at operation %llu", operation);
        raise(SIGKILL);
        break;
    case MST_MISHAP_STOP:
        mst_log_line(log, MUSTER_LOG_WARN,
                     "MUSTER_FAULT: stops itself at operation %llu; kill -CONT %d lets it go on", operation,
                     mst_os_process_id());
        raise(SIGSTOP);
        break;
    case MST_MISHAP_DELAY:
        mst_log_line(log, MUSTER_LOG_WARN, "MUSTER_FAULT: is late for operation %llu by %.3g s", operation,
                     (double)mishap->delay_ns / MST_NS_PER_S);
        mst_os_sleep(mishap->delay_ns);
        break;
    case MST_MISHAP_FLIP:
        mst_add32_sc(&mishaps->flips, 1);
        break;
    }
}

void mst_mishaps_strike(mst_mishaps *mishaps, const mst_log *log)
{
    uint64_t operation = mst_add64_rlx(&mishaps->operations, 1) + 1;

    for (int i = 0; i < mishaps->count; i++)
        if (mishaps->all[i].operation == operation)
            strike(&mishaps->all[i], mishaps, log);
}

void mst_mishaps_spoil(mst_mishaps *mishaps, const mst_log *log, void *result, size_t bytes)
{
    uint32_t due = mst_load32_rlx(&mishaps->flips);

    if (due == 0 || bytes == 0 || mst_cmpxchg32_sc(&mishaps->flips, due, due - 1) != due)
        return;
    ((unsigned char *)result)[bytes / 2] ^= 1;
    mst_log_line(log, MUSTER_LOG_WARN, "MUSTER_FAULT: has flipped a bit of byte %zu of a result of %zu bytes",
                 bytes / 2, bytes);
}
