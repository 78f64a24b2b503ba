/*
 * Texts that are being generated: HTTP puts them into a queue, rank 0's engine takes a step of all of them at
 * once, and HTTP sends what there is. One lock guards them all; each text has a condition of its own.
 */
#ifndef SERVER_GENERATION_H
#define SERVER_GENERATION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "model.h"

enum { GENERATION_TOKENS_MAX = 4096, GENERATION_ROWS_MAX = 32 };

typedef struct generation {
    unsigned char context[MODEL_CONTEXT_MAX]; /* what the next byte is drawn after */
    float temperature;
    uint64_t state; /* of drawing */
    int wanted;
    /* guarded by the queue's lock */
    unsigned char text[GENERATION_TOKENS_MAX];
    int made;
    bool abandoned; /* nobody reads it any more */
    bool over;      /* all made, or the server stops */
    pthread_cond_t more;
    struct generation *next;
} generation;

typedef struct queue {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there is something to do, or to stop for */
    generation *first;
    bool stopping;
} queue;

#define QUEUE_INIT                                                                                           \
    {                                                                                                        \
        PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, false                                     \
    }

/* A text that goes on where the prompt ends; NULL: no memory. Of the queue from `add` on. */
generation *generation_create(const model *model, const char *prompt, int wanted, float temperature,
                              uint64_t seed);
void queue_add(queue *queue, generation *generation);
void queue_stop(queue *queue);

/* Waits for more than `seen` bytes, or the end; copies at most `room` from there on. 0: it is over. */
int generation_read(queue *queue, generation *generation, int seen, unsigned char *text, int room);

/* The reader is done with it. It is freed when the engine is, too. */
void generation_abandon(queue *queue, generation *generation);

/* For the engine: waits for work, and takes the contexts of up to GENERATION_ROWS_MAX texts. 0: stop. */
int queue_take(queue *queue, const model *model, generation **taken, unsigned char *contexts);

/* Adds a byte to each. */
void queue_give(queue *queue, const model *model, generation **taken, int rows, const int32_t *sums);

#endif
