/*
 * Frames: short sequences of bytes from one process of a job to another, by whatever moves them. Those from
 * one process to another come whole, once, and in order. src/mpi/frames.h has those of MPI.
 *
 * One thread at a time calls these. A function that returns false has failed, with the reason in `why`.
 */
#ifndef MST_WIRE_FRAMES_H
#define MST_WIRE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#define MST_FRAMES_WHY_BYTES 200

typedef struct mst_frames mst_frames;

typedef struct mst_frames_methods {
    bool (*is_allowed)(mst_frames *frames); /* whether this thread may call the others */

    /* Starts to send; the bytes stay valid until is_sent says so. *slot: what that is called. */
    bool (*send)(mst_frames *frames, int to, const void *bytes, size_t count, int *slot, char *why);
    bool (*is_sent)(mst_frames *frames, int slot, bool *sent, char *why);

    /* The next frame that has come, which is valid until the next call; *bytes is NULL: there is none. */
    bool (*take)(mst_frames *frames, int *from, const void **bytes, size_t *count, char *why);

    const char *refusal;  /* what a thread is told that may not call them */
    const char *farewell; /* what a process is told that has left its job */
} mst_frames_methods;

struct mst_frames {
    const mst_frames_methods *methods;
    int rank, size;           /* of this process */
    const char *const *where; /* each process is, in words: "host b"; NULL: it is not known */
};

#endif
