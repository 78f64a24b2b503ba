/*
 * Queues, as this backend holds them: a ring of places in the writer's heap, which every reader reads
 * directly, and one word of each reader.
 *
 * As a share, a queue is a group of its own with a block of each member (hidden.h). The writer's has the
 * ring: each place holds one entry, and a stamp that says which one. A reader waits for the stamp of its next
 * entry, reads, and stores into its own block how far it has come. The writer reads these words only when the
 * ring is full as far as it knows, so a push costs the line of the entry, and a look for sleepers of each
 * reader. Nobody writes a word that another writes, so no death leaves anything half done: an entry is there
 * when its stamp is.
 */
#ifndef MST_RING_H
#define MST_RING_H

#include "src/backend.h"

extern const mst_queue_methods mst_ring_methods;

#endif
