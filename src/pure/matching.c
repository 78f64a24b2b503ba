/* The tables and lists of matching.h. */
#include "src/pure/matching.h"

#include <stdlib.h>

#define BUCKETS_MIN 32

/* ---- the table ---- */

static mst_match_list *bucket_of(const mst_match_table *table, int source, int tag)
{
    uint64_t key = (uint64_t)(uint32_t)source << 32 | (uint32_t)tag;

    key *= 0x9e3779b97f4a7c15ULL; /* Fibonacci hashing: the high bits depend on all bits */
    return &table->buckets[key >> 32 & (table->bucket_count - 1)];
}

static void append(mst_match_list *bucket, mst_match_node *node)
{
    node->next = NULL;
    node->before = bucket->last;
    if (bucket->last)
        bucket->last->next = node;
    else
        bucket->first = node;
    bucket->last = node;
}

bool mst_table_init(mst_match_table *table)
{
    *table = (mst_match_table){ .buckets = calloc(BUCKETS_MIN, sizeof *table->buckets),
                                .bucket_count = BUCKETS_MIN };
    return table->buckets != NULL;
}

void mst_table_destroy(mst_match_table *table)
{
    free(table->buckets);
    table->buckets = NULL;
}

/* Doubles the buckets, in order within each; without memory the chains only become longer. */
static void grow(mst_match_table *table)
{
    mst_match_table larger = { .buckets = calloc(table->bucket_count * 2, sizeof *larger.buckets),
                               .bucket_count = table->bucket_count * 2,
                               .count = table->count };

    if (!larger.buckets)
        return;
    for (size_t i = 0; i < table->bucket_count; i++)
        for (mst_match_node *next, *at = table->buckets[i].first; at; at = next) {
            next = at->next;
            append(bucket_of(&larger, at->source, at->tag), at);
        }
    free(table->buckets);
    *table = larger;
}

void mst_table_insert(mst_match_table *table, mst_match_node *node)
{
    if (table->count >= 2 * table->bucket_count)
        grow(table);
    append(bucket_of(table, node->source, node->tag), node);
    table->count++;
}

void mst_table_remove(mst_match_table *table, mst_match_node *node)
{
    mst_match_list *bucket = bucket_of(table, node->source, node->tag);

    if (node->before)
        node->before->next = node->next;
    else
        bucket->first = node->next;
    if (node->next)
        node->next->before = node->before;
    else
        bucket->last = node->before;
    table->count--;
}

mst_match_node *mst_table_find(const mst_match_table *table, int source, int tag)
{
    if (table->count == 0)
        return NULL;
    mst_match_node *at = bucket_of(table, source, tag)->first;
    while (at && (at->source != source || at->tag != tag))
        at = at->next;
    return at;
}

/* ---- lists ---- */

static void list_append(mst_match_list *list, mst_match_node *node)
{
    node->list_next = NULL;
    node->list_before = list->last;
    if (list->last)
        list->last->list_next = node;
    else
        list->first = node;
    list->last = node;
}

static void list_remove(mst_match_list *list, mst_match_node *node)
{
    if (node->list_before)
        node->list_before->list_next = node->list_next;
    else
        list->first = node->list_next;
    if (node->list_next)
        node->list_next->list_before = node->list_before;
    else
        list->last = node->list_before;
}

/* ---- matching ---- */

bool mst_matching_init(mst_matching *matching, int sources)
{
    *matching = (mst_matching){ .by_source = calloc((size_t)sources, sizeof *matching->by_source),
                                .sources = sources };
    if (matching->by_source && mst_table_init(&matching->posted) && mst_table_init(&matching->unexpected))
        return true;
    mst_matching_destroy(matching);
    return false;
}

void mst_matching_destroy(mst_matching *matching)
{
    mst_table_destroy(&matching->posted);
    mst_table_destroy(&matching->unexpected);
    free(matching->by_source);
    matching->by_source = NULL;
}

static bool is_wildcard(const mst_match_node *receive)
{
    return receive->source == MST_ANY || receive->tag == MST_ANY;
}

void mst_matching_post(mst_matching *matching, mst_match_node *receive)
{
    receive->order = matching->posts++;
    if (is_wildcard(receive))
        list_append(&matching->wildcards, receive);
    else
        mst_table_insert(&matching->posted, receive);
}

void mst_matching_unpost(mst_matching *matching, mst_match_node *receive)
{
    if (is_wildcard(receive))
        list_remove(&matching->wildcards, receive);
    else
        mst_table_remove(&matching->posted, receive);
}

static mst_match_node *find_wildcard(const mst_matching *matching, int source, int tag)
{
    mst_match_node *at = matching->wildcards.first;

    while (at && ((at->source != source && at->source != MST_ANY) || (at->tag != tag && at->tag != MST_ANY)))
        at = at->list_next;
    return at;
}

mst_match_node *mst_matching_arrive(mst_matching *matching, int source, int tag)
{
    mst_match_node *exact = mst_table_find(&matching->posted, source, tag);
    mst_match_node *wildcard = find_wildcard(matching, source, tag);
    mst_match_node *first = !exact || (wildcard && wildcard->order < exact->order) ? wildcard : exact;

    if (first)
        mst_matching_unpost(matching, first);
    return first;
}

bool mst_matching_expects(const mst_matching *matching, int source, int tag)
{
    return mst_table_find(&matching->posted, source, tag) || find_wildcard(matching, source, tag);
}

void mst_matching_keep(mst_matching *matching, mst_match_node *message)
{
    mst_table_insert(&matching->unexpected, message);
    list_append(&matching->by_source[message->source], message);
}

static mst_match_node *find_of(const mst_matching *matching, int source, int tag)
{
    return tag == MST_ANY ? matching->by_source[source].first
                          : mst_table_find(&matching->unexpected, source, tag);
}

mst_match_node *mst_matching_find(const mst_matching *matching, int source, int tag)
{
    if (matching->unexpected.count == 0)
        return NULL;
    if (source != MST_ANY)
        return find_of(matching, source, tag);
    for (int i = 1; i <= matching->sources; i++) {
        mst_match_node *found = find_of(matching, (matching->served + i) % matching->sources, tag);

        if (found)
            return found;
    }
    return NULL;
}

void mst_matching_take(mst_matching *matching, mst_match_node *message)
{
    mst_table_remove(&matching->unexpected, message);
    list_remove(&matching->by_source[message->source], message);
}

void mst_matching_serve(mst_matching *matching, int source)
{
    matching->served = source;
}
