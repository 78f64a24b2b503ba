/*
 * What the server knows of itself: tokens, how long sums over the ranks take, and how long each rank waited
 * in them, which comes from the job's flight recorder. Written by the engine, read by HTTP, under a lock.
 */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <muster/muster.h>
#include <stdbool.h>
#include <stdio.h>

enum { METRICS_RANKS_MAX = 1024 };

/* Begins; `group` is the one that the engine uses from now on. */
void metrics_group(const muster_group *group);

/* Whether there is a whole group: not while ranks are lost and the others regroup. */
void metrics_set_ready(bool ready);
bool metrics_is_ready(void);

void metrics_request(void);
void metrics_refused(void);
void metrics_first_token(int64_t after_ns);
void metrics_request_done(int64_t after_ns);
void metrics_regrouped(void);

/* A step is over: so many tokens, and how long its sum took. */
void metrics_step(int tokens, int64_t sum_ns);

/* Prometheus text, and one JSON object. */
void metrics_print(FILE *to);
void metrics_print_json(FILE *to);

int64_t monotonic_ns(void);

#endif
