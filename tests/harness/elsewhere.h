/*
 * Worlds of another backend than the one of the library: with TEST_BACKEND=threads in the environment, what a
 * test runs as threads (ranks.h) runs on the backend of tests/backend/ in place of onehost's, and what it
 * runs as processes does not run, as there are none. With TEST_BACKEND=hosts, by that of src/hosts, whose
 * hosts MUSTER_FAKE_HOSTS names.
 */
#ifndef TEST_ELSEWHERE_H
#define TEST_ELSEWHERE_H

#include "src/backend.h"
#include "tests/harness/ranks.h"

/* The backend that TEST_BACKEND names; NULL: the library's own. Of an unknown name the program ends. */
const mst_backend *backend_of_test(void);

/* Runs the ranks as threads, each with a world by that backend, and expects success. */
void run_ranks_by(const mst_backend *backend, rank_options options, muster_rank_fn body, void *arg);

#endif
