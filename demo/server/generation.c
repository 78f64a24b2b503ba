/* The queue of generation.h. */
#include "generation.h"

#include <stdlib.h>
#include <string.h>

generation *generation_create(const model *model, const wish *wish, reader reader)
{
    size_t context = (size_t)model->context, bytes = strlen(wish->prompt);
    size_t used = bytes < context ? bytes : context;
    generation *created = calloc(1, sizeof *created);

    if (!created)
        return NULL;
    memset(created->context, ' ', context - used); /* before a short prompt */
    memcpy(created->context + context - used, wish->prompt + bytes - used, used);
    created->wish = *wish;
    created->wish.prompt = NULL;
    created->state = wish->seed;
    created->reader = reader;
    return created;
}

/* ---- with the lock held ---- */

static void wake(generation *generation)
{
    if (generation->asleep)
        generation->reader.wake(generation->reader.arg);
    generation->asleep = false;
}

static queue_answer look(const queue *queue)
{
    if (queue->draining || queue->stopping)
        return QUEUE_STOPS;
    return queue->count < GENERATION_QUEUE_MAX ? QUEUE_ADDED : QUEUE_FULL;
}

/* Takes those out that are over; by the engine, between two steps. */
static void sweep(queue *queue)
{
    for (generation **at = &queue->first; *at;) {
        generation *each = *at;

        if (!each->over && !each->abandoned) {
            at = &each->next;
            continue;
        }
        *at = each->next;
        queue->count--;
        if (each->abandoned)
            free(each);
    }
}

/* How many of the last bytes are the first `most`, or fewer, of the string. */
static int overlap(const generation *generation, const char *string, int most)
{
    int made = generation->made;

    for (int bytes = most < made ? most : made; bytes > 0; bytes--)
        if (memcmp(generation->text + made - bytes, string, (size_t)bytes) == 0)
            return bytes;
    return 0;
}

/* Shows what can be no part of a stop string, and ends before one. */
static void show(generation *generation)
{
    int held = 0;

    for (int i = 0; i < generation->wish.stop_count; i++) {
        const char *stop = generation->wish.stops[i];
        int bytes = (int)strlen(stop), found = overlap(generation, stop, bytes);

        if (found == bytes) {
            generation->made -= bytes;
            generation->shown = generation->made;
            generation->finished = true;
            return;
        }
        held = found > held ? found : held;
    }
    generation->finished = generation->made == generation->wish.tokens;
    generation->shown = generation->made - (generation->finished ? 0 : held);
}

/* ---- HTTP's side ---- */

queue_answer queue_look(queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue_answer answer = look(queue);
    pthread_mutex_unlock(&queue->lock);
    return answer;
}

queue_answer queue_add(queue *queue, generation *added)
{
    pthread_mutex_lock(&queue->lock);
    queue_answer answer = look(queue);
    if (answer == QUEUE_ADDED) {
        generation **end = &queue->first;
        while (*end)
            end = &(*end)->next;
        *end = added;
        queue->count++;
        pthread_cond_signal(&queue->work);
    }
    pthread_mutex_unlock(&queue->lock);
    if (answer != QUEUE_ADDED)
        free(added);
    return answer;
}

void queue_drain(queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->draining = true;
    pthread_cond_signal(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

void queue_stop(queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->stopping = true;
    for (generation *each = queue->first; each; each = each->next) {
        each->over = true;
        wake(each);
    }
    pthread_cond_signal(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

int generation_read(queue *queue, generation *generation, int seen, unsigned char *text, int room)
{
    pthread_mutex_lock(&queue->lock);
    int got = generation->shown - seen;
    got = got < room ? got : room;
    if (got > 0) {
        memcpy(text, generation->text + seen, (size_t)got);
    } else if (!generation->over) {
        generation->asleep = true;
        generation->reader.sleep(generation->reader.arg);
        got = GENERATION_NOTHING_YET;
    }
    pthread_mutex_unlock(&queue->lock);
    return got;
}

void generation_abandon(queue *queue, generation *generation)
{
    pthread_mutex_lock(&queue->lock);
    bool queued = false;
    for (struct generation *each = queue->first; each; each = each->next)
        queued = queued || each == generation;
    generation->abandoned = true;
    generation->asleep = false;
    pthread_mutex_unlock(&queue->lock);
    if (!queued) /* else the engine frees it */
        free(generation);
}

/* ---- the engine's side ---- */

int queue_take(queue *queue, const model *model, generation **taken, unsigned char *contexts)
{
    int rows = 0;

    pthread_mutex_lock(&queue->lock);
    for (sweep(queue); !queue->first && !queue->stopping && !queue->draining; sweep(queue))
        pthread_cond_wait(&queue->work, &queue->lock);
    for (generation *each = queue->first; each && !queue->stopping && rows < GENERATION_ROWS_MAX;
         each = each->next) {
        memcpy(contexts + rows * model->context, each->context, (size_t)model->context);
        taken[rows++] = each;
    }
    pthread_mutex_unlock(&queue->lock);
    return rows;
}

void queue_give(queue *queue, const model *model, generation **taken, int rows, const int32_t *sums)
{
    pthread_mutex_lock(&queue->lock);
    for (int row = 0; row < rows; row++) {
        generation *each = taken[row];
        int value = model_draw(model, sums + row * model->values, &each->wish.sampling, &each->state);

        memmove(each->context, each->context + 1, (size_t)model->context - 1);
        each->context[model->context - 1] = (unsigned char)value;
        if (!each->over) {
            each->text[each->made++] = (unsigned char)value;
            show(each);
            each->over = each->finished;
        }
        wake(each);
    }
    pthread_mutex_unlock(&queue->lock);
}
