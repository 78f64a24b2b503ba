/*
 * Texts that are being generated: HTTP puts them into a queue, rank 0's engine takes a step of all of them at
 * once, and HTTP sends what there is. One lock guards them all.
 *
 * Reading never waits. A read that finds nothing new says so and calls the reader's `sleep`; the engine calls
 * the reader's `wake` once there is more. Both are called under the lock. The engine holds back bytes that
 * may be the beginning of a stop string.
 */
#ifndef SERVER_GENERATION_H
#define SERVER_GENERATION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "model.h"

enum {
    GENERATION_TOKENS_MAX = 4096,
    GENERATION_ROWS_MAX = 32,   /* in one step */
    GENERATION_QUEUE_MAX = 256, /* at once; more are refused */
    GENERATION_STOPS_MAX = 4,
    GENERATION_STOP_BYTES_MAX = 64
};

/* What a client asks for: the parameters of a text. */
typedef struct wish {
    const char *prompt;
    int tokens;
    sampling sampling;
    uint64_t seed;
    int stop_count;
    char stops[GENERATION_STOPS_MAX][GENERATION_STOP_BYTES_MAX + 1]; /* the text ends before any of these */
} wish;

typedef struct reader {
    void (*sleep)(void *arg);
    void (*wake)(void *arg);
    void *arg;
} reader;

typedef struct generation {
    unsigned char context[MODEL_CONTEXT_MAX]; /* what the next byte is drawn after */
    wish wish;                                /* without the prompt */
    uint64_t state;                           /* of drawing */
    reader reader;
    /* guarded by the queue's lock */
    unsigned char text[GENERATION_TOKENS_MAX];
    int made;
    int shown;      /* of them: the rest may be the beginning of a stop string */
    bool finished;  /* all made, or stopped by a stop string */
    bool over;      /* finished, or the server stops */
    bool abandoned; /* nobody reads it any more */
    bool asleep;    /* the reader waits for `wake` */
    struct generation *next;
} generation;

typedef struct queue {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there is something to do, or to stop for */
    generation *first;
    int count;
    bool draining; /* takes no more, and stops when it is empty */
    bool stopping; /* now */
} queue;

#define QUEUE_INIT                                                                                           \
    {                                                                                                        \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0, false, false                           \
    }

/* Makes a text that continues the prompt; NULL: no memory. queue_add takes ownership of it. */
generation *generation_create(const model *model, const wish *wish, reader reader);

typedef enum queue_answer { QUEUE_ADDED, QUEUE_FULL, QUEUE_STOPS } queue_answer;

/* Appends the generation to the queue, or frees it. */
queue_answer queue_add(queue *queue, generation *generation);

/* Whether a text would be added now. */
queue_answer queue_look(queue *queue);

void queue_drain(queue *queue);
void queue_stop(queue *queue);

enum { GENERATION_NOTHING_YET = -1 };

/* Copies at most `room` of the bytes after the first `seen`. 0: it is over; GENERATION_NOTHING_YET: the
 * reader's `sleep` has been called. */
int generation_read(queue *queue, generation *generation, int seen, unsigned char *text, int room);

/* The reader is done with it. It is freed when the engine is, too. */
void generation_abandon(queue *queue, generation *generation);

/* For the engine: waits for work, and takes the contexts of up to GENERATION_ROWS_MAX texts. 0: stop. */
int queue_take(queue *queue, const model *model, generation **taken, unsigned char *contexts);

/* Draws the next byte of each taken text from `sums`, and appends it. */
void queue_give(queue *queue, const model *model, generation **taken, int rows, const int32_t *sums);

#endif
