/*
 * What test_inject.sh runs under inject.c: two ranks use a bit of everything. Exits with 0 when all went
 * well, with 3 when muster refused something in words; anything else, a hang, a crash, an error without a
 * sentence, a wrong result or something left behind, is a failure.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "muster/muster.h"

enum { FINE = 0, REFUSED = 3, WRONG = 4 };

static int count(const char *path)
{
    DIR *directory = opendir(path);
    int found = 0;

    while (directory && readdir(directory))
        found++;
    closedir(directory);
    return found;
}

static muster_status use(muster_group *world)
{
    static double x[5000], y[10000];
    muster_group *child = NULL;
    void *buffer;
    int other = 1 - muster_group_rank(world);

    muster_status status = muster_alloc(world, 100000, &buffer);
    if (status == MUSTER_OK)
        status = muster_all_sum(buffer, buffer, 5000, MUSTER_FLOAT64, world);
    if (status == MUSTER_OK)
        status = muster_all_gather(x, y, 5000, MUSTER_FLOAT64, world);
    if (status == MUSTER_OK)
        status = muster_sendrecv(x, 5000, other, 0, y, 5000, other, 0, MUSTER_FLOAT64, world, NULL);
    if (status == MUSTER_OK)
        status = muster_group_split(world, 0, -1, &child);
    if (status == MUSTER_OK)
        status = muster_barrier(child);
    muster_group_free(child);
    return status;
}

static int rank(muster_group *world, void *arg)
{
    (void)arg;
    muster_status status = use(world);
    if (status == MUSTER_OK)
        return FINE;
    bool in_words = muster_error_detail()[0] != '\0';
    muster_group_abort(world, "one of us was refused");
    return in_words ? REFUSED : WRONG;
}

int main(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report report = MUSTER_REPORT_INIT;
    muster_termination terminations[2];
    int before = count("/proc/self/fd"), outcome = FINE;

    memset(terminations, 0, sizeof terminations);
    config.size = 2;
    config.on_failure = MUSTER_ON_FAILURE_CONTINUE;
    report.terminations = terminations;
    muster_status status = muster_launch(&config, rank, NULL, &report);
    if (status != MUSTER_OK)
        outcome = muster_error_detail()[0] ? REFUSED : WRONG;
    for (int i = 0; i < 2; i++) /* 125: it could not attach, and said so */
        if (terminations[i].kind == MUSTER_TERMINATION_SIGNALED || terminations[i].code == WRONG)
            outcome = WRONG;
    if (count("/proc/self/fd") != before || count("/proc/self/task") != 3 || waitpid(-1, NULL, WNOHANG) > 0)
        outcome = WRONG;
    return outcome;
}
