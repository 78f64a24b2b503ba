/*
 * `muster report`: a trace as one page of HTML that needs no network. The page is report.html, which the
 * build has put into this program; the trace goes into it as it is, where the page's script finds it, and so
 * does the table of `muster trace`.
 */
#define _GNU_SOURCE /* open_memstream, asprintf */
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/muster/commands.h"
#include "tools/muster/options.h"
#include "tools/muster/trace/file.h"
#include "tools/muster/trace/merge.h"
#include "tools/muster/trace/page.h"
#include "tools/muster/trace/table.h"
#include "tools/muster/trace/trace.h"

#define TABLE_PLACE "@TABLE@"
#define TRACE_PLACE "@TRACE@"

static const char help[] =
    "usage: muster report FILE... [-o PAGE]\n"
    "\n"
    "Draws a trace that muster run --trace has written as a page: who does what when, who waits for whom, "
    "and\n"
    "how long operations take. The page is one file, and needs no network. Several files are those of one "
    "job's\n"
    "hosts (muster inspect --trace on each).\n"
    "\n"
    "  -o, --output PAGE  where to write it (report.html)\n"
    "  -h, --help         this text\n"
    "\n"
    "example: muster run -n 4 --trace out.json -- ./program && muster report out.json -o out.html\n";

typedef struct report_options {
    const char *output;
} report_options;

static void write_escaped(const char *text, FILE *file)
{
    for (; *text; text++)
        if (*text == '<' || *text == '&')
            fputs(*text == '<' ? "&lt;" : "&amp;", file);
        else
            fputc(*text, file);
}

static bool write_table(const trace *trace, FILE *file)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    bool printed = to && trace_print(trace, false, to);

    if (to && fclose(to) != 0)
        printed = false;
    if (printed)
        write_escaped(text, file);
    free(text);
    return printed;
}

/* The page from `from` up to the place, which is left out: what follows it. */
static const char *write_up_to(const char *from, const char *place, FILE *file)
{
    const char *at = strstr(from, place);

    fwrite(from, 1, (size_t)(at - from), file);
    return at + strlen(place);
}

static bool write_page(const trace *trace, FILE *file)
{
    const char *rest = write_up_to(trace_page, TABLE_PLACE, file);

    if (!write_table(trace, file))
        return false;
    rest = write_up_to(rest, TRACE_PLACE, file);
    if (!trace_write(trace, file))
        return false;
    fputs(rest, file);
    return fflush(file) == 0 && !ferror(file);
}

/* ---- the file ---- */

static bool complain(const char *path)
{
    fprintf(stderr, "muster report: %s: %s\n", path, strerror(errno));
    return false;
}

static bool write_to(const trace *trace, const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    bool written = file && write_page(trace, file);

    if (file && fclose(file) != 0)
        written = false;
    return written;
}

/* Under another name beside it first, so that what is there goes only for a whole page. */
static bool write_beside(const trace *trace, const char *path, const char *beside, const struct stat *old)
{
    bool done = write_to(trace, beside, "wex") && (!old || chmod(beside, old->st_mode & 0777) == 0) &&
                rename(beside, path) == 0;
    int error = errno;

    if (!done && error != EEXIST)
        unlink(beside);
    errno = error;
    return done;
}

/* What a link leads to is replaced, not the link. */
static bool replace(const trace *trace, const char *path, const struct stat *old)
{
    char *whole = old ? realpath(path, NULL) : strdup(path), *beside = NULL;

    if (whole && asprintf(&beside, "%s.%d", whole, (int)getpid()) < 0)
        beside = NULL; /* it says nothing of what is in there then */
    bool done = beside && write_beside(trace, whole, beside, old);
    bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO;
    if (!done &&
        !full) /* a folder where nothing may be made, a file that something is mounted on, a long name */
        done = write_to(trace, path, "we");
    if (!done)
        complain(path);
    free(whole);
    free(beside);
    return done;
}

static bool is_none_of(char **files, int count, const char *path)
{
    struct stat page, read;

    for (int i = 0; i < count && stat(path, &page) == 0; i++)
        if (stat(files[i], &read) == 0 && page.st_dev == read.st_dev && page.st_ino == read.st_ino) {
            fprintf(stderr,
                    "muster report: %s is the trace itself; expected another file for the page (-o)\n", path);
            return false;
        }
    return true;
}

static bool save_page(const trace *trace, const char *path)
{
    struct stat page;
    bool exists = stat(path, &page) == 0;

    if (exists && !S_ISREG(page.st_mode)) /* a pipe or a device, or a folder */
        return write_to(trace, path, "we") || complain(path);
    if (exists && access(path, W_OK) != 0)
        return complain(path);
    return replace(trace, path, exists ? &page : NULL);
}

int command_report(int argc, char **argv)
{
    static const cli_option known[] = {
        { "output", 'o', CLI_TEXT, .offset = offsetof(report_options, output), .expected = "a file" },
    };
    static const cli_syntax syntax = { "report", help, known, 1, false };
    report_options options = { "report.html" };
    trace trace;

    int status = parse_options(&syntax, argc, argv, &options);
    if (status != OPTIONS_PARSED)
        return status;
    if (argc == optind)
        return usage_error("report", "expected a FILE, which muster run --trace has written");
    if (!trace_read_all("report", argv + optind, argc - optind, &trace))
        return EXIT_FAILURE;
    bool saved =
        is_none_of(argv + optind, argc - optind, options.output) && save_page(&trace, options.output);
    trace_free(&trace);
    if (saved)
        printf("%s\n", options.output);
    return saved ? EXIT_SUCCESS : EXIT_FAILURE;
}
