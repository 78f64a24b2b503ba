/*
 * The list of everything in the arena. layout.h includes it with the macros below as declarations, layout.c
 * with macros that enumerate it. So the structs, docs/LAYOUT.md, its test and the fingerprint that attaching
 * ranks compare come from one list, and any change (a name, a type, an order, a value) changes all of them.
 *
 *   CONSTANT(name, value)       an int
 *   STRUCT(name) ... END_STRUCT(name)
 *   FIELD(type, name)           `type name`, as in any struct
 *   ARRAY(type, name, lengths)  `type name lengths`: the lengths include their brackets
 *   REST(type, name)            `type name[]`: a flexible array
 *
 * Rules: offsets, never pointers; fixed-width types; a field names its writer, its readers and its edge in
 * docs/MEMORY_MODEL.md. scripts/layout rewrites docs/LAYOUT.md. Only layout.h and layout.c include this file.
 */

/* To be raised when a field keeps its name, type and place but changes its meaning. */
CONSTANT(MST_LAYOUT_VERSION, 22);
CONSTANT(MST_LINE, 128);             /* two cache lines: the adjacent one is prefetched */
CONSTANT(MST_PAGE, 65536);           /* largest page size in use; large offsets are multiples of it */
CONSTANT(MST_RANKS_MAX, 1024);       /* of a world; also seats of an arena */
CONSTANT(MST_CELLS_MAX, 4096);       /* groups that one rank can be a member of at the same time */
CONSTANT(MST_REASON_BYTES, 252);     /* length of the sentence that explains poison */
CONSTANT(MST_RECORDS, 1024);         /* operations that a rank remembers; a power of two */
CONSTANT(MST_DOING_BYTES, 96);       /* length of the description of the call that a rank waits in */
CONSTANT(MST_OP_BYTES, 16);          /* length of the name of an operation that the program made */
CONSTANT(MST_PAYLOAD_BYTES, 112);    /* beside an arrival's flag */
CONSTANT(MST_GATHERED_BYTES, 752);   /* of payloads that a leader passes on (shm/group/levels.h) */
CONSTANT(MST_CHUNKS_MAX, 13);        /* maximum number of chunks that shared work is divided into */
CONSTANT(MST_SLOT_BYTES, 2624);      /* capacity of a channel's small entry: 2.5 KiB and its header */
CONSTANT(MST_SHORT_SLOTS, 32);       /* slots of a channel for entries of few lines */
CONSTANT(MST_SHORT_SLOT_BYTES, 256); /* capacity of one, with the header */
CONSTANT(MST_SMALL_BYTES, 4096);     /* size of a small staging slot; a cell has two */
CONSTANT(MST_ACTIVITIES, 4);         /* call classes of a group */
CONSTANT(MST_SIGNALS, 16);           /* signals of a window that one member can raise at another */
CONSTANT(MST_ENTRY_UNIT, 64);        /* entries of a channel begin at multiples of this */
CONSTANT(MST_ENTRY_LARGE, 1280);     /* from so many bytes on those of an entry begin with its second line */
CONSTANT(MST_EXPRESS_BYTES, 8320);   /* capacity of the entry beside a channel's ring: 8 KiB and its header */
CONSTANT(MST_ANSWERS, 32);           /* answers of a channel that its sender may not have read */
CONSTANT(MST_ANNOUNCEMENTS, 16);     /* announcements of a channel that its receiver may not have read */
CONSTANT(MST_HOST_OFFSET, 8192);
CONSTANT(MST_HOST_NAME_BYTES, 48);
CONSTANT(MST_ENTRIES_OFFSET, 65536);
CONSTANT(MST_REGION_BYTES_MIN, 16 * 1024 * 1024);
CONSTANT(MST_THRESHOLDS_MAX, 32); /* places for thresholds (shm/base/thresholds.h) */
CONSTANT(MST_NAME_WORDS, 4);      /* of a group's name: 32 bytes, of which the last is 0 */
CONSTANT(MST_PAIRS_REFUSED, 1);   /* in place of the offset of a table of pairs: there will be none */
CONSTANT(MST_WORLD_CELL, 0);      /* every rank's cell in the first generation of the world */
CONSTANT(MST_WORLD_MEMBERSHIP, 3);

/* An event count: a growing count that others wait for. `word` is 2 x count + a poison bit: the owner adds 2,
 * a poisoner sets bit 0, and both change the word that a sleeper is parked on. Counts are compared by
 * difference. Waiters announce themselves in `sleepers` before parking, so that a waker makes a system call
 * only if someone sleeps. */
STRUCT(mst_eventcount)
    FIELD(alignas(MST_LINE) _Atomic uint32_t, word); /* owner: E2, E3, E5; poisoner: E7; read by waiters */
    FIELD(_Atomic uint32_t, sleepers);               /* waiters, E9; read by whoever raises the word */
END_STRUCT(mst_eventcount);

/* One rank's arrival at a round: a flag and, in the same lines, what the others read first. `word` is 2 x
 * round + a poison bit: only the owner advances it, and a poisoner sets the bit, as of an event count. */
STRUCT(mst_arrival)
    FIELD(alignas(MST_LINE) _Atomic uint32_t, word); /* owner: E2, E3; poisoner: E7 */
    FIELD(uint32_t, staged);  /* owner, before the word, in a checked build: 1 + bytes; 0: not published */
    FIELD(uint64_t, request); /* owner, before the word: what it was asked to do, packed */
    ARRAY(unsigned char, payload, [MST_PAYLOAD_BYTES]); /* owner, before the word: what is read first */
END_STRUCT(mst_arrival);

/* A rank's arrivals at even and odd rounds of a sequence (mst_layout_arrival). */
STRUCT(mst_sequence_lines)
    FIELD(mst_arrival, even);
    ARRAY(unsigned char, gap, [64]);   /* nobody writes it: a masked load of a payload reaches into it */
    FIELD(_Atomic uint32_t, sleepers); /* who sleeps on them, E9; read by the owner after each round */
    FIELD(mst_arrival, odd);
END_STRUCT(mst_sequence_lines);

/* What a leader has found of its domain at a round (shm/group/levels.h), and the domain's payloads. */
STRUCT(mst_gathered)
    FIELD(alignas(MST_LINE) _Atomic uint32_t, word); /* owner: E36; poisoner: E7 */
    FIELD(uint32_t, differ);  /* owner, before the word: 1: the requests of its domain are not all the same */
    FIELD(uint64_t, request); /* owner, before the word: what they are */
    ARRAY(unsigned char, payload, [MST_GATHERED_BYTES]); /* owner, before the word: one after the other */
END_STRUCT(mst_gathered);

/* Where a rank's ring of staging is, in the payload of an arrival, E2. */
STRUCT(mst_staging_offer)
    FIELD(uint64_t, offset);
    FIELD(uint32_t, status); /* a muster_status: whether the rank could claim it */
    FIELD(uint32_t, reserved);
END_STRUCT(mst_staging_offer);

/* All that a rank was asked to do, published by its arrival (E2): for error messages, and for buffers that
 * peers read without a copy. */
STRUCT(mst_call_record)
    FIELD(uint64_t, operation); /* number of the operation in the group */
    FIELD(uint64_t, count);
    FIELD(uint64_t, in_offset); /* where the input is: arena offset or marked address (remote.h); 0: staged */
    FIELD(uint64_t, out_offset); /* the same for the output */
    FIELD(uint16_t, collective); /* enum mst_collective of src/ */
    FIELD(uint16_t, reads);      /* enum mst_reads of src/: whether it reads inputs in their ranks' memory */
    FIELD(uint32_t, dtype);
    FIELD(uint32_t, op);
    FIELD(int32_t, root);
    ARRAY(char, made, [MST_OP_BYTES]); /* if the program made the op: its name, or this rank's factor */
END_STRUCT(mst_call_record);

/* The beginning of a payload, in a collective whose blocks have counts of their own (E2). Where each rank
 * gets another block, the table of places comes next if it fits, a uint64_t per rank. One word is in place of
 * both in a call that is repeated. The rest, a small slot or the ring has the stream's first bytes. */
STRUCT(mst_varied_head)
    FIELD(uint64_t, bytes);     /* of the stream; the most significant bit is set in that one word only */
    FIELD(uint64_t, balance);   /* src/pure/blocks.h: those of all ranks add up to 0 */
    FIELD(uint64_t, in_offset); /* arena offset of the input, which the others read there; 0: it is staged */
    FIELD(uint64_t, check);     /* a hash of the other three, by which damage to them is noticed */
END_STRUCT(mst_varied_head);

/* A payload, if the balances do not add up to 0 (E2): what a rank finds in the counts of the others. */
STRUCT(mst_count_finding)
    FIELD(uint64_t, given); /* elements that rank `from` gives to the rank that has found this */
    FIELD(uint64_t, taken); /* elements that this one takes from it */
    FIELD(uint32_t, found); /* 1: they differ; 0: all is well between this rank and the others */
    FIELD(uint32_t, from);
END_STRUCT(mst_count_finding);

/* An entry of a rank's journal (journal.h): a collective that it has started. Written by the rank: `next`
 * before it has started one more, all else before it has started this one, E32. What peers read of small or
 * private inputs follows. */
STRUCT(mst_journal_entry)
    FIELD(alignas(MST_LINE) mst_call_record, call);
    FIELD(uint64_t, next);          /* arena offset of the entry after it */
    FIELD(uint64_t, result_offset); /* where peers find the rank's slice of a large reduction */
    FIELD(uint64_t, lends);         /* 1: the input is the user's buffer; 0: a copy */
    ARRAY(uint64_t, reserved, [5]);
END_STRUCT(mst_journal_entry);

/* Behind the entry of a started collective with counts by rank, E32. */
STRUCT(mst_varied_entry)
    FIELD(uint64_t, balance); /* src/pure/blocks.h: those of all ranks add up to 0 */
    REST(uint64_t, numbers);  /* by rank, three of each: what it gives, what it takes, where the block is */
END_STRUCT(mst_varied_entry);

/* How far a rank has come in the journals of a group. */
STRUCT(mst_journal_lines)
    FIELD(alignas(MST_LINE) _Atomic uint64_t, started); /* entries in its own journal, E32 */
    FIELD(_Atomic uint64_t, read);                      /* operations of which it has read all inputs, E33 */
    FIELD(_Atomic uint64_t, done);      /* operations of which it reads nothing any more, E34 */
    FIELD(uint64_t, first);             /* arena offset of the first entry, before `started`: E32 */
    FIELD(_Atomic uint64_t, under_way); /* for observers, of a group over several hosts: likewise */
END_STRUCT(mst_journal_lines);

/* What a rank contributes to a split, published by E3. */
STRUCT(mst_split_record)
    FIELD(int32_t, color);
    FIELD(int32_t, key);
    FIELD(uint32_t, status);     /* a muster_status: whether the rank could allocate its part of the child */
    FIELD(uint32_t, cell);       /* index of its cell for the child */
    FIELD(uint64_t, membership); /* the value of that cell's membership while the rank is in the child */
    FIELD(uint64_t, staging_offset); /* 0: none yet */
    FIELD(uint64_t, makes); /* what the call makes, enum mst_makes of src/onehost: the same on all ranks */
    ARRAY(uint64_t, details, [2]); /* a window's bytes of this rank; a queue's entries, and bytes of each */
END_STRUCT(mst_split_record);

/* What a rank contributes to a subset, for one other member (pairs.h). */
STRUCT(mst_pair_record)
    FIELD(_Atomic uint64_t, call); /* how many subsets the pair has reached, E27 */
    FIELD(uint64_t, list);         /* a hash of the subset's ranks */
    FIELD(uint64_t, membership);   /* as in a split record */
    FIELD(uint32_t, cell);
    FIELD(uint32_t, status); /* a muster_status: whether the rank could allocate its part */
END_STRUCT(mst_pair_record);

STRUCT(mst_pair_entry)
    ARRAY(mst_pair_record, records, [2]); /* by parity of the call */
END_STRUCT(mst_pair_entry);

/* What a rank contributes to a shrink or a grow, published by E11. */
STRUCT(mst_regroup_record)
    FIELD(mst_split_record, member); /* color and key: unused */
    FIELD(uint64_t, list_offset);    /* where in its heap the membership list is that it proposes */
    FIELD(uint32_t, grows);          /* 1: replacements of dead ranks are to be added */
    FIELD(uint32_t, reserved);
    ARRAY(uint64_t, reserved_too, [6]);
END_STRUCT(mst_regroup_record);

/* Who belongs to a new group: a proposal, and, if it is the first, the decision (E12). `size` member lines
 * follow, in the order of the new group. */
STRUCT(mst_member_list_head)
    FIELD(uint64_t, size);
    FIELD(uint64_t, oversubscribed); /* 1: members wait without spinning; equal on all members */
    ARRAY(uint64_t, reserved, [2]);
END_STRUCT(mst_member_list_head);

STRUCT(mst_member_line)
    FIELD(uint32_t, seat);
    FIELD(uint32_t, cell);
    FIELD(uint64_t, membership);
    FIELD(uint64_t, staging_offset); /* 0: none yet */
END_STRUCT(mst_member_line);

#include "shm/base/layout_observed_fields.h"

/* One rank's control lines in one group. Written by that rank unless said otherwise. */
STRUCT(mst_cell)
    /* 2 x generation + 1 while the rank is in the group, + 0 once it has left (E10). Never returns to an
     * earlier value, so that a peer that reads late sees "left". */
    FIELD(alignas(MST_LINE) _Atomic uint64_t, membership);
    FIELD(_Atomic uint64_t, poison);   /* any member: generation, and the reason if poisoned (poison.h), E7 */
    FIELD(_Atomic uint64_t, channels); /* offset of this rank's channel table; 0: it has sent nothing, E4 */
    FIELD(uint64_t, staging_offset);   /* of a world, before the rank attaches, E1; 0: see the offers */
    FIELD(_Atomic uint64_t, regroups); /* 2 x regroups that this rank has arrived at, + 1 while in one, E11 */
    FIELD(_Atomic uint64_t, decided);  /* rank 0's cell, any member: latest regroup and its winner, E12 */
    FIELD(_Atomic uint64_t, pairs);    /* offset of this rank's table of pairs; 0: none yet, E26 */
    ARRAY(_Atomic uint64_t, name, [MST_NAME_WORDS]); /* the group's, for observers: bytes, then zeros, E31 */
    FIELD(int64_t, reason_limit_ns);                 /* with the reason: the limit that passed; 0: none */
    FIELD(uint32_t, reason_pair);           /* likewise: 1 + the other of two ranks that disagree; 0: none */
    FIELD(mst_sequence_lines, collectives); /* collectives, E2 */
    FIELD(mst_sequence_lines, splits);      /* splits, E3: the payload is a split record */
    ARRAY(mst_call_record, calls, [2]); /* by parity of the operations on the sequence `collectives`, E2 */
    FIELD(mst_eventcount, doorbell);    /* point to point: senders and receivers wake this rank, E5, E6 */
    FIELD(alignas(MST_LINE) uint32_t, reason_bytes); /* owner, once, before E7: why it poisoned the group */
    ARRAY(char, reason, [MST_REASON_BYTES]);
    FIELD(mst_journal_lines, journal);  /* started collectives, E32, E33, E34 */
    ARRAY(mst_gathered, gathered, [2]); /* of a leader: by parity of the round of `collectives`, E36 */
    FIELD(mst_arrival, release);        /* of a leader: all have come, E37; `request`: a verdict */
    /* Of a group over several hosts, for observers, bits by rank in the job: who is in it, before the first
     * activity; who of other hosts is waited for, a hint. */
    ARRAY(alignas(MST_LINE) _Atomic uint64_t, members, [MST_RANKS_MAX / 64]);
    ARRAY(_Atomic uint64_t, awaits, [MST_RANKS_MAX / 64]);
    ARRAY(alignas(MST_LINE) mst_regroup_record, regroup_records, [2]); /* by parity of the regroup */
    /* For observers outside the job: no rank reads these. */
    ARRAY(alignas(MST_LINE) mst_activity, activities, [MST_ACTIVITIES]);
    FIELD(uint64_t, group); /* identical for all members of this group, before the first activity */
    FIELD(uint32_t, group_rank);
    FIELD(uint32_t, group_size);
    /* In rank 0's cell: chunks of shared work that are taken or done, by any member, E21; who sleeps, E9. */
    FIELD(_Atomic uint32_t, chunks_word);
    FIELD(_Atomic uint32_t, chunks_sleepers);
    ARRAY(_Atomic uint64_t, chunks, [MST_CHUNKS_MAX]);
END_STRUCT(mst_cell);

/* Rank states of a seat: JOINING, then ATTACHED; one that replaces a dead rank is WAITING in between. */
CONSTANT(MST_RANK_VACANT, 0);
CONSTANT(MST_RANK_JOINING, 1);
CONSTANT(MST_RANK_ATTACHED, 2);
CONSTANT(MST_RANK_LEFT, 3);
CONSTANT(MST_RANK_WAITING, 4);

/* Values of `gone`, for a rank that has ended or left; 0: not known yet. */
CONSTANT(MST_WRITES_NO_MORE, 1);
CONSTANT(MST_MAY_WRITE_YET, 2); /* it left because its program ends; other threads may still be in calls */

STRUCT(mst_rank_entry)
    FIELD(alignas(MST_LINE) _Atomic uint32_t, state); /* the rank (claims by CAS), E1, E10 */
    FIELD(int32_t, pid);                              /* the rank, before ATTACHED, E1 */
    FIELD(uint64_t, process_start);                   /* tells a reused pid apart; before ATTACHED, E1 */
    FIELD(_Atomic uint64_t, termination); /* launcher or any peer, once: 0 or the packed termination, E8 */
    FIELD(_Atomic uint32_t, death_word);  /* owned by the rank, changed by the kernel at its death; 0: none */
    FIELD(_Atomic uint32_t, gone);        /* launcher, any peer, or the rank: MST_WRITES_NO_MORE ..., E8 */
    FIELD(uint64_t, process_identity);    /* before ATTACHED, E1; 0: the system has no such numbers */
    FIELD(uint64_t, process_namespace);   /* pid namespace, in which the pid is valid; 0: unknown */
    FIELD(uint64_t, process_image);       /* the program that the process runs; 0: unknown */
    FIELD(uint32_t, rank);                /* its rank in the world; before ATTACHED, E1 */
    FIELD(_Atomic uint32_t, successor); /* launcher: 1 + the seat of its replacement, UINT32_MAX: none, E15 */
    FIELD(_Atomic uint64_t, admission); /* of a replacement: its membership list, by any member, E16 */
    FIELD(_Atomic uint64_t, claimed);   /* the rank: places taken in its ring of records */
    FIELD(_Atomic uint64_t, committing); /* the rank: bytes that it is about to commit, E22 */
    FIELD(uint64_t, mapped_bytes); /* the rank, before ATTACHED, E1: of each heap; all use the minimum */
    FIELD(uint64_t, token_at); /* the rank, before ATTACHED, E1: where in its memory the token is; 0: none */
    ARRAY(uint64_t, token, [2]); /* the same: by which peers that read its memory know the process */
    FIELD(uint32_t, cache);      /* the rank, before ATTACHED, E1: where it is (shm/base/hierarchy.h) */
    ARRAY(alignas(MST_LINE) uint64_t, cpus, [16]); /* the rank, before ATTACHED: CPUs that it may use, E1 */
    /* One bit per seat whose rank is in a group with this one, set by that rank, E17. */
    ARRAY(alignas(MST_LINE) _Atomic uint64_t, references, [MST_RANKS_MAX / 64]);
    /* On which the rank sleeps for what it has started: peers that go on with started operations, E9. */
    FIELD(mst_eventcount, doorbell);
    /* What the rank waits for, while it waits long (deadlock.h). */
    FIELD(alignas(MST_LINE) _Atomic uint64_t, wait_epoch); /* the rank: 2 x waits, + 1 in one, E13 */
    FIELD(_Atomic uint64_t, verdict);      /* a member of a cycle: the wait epoch that is part of it, E14 */
    FIELD(_Atomic uint32_t, checks);       /* the rank: how often it has checked without success, E13 */
    ARRAY(_Atomic uint32_t, awaited, [2]); /* the rank: 1 + the seat it waits for, 0: none, E13 */
    FIELD(_Atomic uint32_t, awaits_any);   /* the rank: 1: it waits for one of those in any_of, too, E13 */
    ARRAY(char, doing, [MST_DOING_BYTES]); /* the rank: the call that it waits in, E13 */
    FIELD(_Atomic uint32_t, cpu); /* the rank: 1 + the CPU on which it last waited, 0: not known; a hint */
    ARRAY(alignas(MST_LINE) char, cycle, [256]);           /* with the verdict: who waits for whom, E14 */
    ARRAY(_Atomic uint64_t, any_of, [MST_RANKS_MAX / 64]); /* the rank: one bit per seat, E13 */
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
    FIELD(uint32_t, kind);        /* enum mst_arena_kind of shm/arena */
    FIELD(uint64_t, launcher_start);
    FIELD(uint32_t, seats); /* at least one per rank; the rest are for ranks that replace dead ones */
    FIELD(uint32_t, launcher_namespace);               /* pid namespace of launcher_pid; 0: unknown */
    ARRAY(uint64_t, thresholds, [MST_THRESHOLDS_MAX]); /* an mst_thresholds, and zeros */
    /* Attach state. */
    FIELD(mst_eventcount, arrivals); /* ranks attached, E1; any change wakes attaching ranks */
    /* Settled once, by CAS: all have attached, or the first failure (rendezvous.h), E23. */
    FIELD(alignas(MST_LINE) _Atomic uint64_t, rendezvous);
    FIELD(_Atomic uint32_t, terminations); /* counts changes of any entry's termination, E8 */
    FIELD(_Atomic uint32_t, name_remover); /* by CAS: 1 + the seat that removes the name; UINT32_MAX: done */
END_STRUCT(mst_header);

/* What a receiver tells the sender about a message that does not travel by itself. Read by the sender once
 * its number is there. */
STRUCT(mst_answer)
    FIELD(_Atomic uint64_t, stamp); /* receiver: number of the answer, from 1, and its kind, packed, E28 */
    FIELD(uint64_t, message);       /* receiver, before the stamp: number of the message's first entry */
    FIELD(uint64_t, offset);        /* the same: of the receiver's buffer, where the kind says so */
END_STRUCT(mst_answer);

/* A message whose bytes have no room in the ring: what is known of it. It has a number among the entries. */
STRUCT(mst_announcement)
    FIELD(_Atomic uint64_t, stamp); /* sender: number and kind, packed, E5 */
    FIELD(uint64_t, total);         /* sender, before the stamp: bytes of the message */
    FIELD(uint64_t, offset);        /* the same: of its bytes in the sender's heap, where the kind says so */
    FIELD(int32_t, tag);
    FIELD(uint32_t, type);
END_STRUCT(mst_announcement);

/* The beginning of an entry, at a multiple of MST_ENTRY_UNIT, followed directly by its bytes, so that a small
 * message is one cache line; those of a large one begin with the next line, as copies of lines are faster.
 * `stamp` says that the entry is complete: its number (from 1, in the channel), its kind and its bytes,
 * packed. In the ring, the sender clears the stamp of the next entry first. */
STRUCT(mst_entry)
    FIELD(_Atomic uint64_t, stamp); /* sender: 0, or number, kind and bytes, E5 */
    FIELD(uint64_t, taken); /* how many entries of the opposite channel the sender has consumed, E20 */
    FIELD(int32_t, tag);
    FIELD(uint32_t, type); /* of the elements; for the messages */
END_STRUCT(mst_entry);

/* What follows the beginning of an entry that is not a whole message. */
STRUCT(mst_entry_part)
    FIELD(uint64_t, message); /* number of the message's first entry */
    FIELD(uint64_t, place);   /* of a first entry: bytes of the message; of others: where its bytes begin */
END_STRUCT(mst_entry_part);

/* One direction between two ranks, in the sender's heap: slots for small entries, two and short ones, a ring
 * of mst_layout_ring_bytes() bytes for the others, and what lets a message pass a ring that is full. */
STRUCT(mst_channel)
    FIELD(alignas(MST_LINE) _Atomic uint64_t, head); /* receiver: bytes that it has consumed, E6 */
    FIELD(_Atomic uint64_t, posted);  /* receiver: number of the entry that it waits for, and tag, E6 */
    FIELD(_Atomic uint64_t, starved); /* receiver: number of the entry that it needs, while others stay, E6 */
    FIELD(_Atomic uint64_t, announcements_taken); /* receiver: how many it has read, E6 */
    FIELD(_Atomic uint64_t, express_taken);       /* receiver: how many entries it has taken there, E6 */
    ARRAY(mst_answer, answers, [MST_ANSWERS]);
    FIELD(alignas(MST_LINE) _Atomic uint64_t, answers_taken); /* sender: how many it has read, E28 */
    ARRAY(mst_announcement, announcements, [MST_ANNOUNCEMENTS]);
    ARRAY(alignas(MST_LINE) unsigned char, slots, [2][MST_SLOT_BYTES]); /* of even and odd entries */
    ARRAY(alignas(MST_LINE) unsigned char, short_slots, [MST_SHORT_SLOTS][MST_SHORT_SLOT_BYTES]);
    ARRAY(alignas(MST_LINE) unsigned char, express, [MST_EXPRESS_BYTES]); /* one entry, of its own numbers */
    REST(alignas(MST_LINE) unsigned char, ring);
END_STRUCT(mst_channel);

/* What one member has raised at another, in the latter's block of a window. */
STRUCT(mst_signals)
    ARRAY(alignas(MST_LINE) _Atomic uint64_t, raised, [MST_SIGNALS]); /* the raiser: how often, E24 */
END_STRUCT(mst_signals);

/* Behind the user's bytes of a member's block of a window: what belongs to its calls. */
STRUCT(mst_window_lines)
    FIELD(alignas(MST_LINE) _Atomic uint64_t, syncs); /* in rank 0's block, any member: counts syncs, E25 */
    REST(mst_signals, signals);                       /* raised at this member, by raiser */
END_STRUCT(mst_window_lines);

/* A place of a queue's ring, at a multiple of MST_LINE, its bytes right behind: a small entry is one line. */
STRUCT(mst_queue_place)
    FIELD(_Atomic uint64_t, stamp); /* writer: number of the entry that is there, from 1; 0: none yet, E29 */
    FIELD(uint64_t, bytes);         /* writer, before the stamp */
END_STRUCT(mst_queue_place);

/* A reader's block of a queue. */
STRUCT(mst_queue_reader)
    FIELD(alignas(MST_LINE) _Atomic uint64_t, released); /* reader: last entry it is done with, E30 */
END_STRUCT(mst_queue_reader);
