/* The `muster` command: finds the subcommand and hands over to it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "src/cli/commands.h"

/* clang-format off */
static const char help[] =
    "muster: process groups on one machine, through shared memory\n"
    "\n"
    "usage:\n"
    "  muster run -n N [options] [--] COMMAND [ARGS...]   start N ranks of a command\n"
    "  muster ps                                          list the jobs on this machine\n"
    "  muster inspect [options] [PID | /NAME]             show who waits for whom in a job\n"
    "  muster top [PID | /NAME]                           watch what the ranks of a job do\n"
    "  muster trace FILE                                  sum up what muster run --trace has written\n"
    "  muster report FILE [-o PAGE]                       draw it as a page\n"
    "  muster doctor                                      check this machine\n"
    "  muster bench [options] [OPERATION...]              measure operations on this machine\n"
    "  muster COMMAND --help                              its options\n"
    "  muster --version\n"
    "  muster --help\n"
    "\n"
    "A rank finds the others with muster_init(); see muster(1) and muster/muster.h.\n";
/* clang-format on */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "run", command_run },       { "ps", command_ps },       { "inspect", command_inspect },
    { "top", command_top },       { "trace", command_trace }, { "report", command_report },
    { "doctor", command_doctor }, { "bench", command_bench },
};

int usage_error(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "muster%s%s: ", command ? " " : "", command ? command : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry: muster %s%s--help\n", command ? command : "", command ? " " : "");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";

    if (argc < 2)
        return usage_error(NULL,
                           "no subcommand; expected run, ps, inspect, top, trace, report, doctor or bench");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return fputs(help, stdout) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0)
        return printf("muster %s\n", muster_version()) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
    return usage_error(
        NULL, "\"%s\" is no subcommand; expected run, ps, inspect, top, trace, report, doctor or bench",
        name);
}
