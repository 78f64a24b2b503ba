/* The trial of `muster doctor`: whether two ranks work together here, and how. For doctor.h. */
#define _GNU_SOURCE /* process_vm_readv */
#include "tools/muster/doctor/trial.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "muster/muster.h"
#include "tools/muster/doctor/report.h"

/* Beside other programs each try may take a time slice of each, so it ends after TRIAL_S at the latest. */
enum { BATCHES_MAX = 200, TRIES = DOCTOR_TRIES, TRIAL_S = 3 };

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Of a batch; below 0: a call has failed. */
static double time_batch_us(muster_group *world, bool *wrong)
{
    double began_s = now_s();
    float x = 1;

    for (int i = 0; i < TRIES; i++) {
        float sum = 0;

        if (muster_all_sum(&x, &sum, 1, MUSTER_FLOAT32, world) != MUSTER_OK)
            return -1;
        *wrong |= sum != (float)muster_group_size(world);
    }
    return (now_s() - began_s) * 1e6 / TRIES;
}

int doctor_time_batches(muster_group *world, double *best_us, const char **why)
{
    double began_s = now_s();
    int32_t over[2] = { 0, 0 }; /* the time is, a sum was wrong: for one of the ranks */
    int count = 0;

    *best_us = 1e9;
    while (count < BATCHES_MAX && !over[0]) {
        bool wrong = false;
        double us = time_batch_us(world, &wrong);
        int32_t here[2] = { now_s() - began_s > TRIAL_S, wrong };

        if (us < 0 || muster_all_max(here, over, 2, MUSTER_INT32, world) != MUSTER_OK) {
            *why = muster_error_detail();
            return 0;
        }
        if (over[1]) {
            *why = "a sum of ones is wrong";
            return 0;
        }
        *best_us = us < *best_us ? us : *best_us;
        count++;
    }
    return count;
}

/* ---- reading each other's memory ---- */

#define WORD 0x6d757374

static volatile int32_t word = WORD;

doctor_place doctor_show_word(void)
{
    return (doctor_place){ getpid(), (int64_t)(intptr_t)&word };
}

int doctor_read_word(const doctor_place *there)
{
    int32_t found = 0;
    struct iovec here = { &found, sizeof found }, other = { (void *)(intptr_t)there->address, sizeof found };

    if (process_vm_readv((pid_t)there->pid, &here, 1, &other, 1, 0) != sizeof found)
        return errno;
    return found == WORD ? 0 : ESRCH;
}

/* Each rank reads a word of the other's memory; the errno of one that could not. -1: a rank is gone. */
static int try_reading(muster_group *world)
{
    doctor_place mine = doctor_show_word(), all[2];
    int32_t error, worst;

    if (muster_all_gather(&mine, all, 2, MUSTER_INT64, world) != MUSTER_OK)
        return -1;
    error = doctor_read_word(&all[1 - muster_group_rank(world)]);
    return muster_all_max(&error, &worst, 1, MUSTER_INT32, world) == MUSTER_OK ? worst : -1;
}

void doctor_report_reading(int error)
{
    if (error == 0)
        doctor_report(
            FINDING_GOOD, NULL,
            "copies: ranks can read each other's memory (process_vm_readv), so private buffers can be copied "
            "once, where `muster tune` finds that to be faster than twice");
    else
        doctor_report(
            FINDING_NOTE,
            "sysctl kernel.yama.ptrace_scope=0, docker run --cap-add SYS_PTRACE, a seccomp profile with "
            "process_vm_readv",
            "copies: ranks cannot read each other's memory (process_vm_readv: %s), so private buffers are "
            "copied twice",
            strerror(error));
}

static int be_rank(muster_group *world, void *arg)
{
    const char *why = "";
    double best_us;

    (void)arg;
    int error = try_reading(world);
    if (error < 0)
        return 1;
    if (muster_group_rank(world) == 0)
        doctor_report_reading(error);
    int batches = doctor_time_batches(world, &best_us, &why);
    if (batches == 0) {
        fprintf(stderr, "muster doctor: rank %d: %s\n", muster_group_rank(world), why);
        return 1;
    }
    if (muster_group_rank(world) == 0)
        doctor_report(FINDING_GOOD, NULL,
                      "trial: two ranks, all_sum of 4 bytes in %.2f us, the best of %d times %d", best_us,
                      batches, TRIES);
    return 0;
}

void doctor_try(void)
{
    muster_launch_config config = MUSTER_LAUNCH_CONFIG_INIT;
    muster_report ended = MUSTER_REPORT_INIT;

    config.size = 2;
    config.timeout_ns = 20LL * 1000 * 1000 * 1000;
    fflush(stdout);
    if (muster_launch(&config, be_rank, NULL, &ended) != MUSTER_OK)
        doctor_report(FINDING_BAD, NULL, "trial: two ranks cannot work together: %s",
                      ended.summary[0] ? ended.summary : muster_error_detail());
}
