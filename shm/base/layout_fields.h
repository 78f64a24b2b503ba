/*
 * The one list of what lies in the arena: each constant, each struct and each field. layout.h includes it
 * where the words below declare, layout.c where they tell the list; so the structs, the fingerprint that
 * attachers compare, docs/LAYOUT.md and its test are the same list, and whatever is changed here (a name, a
 * type, an order, a value) is another fingerprint.
 *
 *   CONSTANT(name, value)       an int
 *   STRUCT(name) ... END_STRUCT(name)
 *   FIELD(type, name)           `type name`, as in any struct
 *   ARRAY(type, name, lengths)  `type name lengths`: the lengths have their brackets
 *   REST(type, name)            `type name[]`: as many as there are
 *
 * Rules: offsets, never pointers; fixed-width types; every field names who writes it, who reads it and, where
 * it is shared, which edge of docs/MEMORY_MODEL.md publishes it. After a change: scripts/layout writes
 * docs/LAYOUT.md anew. There is no guard: this file is for layout.h and layout.c only.
 */

/* Raised when a field stays what and where it is, and means something else. */
CONSTANT(MST_LAYOUT_VERSION, 16);
CONSTANT(MST_LINE, 128);          /* two cache lines: neighbours are prefetched in pairs */
CONSTANT(MST_PAGE, 65536);        /* largest page size in use; all big offsets are multiples of it */
CONSTANT(MST_RANKS_MAX, 1024);    /* of a world; and seats of an arena */
CONSTANT(MST_CELLS_MAX, 4096);    /* groups that one rank may be a member of at the same time */
CONSTANT(MST_NONBLOCKING_MAX, 4); /* operations of a group that may be started and not finished */
CONSTANT(MST_REASON_BYTES, 252);  /* of a sentence that explains poison */
CONSTANT(MST_RECORDS, 1024);      /* operations that a rank remembers; a power of two */
CONSTANT(MST_DOING_BYTES, 96);    /* of a description of the call that a rank waits in */
CONSTANT(MST_PAYLOAD_BYTES, 112); /* beside an arrival's flag */
CONSTANT(MST_CHUNKS_MAX, 13);     /* that work for all is cut into */
CONSTANT(MST_SLOT_BYTES, 4224);   /* of a small entry of a channel: 4 KiB, and a little */
CONSTANT(MST_SMALL_BYTES, 4096);  /* of a small slot of staging: two belong to a cell */
CONSTANT(MST_ACTIVITIES, 4);      /* one for each call class */
CONSTANT(MST_ENTRY_UNIT, 64);     /* entries of a channel begin at multiples of it */
CONSTANT(MST_ENTRIES_OFFSET, 65536);
CONSTANT(MST_REGION_BYTES_MIN, 16 * 1024 * 1024);
CONSTANT(MST_WORLD_CELL, 0); /* every rank's cell in the world, of its first generation */
CONSTANT(MST_WORLD_MEMBERSHIP, 3);

/*
 * A growing count that others wait for. `word` is 2 x count + a poison bit: the owner adds 2, a
 * poisoner sets bit 0, so that both change the word a sleeper is parked on. Counts are compared by
 * difference. Waiters announce themselves in `sleepers` before parking, so that a waker makes a
 * system call only when someone sleeps.
 */
STRUCT(mst_eventcount)
    FIELD(alignas(MST_LINE) _Atomic uint32_t, word); /* owner: E2, E3, E5; poisoner: E7; read by waiters */
    FIELD(_Atomic uint32_t, sleepers);               /* waiters, E9; read by whoever raises the word */
END_STRUCT(mst_eventcount);

/*
 * One rank's arrival at a round: a flag, and beside it, so that it comes with the same line, what the
 * others read first. `word` is 2 x round + a poison bit. Only the owner stores to it; a poisoner sets
 * the bit to change the word that a sleeper is parked on.
 */
STRUCT(mst_arrival)
    FIELD(alignas(MST_LINE) _Atomic uint32_t, word); /* owner: E2, E3; poisoner: E7 */
    FIELD(uint32_t, reserved);
    FIELD(uint64_t, request); /* owner, before the word: what it was asked to do, in short */
    ARRAY(unsigned char, payload, [MST_PAYLOAD_BYTES]); /* owner, before the word: what is read first */
END_STRUCT(mst_arrival);

/* One rank's side of a sequence: arrivals at even and odd rounds, and who sleeps on them. `sleepers` has a
 * line of its own, since the owner looks at it after every round and the others read the arrivals. */
STRUCT(mst_sequence_lines)
    ARRAY(mst_arrival, arrivals, [2]);
    FIELD(alignas(MST_LINE) _Atomic uint32_t, sleepers); /* waiters, E9; read by the owner */
END_STRUCT(mst_sequence_lines);

/* All that a rank was asked to do, published by its arrival (E2): for sentences, and for buffers that
 * are read where they lie. */
STRUCT(mst_call_record)
    FIELD(uint64_t, operation); /* number of the operation in the group */
    FIELD(uint64_t, count);
    FIELD(uint64_t, in_offset);  /* arena offset of the input, 0: private memory, it travels by staging */
    FIELD(uint64_t, out_offset); /* the same for the output */
    FIELD(uint32_t, collective); /* enum mst_collective of src/ */
    FIELD(uint32_t, dtype);
    FIELD(uint32_t, op);
    FIELD(int32_t, root);
    ARRAY(uint64_t, reserved, [2]);
END_STRUCT(mst_call_record);

/* A sequence for operations that are started now and finished later: each goes to the next of these. */
STRUCT(mst_nonblocking_lines)
    FIELD(mst_sequence_lines, sequence); /* E2 */
    ARRAY(mst_call_record, calls, [2]);  /* by parity of the sequence's operations, E2 */
END_STRUCT(mst_nonblocking_lines);

/* What a rank brings to a split, published by E3. */
STRUCT(mst_split_record)
    FIELD(int32_t, color);
    FIELD(int32_t, key);
    FIELD(uint32_t, status);     /* a muster_status: whether the rank could get its share of the child */
    FIELD(uint32_t, cell);       /* index of its cell for the child */
    FIELD(uint64_t, membership); /* what that cell's membership reads while the rank is in the child */
    FIELD(uint64_t, staging_offset);
    FIELD(uint64_t, operation); /* number of the split in the parent */
    ARRAY(uint64_t, reserved, [3]);
END_STRUCT(mst_split_record);

/* What a rank brings to a shrink or a grow, published by E11. */
STRUCT(mst_regroup_record)
    FIELD(mst_split_record, share); /* color, key, operation: unused */
    FIELD(uint64_t, list_offset);   /* where in its heap the membership list is that it will propose */
    FIELD(uint32_t, grows);         /* 1: replacements of dead ranks are to be taken in */
    FIELD(uint32_t, reserved);
    ARRAY(uint64_t, reserved_too, [6]);
END_STRUCT(mst_regroup_record);

/* Who belongs to a new group: a proposal, and, if it is the first, the decision (E12). So many lines
 * follow, in the order of the new group. */
STRUCT(mst_member_list_head)
    FIELD(uint64_t, size);
    FIELD(uint64_t, oversubscribed); /* 1: members wait without spinning; alike on all: other things follow */
    ARRAY(uint64_t, reserved, [2]);
END_STRUCT(mst_member_list_head);

STRUCT(mst_member_line)
    FIELD(uint32_t, seat);
    FIELD(uint32_t, cell);
    FIELD(uint64_t, membership);
    FIELD(uint64_t, staging_offset);
END_STRUCT(mst_member_line);

/* What a call is, for those who look from outside. */
STRUCT(mst_doing)
    FIELD(uint32_t, kind); /* a collective of src/, or one of activity.h */
    FIELD(uint32_t, dtype);
    FIELD(uint32_t, op);
    FIELD(int32_t, peer);       /* whom it waits for, or the root, in the group; -1: all of them */
    FIELD(uint64_t, count);     /* elements */
    FIELD(uint64_t, operation); /* its number in the group */
END_STRUCT(mst_doing);

STRUCT(mst_activity)
    FIELD(_Atomic uint64_t, number); /* 2 x the latest operation that was entered, less 1 in a call, E18 */
    FIELD(int64_t, entered_ns);      /* by the monotonic clock, up to some milliseconds early */
    FIELD(mst_doing, doing);
    ARRAY(uint64_t, reserved, [2]);
END_STRUCT(mst_activity);

/* An operation that is over, for those who look from outside (recorder.h). All by the rank, E19. */
STRUCT(mst_record)
    FIELD(_Atomic uint64_t, stamp);  /* 1 + places taken before; 0: is being written, or never was */
    FIELD(_Atomic uint64_t, what);   /* packed: which call, in the group of how many */
    FIELD(_Atomic uint64_t, number); /* of the operation in the group */
    FIELD(_Atomic uint64_t, group);
    FIELD(_Atomic uint64_t, count);
    FIELD(_Atomic uint64_t, entered_ns); /* by the monotonic clock, as the two that follow */
    FIELD(_Atomic uint64_t, arrived_ns); /* when all others had come; 0: they did not */
    FIELD(_Atomic uint64_t, done_ns);
END_STRUCT(mst_record);

/* One rank's control lines in one group. Written by that rank unless said otherwise. */
STRUCT(mst_cell)
    /* 2 x generation + 1 while the rank is in the group, + 0 once it has left (E10). Never comes
     * back to an earlier value, so that a peer's stale look reads as "left". */
    FIELD(alignas(MST_LINE) _Atomic uint64_t, membership);
    FIELD(_Atomic uint64_t, poison);   /* any member: generation, and why it is broken (poison.h), E7 */
    FIELD(_Atomic uint64_t, channels); /* offset of this rank's channel table, 0: has sent nothing, E4 */
    FIELD(uint64_t, staging_offset);   /* before the rank attaches or splits: E1, E3 */
    FIELD(_Atomic uint64_t, regroups); /* 2 x those that this rank has arrived at + 1 in one, E11 */
    FIELD(_Atomic uint64_t, decided);  /* rank 0's cell, any member: latest regroup and its winner, E12 */
    FIELD(mst_sequence_lines, collectives); /* collectives, E2 */
    FIELD(mst_sequence_lines, splits);      /* splits, E3: the payload is a split record */
    ARRAY(mst_call_record, calls, [2]); /* by parity of the operations on the sequence `collectives`, E2 */
    FIELD(mst_eventcount, doorbell);    /* point to point: senders and receivers wake this rank, E5, E6 */
    FIELD(alignas(MST_LINE) uint32_t, reason_bytes); /* why this rank poisoned the group: once, before E7 */
    ARRAY(char, reason, [MST_REASON_BYTES]);
    ARRAY(mst_nonblocking_lines, nonblocking, [MST_NONBLOCKING_MAX]);
    ARRAY(alignas(MST_LINE) mst_regroup_record, regroup_records, [2]); /* by parity of the regroup */
    /* For those who look from outside: no rank reads these. */
    ARRAY(alignas(MST_LINE) mst_activity, activities, [MST_ACTIVITIES]);
    FIELD(uint64_t, group); /* of this group's members only, before the first activity */
    FIELD(uint32_t, group_rank);
    FIELD(uint32_t, group_size);
    /* Rank 0's cell: who has taken, or done, which chunk of which work, packed, by any member, E21; and the
     * event count of those who sleep until one is done, E9. */
    FIELD(_Atomic uint32_t, chunks_rung);
    FIELD(_Atomic uint32_t, chunks_sleepers);
    ARRAY(_Atomic uint64_t, chunks, [MST_CHUNKS_MAX]);
END_STRUCT(mst_cell);

/* One per seat. A world's rank goes from JOINING to ATTACHED; one that replaces another is WAITING in
 * between. */
CONSTANT(MST_RANK_VACANT, 0);
CONSTANT(MST_RANK_JOINING, 1);
CONSTANT(MST_RANK_ATTACHED, 2);
CONSTANT(MST_RANK_LEFT, 3);
CONSTANT(MST_RANK_WAITING, 4);

/* What `gone` says of a rank that has ended, or left; 0: not known yet. */
CONSTANT(MST_WRITES_NO_MORE, 1);
CONSTANT(MST_MAY_WRITE_YET, 2); /* it has left since its program ends, whose other threads may be in calls */

STRUCT(mst_rank_entry)
    FIELD(alignas(MST_LINE) _Atomic uint32_t, state); /* the rank (claims by CAS), E1, E10 */
    FIELD(int32_t, pid);                              /* the rank, before ATTACHED, E1 */
    FIELD(uint64_t, process_start);                   /* tells a reused pid apart; before ATTACHED, E1 */
    FIELD(_Atomic uint64_t, termination); /* launcher or any peer, once: 0 or the packed termination, E8 */
    FIELD(_Atomic uint32_t, death_word);  /* the rank, and the kernel at its death; 0: it has none */
    FIELD(_Atomic uint32_t, gone);        /* launcher or any peer, or the rank: MST_WRITES_NO_MORE ..., E8 */
    FIELD(uint64_t, process_identity);    /* likewise, where the system has such numbers; 0: it has not */
    FIELD(uint64_t, process_namespace);   /* what the pid is a number of; 0: unknown */
    FIELD(uint64_t, process_image);       /* the program that the process runs; 0: unknown */
    FIELD(uint32_t, rank);                /* which rank of the world it is; before ATTACHED, E1 */
    FIELD(_Atomic uint32_t, successor); /* launcher: 1 + the seat of its replacement, UINT32_MAX: none, E15 */
    FIELD(_Atomic uint64_t, admission); /* of a replacement: its membership list, by any member, E16 */
    FIELD(_Atomic uint64_t, claimed);   /* the rank: places that it has taken in its ring of records */
    FIELD(_Atomic uint64_t, committing); /* the rank: bytes that it is about to get memory for, E22 */
    FIELD(uint64_t, mapped_bytes); /* the rank, before ATTACHED, E1: of each heap; all end at the least */
    ARRAY(alignas(MST_LINE) uint64_t, cpus, [16]); /* the rank, before ATTACHED: CPUs that it may use, E1 */
    /* One bit per seat whose rank is in a group with this one: that rank, E17. */
    ARRAY(alignas(MST_LINE) _Atomic uint64_t, references, [MST_RANKS_MAX / 64]);
    /* What the rank waits for, while it waits long (deadlock.h). */
    FIELD(alignas(MST_LINE) _Atomic uint64_t, wait_epoch); /* the rank: 2 x waits, + 1 in one, E13 */
    FIELD(_Atomic uint64_t, verdict);      /* a member of a cycle: the wait epoch that is part of it, E14 */
    FIELD(_Atomic uint32_t, checks);       /* the rank: how often it has looked in vain, E13 */
    ARRAY(_Atomic uint32_t, awaited, [2]); /* the rank: 1 + whom it waits for, 0: nobody, E13 */
    ARRAY(char, doing, [MST_DOING_BYTES]); /* the rank: in which call, E13 */
    ARRAY(alignas(MST_LINE) char, cycle, [256]); /* with the verdict: who waits for whom, E14 */
END_STRUCT(mst_rank_entry);

STRUCT(mst_header)
    /* Identity: written by the creator, published by `ready` (E0), copied once by attachers. */
    FIELD(_Atomic uint64_t, ready); /* MST_READY_MAGIC, stored last */
    FIELD(uint64_t, fingerprint);   /* mst_layout_fingerprint() of the creator's build */
    FIELD(uint32_t, version);
    FIELD(uint32_t, size); /* ranks of the world */
    FIELD(uint64_t, arena_bytes);
    FIELD(uint64_t, region_bytes);
    FIELD(uint64_t, staging_bytes); /* per rank and group: a ring */
    ARRAY(uint64_t, nonce, [2]);
    FIELD(int32_t, launcher_pid); /* 0: ranks started on their own */
    FIELD(uint32_t, named);       /* 1: has, or had, a name in the file system */
    FIELD(uint64_t, launcher_start);
    FIELD(uint32_t, seats); /* at least one per rank; those beyond are for ranks that replace dead ones */
    FIELD(uint32_t, launcher_namespace); /* what its pid is a number of; 0: unknown */
    /* Attach state. */
    FIELD(mst_eventcount, arrivals); /* ranks attached, E1; any change makes attachers look again */
    /* Settled once, by CAS: all have come, or whose end or giving up was the first (rendezvous.h), E23. */
    FIELD(alignas(MST_LINE) _Atomic uint64_t, rendezvous);
    FIELD(_Atomic uint32_t, terminations); /* counts changes of any entry's termination, E8 */
    FIELD(_Atomic uint32_t, name_remover); /* by CAS: 1 + who removes the name; UINT32_MAX: done */
END_STRUCT(mst_header);

/* One direction between two ranks, in the sender's heap: two slots for small entries, and a ring of entries,
 * of mst_layout_ring_bytes() bytes. */
STRUCT(mst_channel)
    FIELD(alignas(MST_LINE) _Atomic uint64_t, head); /* receiver: bytes that it is done with, E6 */
    FIELD(_Atomic uint64_t, posted);    /* receiver: the number of the entry that it waits for, E6 */
    ARRAY(uint64_t, wanted_at, [2]);    /* receiver, before `posted`: offset to fill, 0: private */
    ARRAY(uint64_t, wanted_bytes, [2]); /* its bytes; both by parity of the entry's number */
    ARRAY(alignas(MST_LINE) unsigned char, slots, [2][MST_SLOT_BYTES]); /* of even and odd entries */
    REST(alignas(MST_LINE) unsigned char, ring);
END_STRUCT(mst_channel);

/*
 * The beginning of an entry, at a multiple of MST_ENTRY_UNIT, with its bytes right behind, so that a
 * small message is one cache line. `stamp` says that the entry is there: its number (from 1, in the channel),
 * kind and tag, packed; in the ring that of the next entry is cleared before. What `count` and the tag mean
 * is the messages' affair.
 */
STRUCT(mst_entry)
    FIELD(_Atomic uint64_t, stamp); /* sender: 0, or number, kind and tag, E5 */
    FIELD(uint64_t, count);
    FIELD(uint64_t, taken); /* how many entries of the receiver's channel the sender has taken, E20 */
END_STRUCT(mst_entry);
