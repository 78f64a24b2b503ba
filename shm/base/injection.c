/* Parses and applies the injected faults of injection.h. */
#include "shm/base/injection.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base/error.h"
#include "shm/port/os.h"

/* ---- parsing ---- */

static muster_status refuse(const char *text)
{
    return mst_fail(
        MUSTER_ERR_INVALID,
        "MUSTER_FAULT is \"%.80s\"; expected rank=R:op=N:WHAT, with kill, stop, delay=50ms or flip for "
        "WHAT; up to %d, with commas between them",
        text, MST_INJECTIONS_MAX);
}

/* Parses "name=123" at *at and moves *at behind it. */
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

static bool take_what(const char **at, mst_injection *injection)
{
    static const char *const words[] = { [MST_INJECTION_KILL] = "kill", [MST_INJECTION_STOP] = "stop" };

    for (int i = 0; i <= MST_INJECTION_STOP; i++)
        if (strncmp(*at, words[i], 4) == 0) {
            injection->kind = (mst_injection_kind)i;
            *at += 4;
            return true;
        }
    if (strncmp(*at, "flip", 4) == 0) {
        injection->kind = MST_INJECTION_FLIP;
        *at += 4;
        return true;
    }
    injection->kind = MST_INJECTION_DELAY;
    return take_delay(at, &injection->delay_ns);
}

muster_status mst_injections_parse(const char *text, int rank, mst_injections *injections)
{
    const char *at = text;
    int all = 0;

    *injections = (mst_injections){ .count = 0 };
    if (!text)
        return MUSTER_OK;
    for (;; at++) { /* the increment skips the comma */
        mst_injection injection = { .operation = 0 };
        uint64_t whose;

        if (++all > MST_INJECTIONS_MAX || !take_number(&at, "rank=", &whose) || *at++ != ':' ||
            !take_number(&at, "op=", &injection.operation) || *at++ != ':' || injection.operation == 0 ||
            !take_what(&at, &injection))
            return refuse(text);
        if (whose == (uint64_t)rank)
            injections->all[injections->count++] = injection;
        if (*at == '\0')
            return MUSTER_OK;
        if (*at != ',')
            return refuse(text);
    }
}

/* ---- applying ---- */

static void strike(const mst_injection *injection, mst_injections *injections, const mst_log *log)
{
    unsigned long long operation = (unsigned long long)injection->operation;

    switch (injection->kind) {
    case MST_INJECTION_KILL:
        mst_log_line(log, MUSTER_LOG_WARN, "MUSTER_FAULT: kills itself at operation %llu", operation);
        raise(SIGKILL);
        break;
    case MST_INJECTION_STOP:
        mst_log_line(log, MUSTER_LOG_WARN,
                     "MUSTER_FAULT: stops itself at operation %llu; kill -CONT %d continues it", operation,
                     mst_os_process_id());
        raise(SIGSTOP);
        break;
    case MST_INJECTION_DELAY:
        mst_log_line(log, MUSTER_LOG_WARN, "MUSTER_FAULT: is late for operation %llu by %.3g s", operation,
                     (double)injection->delay_ns / MST_NS_PER_S);
        mst_os_sleep(injection->delay_ns);
        break;
    case MST_INJECTION_FLIP:
        mst_add32_sc(&injections->flips, 1);
        break;
    }
}

void mst_injections_strike(mst_injections *injections, const mst_log *log)
{
    uint64_t operation = mst_add64_rlx(&injections->operations, 1) + 1;

    for (int i = 0; i < injections->count; i++)
        if (injections->all[i].operation == operation)
            strike(&injections->all[i], injections, log);
}

void mst_injections_spoil(mst_injections *injections, const mst_log *log, void *result, size_t bytes)
{
    uint32_t due = mst_load32_rlx(&injections->flips);

    if (due == 0 || bytes == 0 || mst_cmpxchg32_sc(&injections->flips, due, due - 1) != due)
        return;
    ((unsigned char *)result)[bytes / 2] ^= 1;
    mst_log_line(log, MUSTER_LOG_WARN, "MUSTER_FAULT: has flipped a bit of byte %zu of a result of %zu bytes",
                 bytes / 2, bytes);
}
