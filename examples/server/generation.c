/* The queue of generation.h. */
#include "generation.h"

#include <stdlib.h>
#include <string.h>

generation *generation_create(const model *model, const char *prompt, int wanted, float temperature,
                              uint64_t seed)
{
    size_t context = (size_t)model->context, bytes = strlen(prompt), used = bytes < context ? bytes : context;
    generation *created = calloc(1, sizeof *created);

    if (!created)
        return NULL;
    memset(created->context, ' ', context - used); /* before a short prompt */
    memcpy(created->context + context - used, prompt + bytes - used, used);
    created->temperature = temperature;
    created->state = seed;
    created->wanted = wanted;
    pthread_cond_init(&created->more, NULL);
    return created;
}

static void destroy(generation *generation)
{
    pthread_cond_destroy(&generation->more);
    free(generation);
}

void queue_add(queue *queue, generation *added)
{
    pthread_mutex_lock(&queue->lock);
    generation **end = &queue->first;
    while (*end)
        end = &(*end)->next;
    *end = added;
    if (queue->stopping)
        added->over = true;
    pthread_cond_signal(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

void queue_stop(queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->stopping = true;
    for (generation *each = queue->first; each; each = each->next) {
        each->over = true;
        pthread_cond_signal(&each->more);
    }
    pthread_cond_signal(&queue->work);
    pthread_mutex_unlock(&queue->lock);
}

int generation_read(queue *queue, generation *generation, int seen, unsigned char *text, int room)
{
    pthread_mutex_lock(&queue->lock);
    while (generation->made <= seen && !generation->over)
        pthread_cond_wait(&generation->more, &queue->lock);
    int got = generation->made - seen;
    got = got < room ? got : room;
    memcpy(text, generation->text + seen, (size_t)got);
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
    pthread_mutex_unlock(&queue->lock);
    if (!queued) /* else the engine frees it */
        destroy(generation);
}

/* Takes those out that are over; called with the lock held, by the engine between two steps. */
static void sweep(queue *queue)
{
    for (generation **at = &queue->first; *at;) {
        generation *each = *at;

        if (!each->over && !each->abandoned) {
            at = &each->next;
            continue;
        }
        *at = each->next;
        if (each->abandoned)
            destroy(each);
    }
}

int queue_take(queue *queue, const model *model, generation **taken, unsigned char *contexts)
{
    int rows = 0;

    pthread_mutex_lock(&queue->lock);
    for (sweep(queue); !queue->first && !queue->stopping; sweep(queue))
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
        int value = model_draw(model, sums + row * model->values, each->temperature, &each->state);

        memmove(each->context, each->context + 1, (size_t)model->context - 1);
        each->context[model->context - 1] = (unsigned char)value;
        if (each->made < each->wanted)
            each->text[each->made++] = (unsigned char)value;
        each->over = each->over || each->made == each->wanted;
        pthread_cond_signal(&each->more);
    }
    pthread_mutex_unlock(&queue->lock);
}
