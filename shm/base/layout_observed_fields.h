/* The part of the list in layout_fields.h, which includes this file, that no rank reads: it is for observers
 * outside the job. */

/* Describes a call, for observers outside the job (muster inspect). */
STRUCT(mst_doing)
    FIELD(uint32_t, kind); /* a collective of src/, or one of activity.h */
    FIELD(uint32_t, dtype);
    FIELD(uint32_t, op);        /* of messages: the tag */
    FIELD(int32_t, peer);       /* the rank of the group that it waits for, or the root; -1: all */
    FIELD(uint64_t, count);     /* elements */
    FIELD(uint64_t, operation); /* its number in the group */
END_STRUCT(mst_doing);

STRUCT(mst_activity)
    FIELD(_Atomic uint64_t, number); /* 2 x the latest operation entered, - 1 while in the call, E18 */
    FIELD(int64_t, entered_ns);      /* monotonic coarse clock: up to some milliseconds early */
    FIELD(mst_doing, doing);
    ARRAY(char, op_name, [MST_OP_BYTES]); /* of a collective, if the program made the op; or mst_shown_any */
END_STRUCT(mst_activity);

/* A finished operation, for observers outside the job (recorder.h). Written by the rank, E19. */
STRUCT(mst_record)
    FIELD(_Atomic uint64_t, stamp);  /* 1 + places taken before; 0: being written, or never written */
    FIELD(_Atomic uint64_t, what);   /* packed: the call, the rank and the size of its group */
    FIELD(_Atomic uint64_t, number); /* of the operation in the group; of messages: and the tag, packed */
    FIELD(_Atomic uint64_t, group);
    FIELD(_Atomic uint64_t, count);
    FIELD(_Atomic uint64_t, entered_ns); /* monotonic clock, as the two that follow */
    FIELD(_Atomic uint64_t, arrived_ns); /* when all others had arrived; 0: they did not */
    FIELD(_Atomic uint64_t, done_ns);
END_STRUCT(mst_record);

/* Which of a job's hosts the arena is of, for observers; zeros where it has all ranks of its job. Creator,
 * before it tells others of the arena. */
STRUCT(mst_host)
    FIELD(uint64_t, job);  /* the same on all hosts of the job, and no other job's; 0: it has all ranks */
    FIELD(uint32_t, size); /* ranks of the job */
    FIELD(uint32_t, host); /* this one, in the order of their first ranks */
    ARRAY(uint16_t, ranks, [MST_RANKS_MAX]);                  /* by rank here: its rank in the job */
    ARRAY(uint16_t, hosts, [MST_RANKS_MAX]);                  /* by rank in the job: its host */
    ARRAY(char, names, [MST_RANKS_MAX][MST_HOST_NAME_BYTES]); /* by host: "host b" */
END_STRUCT(mst_host);
