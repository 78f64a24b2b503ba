/*
 * A sample sort: each rank sorts its keys, all choose the same splitters from samples of them, and each rank
 * gets the keys between two splitters, by all_to_allv. Then the ranks together have all keys in order. muster
 * run -n 4 -- sort
 */
#include <muster/muster.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS 200000 /* of all ranks together */

static void check(muster_status status)
{
    if (status == MUSTER_OK)
        return;
    fprintf(stderr, "sort: %s\n", muster_error_detail());
    exit(1);
}

static void *allocate(size_t count, size_t bytes)
{
    void *made = calloc(count + 1, bytes);

    if (!made)
        abort();
    return made;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void sort(uint64_t *keys, size_t count)
{
    qsort(keys, count, sizeof *keys, compare);
}

/* The i-th key; some are there more than once. */
static uint64_t key(uint64_t i)
{
    uint64_t mixed = (i + 1) * 0x9e3779b97f4a7c15ULL;

    return (mixed ^ mixed >> 31) % (KEYS / 2);
}

/* Where each rank's keys end: every size-th of all samples. */
static uint64_t *choose_splitters(const uint64_t *keys, size_t count, muster_group *world)
{
    size_t size = (size_t)muster_group_size(world);
    uint64_t *samples = allocate(size, sizeof *samples), *all = allocate(size * size, sizeof *all);

    for (size_t i = 0; i < size; i++)
        samples[i] = count ? keys[count * i / size] : 0;
    check(muster_all_gather(samples, all, size, MUSTER_UINT64, world));
    sort(all, size * size);
    for (size_t i = 1; i < size; i++)
        all[i - 1] = all[i * size];
    free(samples);
    return all;
}

/* Exchanges the sorted keys; returns this rank's, of which there are *count. */
static uint64_t *exchange(const uint64_t *keys, size_t *count, muster_group *world)
{
    size_t size = (size_t)muster_group_size(world), to = 0, received = 0;
    size_t *gives = allocate(size, sizeof *gives), *takes = allocate(size, sizeof *takes);
    uint64_t *splitters = choose_splitters(keys, *count, world);

    for (size_t i = 0; i < *count; i++) {
        while (to + 1 < size && keys[i] >= splitters[to])
            to++;
        gives[to]++;
    }
    check(muster_all_to_all(gives, takes, 1, MUSTER_UINT64, world));
    for (size_t from = 0; from < size; from++)
        received += takes[from];
    uint64_t *ours = allocate(received, sizeof *ours);
    check(muster_all_to_allv(keys, gives, NULL, ours, takes, NULL, MUSTER_UINT64, world));
    *count = received;
    free(splitters);
    free(gives);
    free(takes);
    return ours;
}

/* Each key times its place among all: a sum that no other order has. */
static void tell(const uint64_t *keys, uint64_t count, muster_group *world)
{
    uint64_t before = 0, sum = 0;

    check(muster_exscan(&count, &before, 1, MUSTER_UINT64, MUSTER_SUM, world));
    for (uint64_t i = 0; i < count; i++)
        sum += (before + i) * keys[i];
    check(muster_all_sum(&sum, &sum, 1, MUSTER_UINT64, world));
    if (muster_group_rank(world) == 0)
        printf("%d keys, sum of places times keys %llu\n", KEYS, (unsigned long long)sum);
}

int main(void)
{
    muster_group *world;

    check(muster_init(false, NULL, &world));
    uint64_t rank = (uint64_t)muster_group_rank(world), size = (uint64_t)muster_group_size(world);
    uint64_t first = KEYS * rank / size;
    size_t count = KEYS * (rank + 1) / size - first;
    uint64_t *keys = allocate(count, sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = key(first + i);
    sort(keys, count);
    uint64_t *ours = exchange(keys, &count, world);
    sort(ours, count);
    tell(ours, count, world);
    free(keys);
    free(ours);
    muster_group_free(world);
    return 0;
}
