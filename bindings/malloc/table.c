/* Lists and classes of table.h. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "bindings/malloc/table.h"

#include <sys/mman.h>

#include "src/pure/malloc_offer.h"

bool mst_block_table_init(mst_block_table *table, uint64_t units)
{
    if (units == 0 || units >= MST_NO_BLOCK)
        return false;
    /* One entry per unit; only those of blocks are ever touched. */
    void *blocks = mmap(NULL, units * sizeof *table->blocks, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (blocks == MAP_FAILED)
        return false;
    *table = (mst_block_table){ .blocks = blocks, .units = (uint32_t)units, .kept = MST_NO_BLOCK };
    for (unsigned class = 0; class < MST_BLOCK_CLASSES; class ++)
        table->used[class] = table->fresh[class] = MST_NO_BLOCK;
    return true;
}

/* ---- classes: 1, 2, 3, 4 units, then four for each power of two: 5, 6, 7, 8, 10, 12, 14, 16, 20, ... ----
 */

unsigned mst_class_of(size_t bytes)
{
    uint64_t units = (bytes + MST_MALLOC_UNIT - 1) / MST_MALLOC_UNIT;

    if (units <= 4)
        return units ? (unsigned)units - 1 : 0;
    unsigned power = 63 - (unsigned)__builtin_clzll(units - 1); /* 2^power < units <= 2^(power + 1) */
    uint64_t part = 1ULL << (power - 2);
    return 4 * (power - 1) + (unsigned)((units - (1ULL << power) + part - 1) / part) - 1;
}

uint64_t mst_class_units(unsigned class)
{
    if (class < 4)
        return class + 1;
    unsigned power = class / 4 + 1;
    return (1ULL << power) + (class % 4 + 1) * (1ULL << (power - 2));
}

/* ---- lists ---- */

void mst_block_push(mst_block_table *table, uint32_t *list, uint32_t unit)
{
    table->blocks[unit].next = *list;
    *list = unit;
}

uint32_t mst_block_pop(mst_block_table *table, uint32_t *list)
{
    uint32_t unit = *list;

    if (unit != MST_NO_BLOCK)
        *list = table->blocks[unit].next;
    return unit;
}

void mst_block_push_kept(mst_block_table *table, uint32_t unit)
{
    mst_block_push(table, &table->kept, unit);
    table->pages_kept += table->blocks[unit].touched;
}

uint32_t mst_block_pop_kept(mst_block_table *table)
{
    uint32_t unit = mst_block_pop(table, &table->kept);

    if (unit != MST_NO_BLOCK)
        table->pages_kept -= table->blocks[unit].touched;
    return unit;
}

void mst_block_push_used(mst_block_table *table, uint32_t unit)
{
    mst_block_push(table, &table->used[table->blocks[unit].class], unit);
    table->pages_cached += table->blocks[unit].touched;
}

void mst_block_push_fresh(mst_block_table *table, uint32_t unit)
{
    table->blocks[unit].touched = 0;
    mst_block_push(table, &table->fresh[table->blocks[unit].class], unit);
}

uint32_t mst_block_pop_used(mst_block_table *table, unsigned class)
{
    uint32_t unit = mst_block_pop(table, &table->used[class]);

    if (unit != MST_NO_BLOCK)
        table->pages_cached -= table->blocks[unit].touched;
    return unit;
}

uint32_t mst_block_pop_largest_used(mst_block_table *table)
{
    for (unsigned class = MST_BLOCK_CLASSES; class -- > 0;)
        if (table->used[class] != MST_NO_BLOCK)
            return mst_block_pop_used(table, class);
    return MST_NO_BLOCK;
}

/* ---- blocks ---- */

uint32_t mst_block_extend(mst_block_table *table, unsigned class, uint32_t align)
{
    uint64_t begin = ((uint64_t)table->end + align - 1) / align * align, units = mst_class_units(class);

    if (begin + units > table->units)
        return MST_NO_BLOCK;
    table->blocks[begin] = (mst_block){ .class = (uint8_t) class };
    table->end = (uint32_t)(begin + units);
    return (uint32_t)begin;
}

void mst_block_use(mst_block_table *table, uint32_t unit, size_t bytes)
{
    mst_block *block = &table->blocks[unit];

    block->pages = (uint32_t)((bytes + MST_BLOCK_PAGE - 1) / MST_BLOCK_PAGE);
    if (block->touched < block->pages)
        block->touched = block->pages;
    table->pages_in_use += block->pages;
}

void mst_block_end_use(mst_block_table *table, uint32_t unit)
{
    table->pages_in_use -= table->blocks[unit].pages;
    table->blocks[unit].pages = 0;
}

bool mst_block_is_used(const mst_block_table *table, uint64_t unit)
{
    return unit < table->end && table->blocks[unit].pages != 0;
}
