/* `muster tune`: measures this machine's thresholds, and keeps them in a file that whoever creates an arena
 * reads. */
#define _GNU_SOURCE /* unsetenv, getloadavg */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "tools/muster/commands.h"
#include "tools/muster/options.h"
#include "tools/muster/tune/trials.h"

/* clang-format off */
static const char help[] =
    "usage: muster tune [options]\n"
    "\n"
    "Measures which way of moving data is the fastest on this machine, from which size on, and keeps it in\n"
    "~/.cache/muster/HOST, where whoever creates an arena reads it. Results of operations stay the same. It takes\n"
    "some seconds, in which nothing else should run.\n"
    "\n"
    "options:\n"
    "      --seconds N       how long to measure, in all (default: 5)\n"
    "      --dry-run         show what was found, and write nothing\n"
    "\n"
    "Exit status: 0; 1 when it could not be measured or written; 2 for a usage error.\n";
/* clang-format on */

#define LOAD_MAX 0.7

typedef struct tune_options {
    double seconds;
    bool dry_run;
} tune_options;

static bool take_seconds(void *into, const char *text)
{
    tune_options *options = into;
    char *end;

    options->seconds = strtod(text, &end);
    return end != text && !*end && options->seconds > 0 && options->seconds < 3600;
}

static const cli_option known_options[] = {
    { "seconds", 0, CLI_OWN, .take = take_seconds, .expected = "a time, such as 5" },
    { "dry-run", 0, CLI_FLAG, .offset = offsetof(tune_options, dry_run) },
};

static const cli_syntax syntax = { "tune", help, known_options,
                                   sizeof known_options / sizeof known_options[0], false };

/* As MUSTER_TUNING has it: "8k". */
static void write_bytes(uint64_t bytes, char *text, size_t size)
{
    static const char *const units[] = { "", "k", "M", "G" };
    int unit = 0;

    while (bytes && bytes % 1024 == 0 && unit < 3) {
        bytes /= 1024;
        unit++;
    }
    if (bytes == UINT64_MAX)
        snprintf(text, size, "never");
    else
        snprintf(text, size, "%" PRIu64 "%s", bytes, units[unit]);
}

static bool find_known(const char *name, char *text, size_t size)
{
    muster_threshold threshold = MUSTER_THRESHOLD_INIT;

    for (int number = 0; muster_tuning_threshold(number, &threshold) == MUSTER_OK; number++)
        if (strcmp(threshold.name, name) == 0) {
            write_bytes(threshold.known, text, size);
            return true;
        }
    return false;
}

static int count_measurable(int cpus)
{
    int count = 0;

    for (int i = 0; trial_at(i); i++)
        count += trial_at(i)->ranks <= cpus;
    return count;
}

/* Measures one threshold, prints a line, and adds it to the settings if it is better. */
static bool measure(const trial *trial, double seconds, char *settings, size_t bytes)
{
    size_t used = strlen(settings);
    trial_result result;
    char known[24];

    if (!find_known(trial->name, known, sizeof known)) {
        fprintf(stderr, "muster tune: there is no threshold %s\n", trial->name);
        return false;
    }
    if (trial_run(trial, known, seconds, &result) != MUSTER_OK) {
        fprintf(stderr, "muster tune: %s was not measured: %s\n", trial->name, muster_error_detail());
        return false;
    }
    if (result.gain > 0) {
        printf("%-22s %8s %8s  %.0f %% less time\n", trial->name, known, result.value, 100 * result.gain);
        snprintf(settings + used, bytes - used, "%s%s=%s", used ? "," : "", trial->name, result.value);
    } else {
        printf("%-22s %8s %8s\n", trial->name, known, "the same");
    }
    return true;
}

/* What runs beside it would be measured, too. */
static void warn_of_load(void)
{
    double load;

    if (getloadavg(&load, 1) == 1 && load > LOAD_MAX)
        printf("Other programs are using the CPUs (load %.1f): run it again when they are idle.\n", load);
}

static int measure_all(const tune_options *options, char *settings, size_t bytes)
{
    int cpus = muster_cpu_count(), measurable = count_measurable(cpus);

    printf("%-22s %8s %8s\n", "threshold", "known", "here");
    for (int i = 0; trial_at(i); i++)
        if (trial_at(i)->ranks > cpus)
            printf("%-22s not measured: it takes %d CPUs\n", trial_at(i)->name, trial_at(i)->ranks);
        else if (!measure(trial_at(i), options->seconds / measurable, settings, bytes))
            return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

static int keep(const tune_options *options, const muster_tuning *tuning, const char *settings)
{
    if (options->dry_run) {
        printf("Nothing was written (--dry-run).\n");
        return EXIT_SUCCESS;
    }
    if (muster_tuning_keep(settings) != MUSTER_OK) {
        fprintf(stderr, "muster tune: %s\n", muster_error_detail());
        return EXIT_FAILURE;
    }
    printf("Written to %s; jobs that start from now on use it.\n", tuning->path);
    return EXIT_SUCCESS;
}

int command_tune(int argc, char **argv)
{
    tune_options options = { .seconds = 5 };
    muster_tuning tuning = MUSTER_TUNING_INIT;
    char settings[1024] = "";

    int status = parse_options(&syntax, argc, argv, &options);
    if (status != OPTIONS_PARSED)
        return status;
    if (optind < argc)
        return usage_error("tune", "it takes no arguments");
    unsetenv("MUSTER_TUNING"); /* what it sets is not what this machine has */
    if (muster_tuning_get(&tuning) != MUSTER_OK) {
        fprintf(stderr, "muster tune: %s\n", muster_error_detail());
        return EXIT_FAILURE;
    }
    printf("%s: thresholds of the kind %s are known\n", tuning.cpu, tuning.kind);
    if (muster_cpu_count() < 2) {
        fprintf(stderr, "muster tune: one CPU, so nothing can be measured\n");
        return EXIT_FAILURE;
    }
    if (tuning.path[0] == '\0' && !options.dry_run) {
        fprintf(stderr, "muster tune: there is no place for a file; set HOME or XDG_CACHE_HOME\n");
        return EXIT_FAILURE;
    }
    if (!options.dry_run && muster_tuning_keep(NULL) != MUSTER_OK) { /* before all the measuring */
        fprintf(stderr, "muster tune: %s\n", muster_error_detail());
        return EXIT_FAILURE;
    }
    warn_of_load();
    status = measure_all(&options, settings, sizeof settings);
    return status == EXIT_SUCCESS ? keep(&options, &tuning, settings) : status;
}
