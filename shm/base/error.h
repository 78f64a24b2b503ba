/*
 * The sentence that explains a status. The function that knows why something failed records it; its callers
 * only pass the status on. One sentence per thread, read by muster_error_detail().
 */
#ifndef MST_ERROR_H
#define MST_ERROR_H

#include "muster/muster.h"

/* Records the sentence and returns `status`, so that a failure is one line: return mst_fail(...). */
muster_status mst_fail(muster_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __clang_analyzer__ /* which does not see what a function of another file returns */
#define mst_fail(status, ...) (mst_fail(status, __VA_ARGS__), (status))
#endif

/* MUSTER_ERR_SYSTEM with "<what>: <why>"; `error` is an errno value, of either sign. */
muster_status mst_fail_system(int error, const char *what);

const char *mst_error_sentence(void);

/* Adds to the sentence, as far as there is room. */
void mst_error_append(const char *more);

/*
 * The parts of an error, for programs that decide by them (muster_last_error). mst_fail sets them to none;
 * whoever knows more adds it after that. They are about the thread's latest mst_fail.
 */

/* mst_fail about a rank of the group. */
muster_status mst_fail_about(int rank, muster_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whom it is about, in the group, and how that rank ended; kind NONE: it has not, or nobody knows. */
void mst_error_about(int rank, muster_termination termination);

/* Two ranks of the group disagree: it is about the first, and on that one (own) about the other. */
void mst_error_about_pair(int rank, int other, int own);

/* The limit that passed. */
void mst_error_late(int64_t deadline_ns);

/* The group, whose name, if it has one, then begins the sentence. */
void mst_error_in_group(const char *name, uint64_t number);

/* The call that failed, as the user knows it. */
void mst_error_operation(const char *name);

const muster_error_info *mst_error_parts(void);

/* The two ranks that disagree; false: it is about no two. */
bool mst_error_pair(int *rank, int *other);

/* A copy of the thread's latest error, for what fails before a wait and is reported after it: in the wait, an
 * interrupt function may call muster, and other operations may fail. */
typedef struct mst_error_copy {
    char sentence[512];
    muster_error_info parts;
    int pair[2]; /* 1 + the ranks that disagree; 0: none */
} mst_error_copy;

void mst_error_keep(mst_error_copy *copy);

/* Makes it the thread's latest error again; returns its status. */
muster_status mst_error_again(const mst_error_copy *copy);

#endif
