/* The arithmetic of blocks.h. */
#include "src/pure/blocks.h"

/* ---- blocks ---- */

bool mst_blocks_measure(const mst_blocks *blocks, int size, mst_blocks_size *measured)
{
    size_t packed = 0, begin = SIZE_MAX, end = 0;

    *measured = (mst_blocks_size){ 0 };
    for (int rank = 0; rank < size; rank++) {
        size_t count = blocks->counts[rank],
               at = blocks->displacements ? blocks->displacements[rank] : packed;
        size_t behind;

        if (__builtin_add_overflow(packed, count, &packed))
            return false;
        if (count == 0)
            continue;
        if (__builtin_add_overflow(at, count, &behind))
            return false;
        begin = at < begin ? at : begin;
        end = behind > end ? behind : end;
    }
    *measured = (mst_blocks_size){ packed, packed ? begin : 0, end };
    return true;
}

/* Sorts ranks by displacement, by insertion with shrinking gaps. */
static void sort_ranks(const size_t *displacements, uint16_t *ranks, int count)
{
    static const int gaps[] = { 701, 301, 132, 57, 23, 10, 4, 1 };

    for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++)
        for (int i = gaps[g]; i < count; i++) {
            uint16_t rank = ranks[i];
            int at = i;

            for (; at >= gaps[g] && displacements[ranks[at - gaps[g]]] > displacements[rank]; at -= gaps[g])
                ranks[at] = ranks[at - gaps[g]];
            ranks[at] = rank;
        }
}

/* The usual case: blocks in the order of ranks, with or without gaps. */
static bool is_ascending(const mst_blocks *blocks, int size)
{
    size_t behind = 0;

    for (int rank = 0; rank < size; rank++) {
        if (blocks->counts[rank] == 0)
            continue;
        if (blocks->displacements[rank] < behind)
            return false;
        behind = blocks->displacements[rank] + blocks->counts[rank];
    }
    return true;
}

/* Lists the ranks whose blocks are not empty in the order in which they are in the buffer; returns how many.
 */
static int list_in_order(const mst_blocks *blocks, int size, uint16_t ranks[MST_BLOCKS_MAX])
{
    int count = 0;

    for (int rank = 0; rank < size; rank++)
        if (blocks->counts[rank])
            ranks[count++] = (uint16_t)rank;
    if (blocks->displacements && !is_ascending(blocks, size))
        sort_ranks(blocks->displacements, ranks, count);
    return count;
}

bool mst_blocks_disjoint(const mst_blocks *blocks, int size, int *first, int *second)
{
    uint16_t ranks[MST_BLOCKS_MAX];

    if (!blocks->displacements || is_ascending(blocks, size))
        return true;
    int count = list_in_order(blocks, size, ranks);
    for (int i = 1; i < count; i++) {
        *first = ranks[i - 1];
        *second = ranks[i];
        if (blocks->displacements[*first] + blocks->counts[*first] > blocks->displacements[*second])
            return false;
    }
    return true;
}

/* One block after the other, as they are in the buffer. */
typedef struct cursor {
    const mst_placed_blocks *placed;
    uint16_t ranks[MST_BLOCKS_MAX];
    int count, next;
    size_t packed;        /* elements of the blocks so far */
    uintptr_t begin, end; /* of the current block; none: end is 0 */
} cursor;

static void advance(cursor *cursor, size_t element_bytes)
{
    const mst_blocks *blocks = cursor->placed->blocks;

    cursor->begin = cursor->end = 0;
    if (cursor->next == cursor->count)
        return;
    int rank = cursor->ranks[cursor->next++];
    size_t at = blocks->displacements ? blocks->displacements[rank] : cursor->packed;
    cursor->packed += blocks->counts[rank];
    cursor->begin = cursor->placed->at + at * element_bytes;
    cursor->end = cursor->begin + blocks->counts[rank] * element_bytes;
}

static void begin(cursor *cursor, const mst_placed_blocks *placed, size_t element_bytes)
{
    cursor->placed = placed;
    cursor->count = list_in_order(placed->blocks, placed->size, cursor->ranks);
    cursor->next = 0;
    cursor->packed = 0;
    advance(cursor, element_bytes);
}

/* A block of `b` that ends before one of `a` begins is before all later ones of `a`, too; and those of `b`
 * end in the order in which they begin. */
bool mst_blocks_meet(const mst_placed_blocks *a, const mst_placed_blocks *b, size_t element_bytes)
{
    cursor in_a, in_b;

    begin(&in_a, a, element_bytes);
    begin(&in_b, b, element_bytes);
    for (; in_a.end; advance(&in_a, element_bytes)) {
        while (in_b.end && in_b.end <= in_a.begin)
            advance(&in_b, element_bytes);
        if (in_b.end && in_b.begin < in_a.end)
            return true;
    }
    return false;
}

void mst_blocks_place(const mst_blocks *blocks, int size, size_t element_bytes, size_t *at)
{
    size_t packed = 0;

    for (int rank = 0; rank < size; rank++) {
        at[rank] = blocks->displacements ? blocks->displacements[rank] * element_bytes : packed;
        packed += blocks->counts[rank] * element_bytes;
    }
}

/* ---- counts between ranks ---- */

mst_counts mst_counts_through(mst_span here, mst_span there, const size_t *counts, size_t each, int root,
                              int rank, int size)
{
    bool with_root = there == SPAN_ROOT_VARIED;

    if (!mst_span_has(here, root, rank))
        return (mst_counts){ 0 };
    return (mst_counts){ mst_span_varied(here) ? counts : NULL, each, with_root ? root : 0,
                         with_root ? root + 1 : size };
}

/* The finalizer of SplitMix64: each bit of the result depends on each of the argument. */
static inline uint64_t hash(uint64_t from, uint64_t to, uint64_t count)
{
    uint64_t x = count + (from << 32 | (to + 1)) * 0x9e3779b97f4a7c15ULL;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

uint64_t mst_counts_balance(const mst_counts *gives, const mst_counts *takes, int own)
{
    uint64_t balance = 0;

    for (int rank = gives->first; rank < gives->end; rank++)
        balance += hash((uint64_t)own, (uint64_t)rank, mst_counts_at(gives, rank));
    for (int rank = takes->first; rank < takes->end; rank++)
        balance -= hash((uint64_t)rank, (uint64_t)own, mst_counts_at(takes, rank));
    return balance;
}
