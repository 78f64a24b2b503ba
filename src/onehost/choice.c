/* Reads, checks and writes the file of choice.h, and reads MUSTER_TUNING. */
#include "src/onehost/choice.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "shm/base/error.h"
#include "shm/port/huge.h"
#include "shm/port/os.h"
#include "src/pure/config.h"
#include "src/pure/threshold_setting.h"

#define FIRST_LINE                                                                                           \
    "muster thresholds 1\n" /* to be raised when a threshold keeps its name and changes its meaning */
#define FILE_BYTES 4096

typedef struct text {
    char bytes[FILE_BYTES];
    size_t length;
} text;

/* ---- the file's text ---- */

static void add(text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int added = vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, args);
    va_end(args);
    text->length += (size_t)added;
}

static uint64_t sum_of(const char *bytes, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ULL; /* FNV-1a */
    return hash;
}

static void add_head(text *text, const mst_cpu_kind *cpu)
{
    add(text, FIRST_LINE "cpu %s %u %u %u %" PRIu64 "\n", cpu->vendor, cpu->family, cpu->model, cpu->stepping,
        cpu->last_cache_bytes);
}

/* Only those that differ from the known ones: what a later version knows better is to count. */
static void add_thresholds(text *text, const mst_choice *choice, const mst_thresholds *thresholds)
{
    mst_thresholds known = choice->known, measured = *thresholds;

    for (int number = 0; number < MST_THRESHOLD_COUNT; number++) {
        uint64_t value = *mst_threshold_at(&measured, number);

        if (value == *mst_threshold_at(&known, number))
            continue;
        if (value == MST_NEVER)
            add(text, "%s=never\n", mst_threshold_row_of(number)->name);
        else
            add(text, "%s=%" PRIu64 "\n", mst_threshold_row_of(number)->name, value);
    }
}

static bool set(mst_thresholds *thresholds, const char *setting)
{
    const char *equals = strchr(setting, '=');

    return equals && mst_threshold_set(thresholds, setting, (size_t)(equals - setting), equals + 1);
}

/* Takes the lines of thresholds, up to `end`; false: one of them is none. */
static bool take_lines(char *line, const char *end, mst_thresholds *thresholds)
{
    while (line < end) {
        char *newline = strchr(line, '\n');

        *newline = '\0'; /* the sum's line ends with one, so there is one */
        if (!set(thresholds, line))
            return false;
        line = newline + 1;
    }
    return true;
}

/* NULL: it was taken; else why not. */
static const char *take(char *read, size_t length, const mst_cpu_kind *cpu, mst_thresholds *thresholds)
{
    const size_t sum_bytes = strlen("sum 0123456789abcdef\n");
    char expected[32];
    text head = { .length = 0 };
    mst_thresholds taken = *thresholds;

    if (strncmp(read, FIRST_LINE, strlen(FIRST_LINE)) != 0)
        return "it is not of this version";
    if (strlen(read) != length || length < sum_bytes)
        return "it is damaged";
    snprintf(expected, sizeof expected, "sum %016" PRIx64 "\n", sum_of(read, length - sum_bytes));
    if (strcmp(read + length - sum_bytes, expected) != 0 || read[length - sum_bytes - 1] != '\n')
        return "it is damaged";
    add_head(&head, cpu);
    if (strncmp(read, head.bytes, head.length) != 0)
        return "it is of another CPU";
    if (!take_lines(read + head.length, read + length - sum_bytes, &taken))
        return "it has thresholds of another version";
    *thresholds = taken;
    return NULL;
}

/* ---- where it is ---- */

/* $XDG_CACHE_HOME/muster/HOST. A host's name has no '/', but who names hosts is not asked. */
static void find_place(mst_choice *choice)
{
    const char *below, *cache = mst_config_cache(&below);
    char host[80];

    mst_os_host_name(host, sizeof host);
    for (char *byte = host; *byte; byte++)
        if (*byte == '/' || (byte == host && *byte == '.'))
            *byte = '_';
    int length = cache ? snprintf(choice->path, sizeof choice->path, "%s%s/muster/%s", cache, below,
                                  host[0] ? host : "host")
                       : 0;
    if (length <= 0 || (size_t)length >= sizeof choice->path)
        choice->path[0] = '\0';
    choice->path_given = cache ? strlen(cache) + (below[0] != '\0') : 0; /* a home is nobody's to make */
}

static void read_file(mst_choice *choice)
{
    text text;

    if (choice->path[0] == '\0')
        return;
    int length = mst_os_text_read(choice->path, text.bytes, sizeof text.bytes);
    if (length == -ENOENT || length == -ENOTDIR)
        return;
    const char *why = length >= 0        ? take(text.bytes, (size_t)length, &choice->cpu, &choice->thresholds)
                      : length == -EPERM ? "it is not a plain file that only this user may write"
                      : length == -EFBIG ? "it is too long"
                                         : strerror(-length);
    choice->used = !why;
    snprintf(choice->why, sizeof choice->why, "%s", why ? why : "");
}

/* ---- MUSTER_TUNING ---- */

static const char *value_of(const char *item, const char *name)
{
    size_t bytes = strlen(name);

    return strncmp(item, name, bytes) == 0 ? item + bytes : NULL;
}

static bool choose_column(mst_choice *choice, const char *column)
{
    const char *name = mst_thresholds_known(column, choice->cpu.last_cache_bytes, &choice->known);

    if (name)
        choice->column = name;
    choice->path[0] = '\0'; /* its file is of another CPU */
    return name;
}

static bool choose_file(mst_choice *choice, const char *path)
{
    int length = snprintf(choice->path, sizeof choice->path, "%s", path);

    choice->path_given = strlen(choice->path);
    return path[0] == '/' && (size_t)length < sizeof choice->path;
}

/* Where the other thresholds come from. */
static bool choose_source(mst_choice *choice, const char *item)
{
    const char *column = value_of(item, "cpu="), *path = value_of(item, "file=");

    if (column)
        return choose_column(choice, column);
    if (path)
        return choose_file(choice, path);
    if (strcmp(item, "none") == 0)
        choice->path[0] = '\0';
    else
        return set(&choice->thresholds, item); /* replaced by what `source` says, and set again */
    return true;
}

static bool set_checked(mst_choice *choice, const char *item)
{
    return set(&choice->thresholds, item);
}

static bool set_one(mst_choice *choice, const char *item)
{
    (void)set(&choice->thresholds, item);
    return true;
}

/* Calls `fn` with each item, in `item`; false: it has refused that one. */
static bool each_item(const char *list, mst_choice *choice, bool (*fn)(mst_choice *choice, const char *item),
                      char item[MST_CHOICE_ITEM_BYTES])
{
    while (list && *list) {
        size_t bytes = strcspn(list, ",");

        snprintf(item, MST_CHOICE_ITEM_BYTES, "%.*s", (int)bytes, list);
        if (!fn(choice, item))
            return false;
        list += bytes + (list[bytes] == ',');
    }
    return true;
}

muster_status mst_choice_make(mst_choice *choice)
{
    const char *list = mst_config_tuning();
    char item[MST_CHOICE_ITEM_BYTES], expected[160];

    *choice = (mst_choice){ .used = false };
    mst_os_cpu_kind_get(&choice->cpu);
    choice->column = mst_thresholds_known(mst_thresholds_column(&choice->cpu), choice->cpu.last_cache_bytes,
                                          &choice->known);
    find_place(choice);
    if (!each_item(list, choice, choose_source, item)) {
        mst_threshold_expected(
            item, "none, cpu=zen4, cpu=icelake, cpu=other, file=/PATH or NAME=BYTES, with commas", expected,
            sizeof expected);
        return mst_fail(MUSTER_ERR_INVALID, "MUSTER_TUNING has \"%.60s\"; expected %s", item, expected);
    }
    choice->thresholds = choice->known;
    read_file(choice);
    each_item(list, choice, set_one, item);
    return MUSTER_OK;
}

/* Small ones for ranks that outnumber the CPUs: filling large ones with zeros would make their start longer.
 */
muster_status mst_choice_pages(mst_arena_plan *plan, int cpus)
{
    muster_status status = mst_config_huge_pages(&plan->huge_pages);

    if (plan->size > cpus || !mst_huge_pages_fit(plan->size + plan->spare_seats))
        plan->huge_pages = false;
    return status;
}

/* ---- writing ---- */

bool mst_choice_set(mst_thresholds *thresholds, const char *settings, char *item)
{
    mst_choice choice = { .thresholds = *thresholds };

    bool all = each_item(settings, &choice, set_checked, item);
    *thresholds = choice.thresholds;
    return all;
}

muster_status mst_choice_keep(const mst_choice *choice, const mst_thresholds *thresholds)
{
    text text = { .length = 0 };

    if (choice->path[0] == '\0')
        return mst_fail(MUSTER_ERR_UNAVAILABLE,
                        "there is no place for what was measured: set HOME or XDG_CACHE_HOME to an absolute "
                        "path");
    if (thresholds) {
        add_head(&text, &choice->cpu);
        add_thresholds(&text, choice, thresholds);
        add(&text, "sum %016" PRIx64 "\n", sum_of(text.bytes, text.length));
    }
    int error = mst_os_text_write(choice->path, choice->path_given, thresholds ? text.bytes : NULL);
    if (error)
        return mst_fail(MUSTER_ERR_SYSTEM, "cannot write what is measured to %s: %s", choice->path,
                        strerror(-error));
    return MUSTER_OK;
}
