/*
 * A queue of one writer and READERS readers, and kills: src/onehost/share/ring.c, src/onehost/share/alone.c. Signals of a share
 * (src/onehost/share/window.c) are the same with a count in place of stamps, and no room that could be lacking.
 *
 * The writer fills a place, stores the entry's number into its stamp, and wakes the readers that sleep. A reader waits for the
 * stamp of its next entry, reads the entry zero-copy, stores how far it has come, and wakes the writer if that sleeps. The writer waits
 * while the slowest reader has not left the place that it needs. Whoever waits looks whether its peer is gone, then whether what it
 * waits for is there, and tells by a count of sleepers that it sleeps, before it looks once more. Any of them may be killed at any
 * time, which wakes all; the writer drops readers that are gone. At its end it leaves, which is the same for the readers.
 *
 *   shown: nobody waits for ever; a reader reads each entry that was pushed, once, in order, and finds it unchanged until it has
 *          released it; it is told that the writer is gone only after the last entry.
 *
 * -DEARLY_STAMP: the stamp is stored before the place is filled. -DFASTEST: the writer waits for the fastest reader. -DLATE_LOOK:
 * whether the writer is gone is looked at last. -DDEAF: who sleeps has looked before it told so. -DKEPT: a reader that is gone is
 * not dropped. All must fail. K: kills.
 */
#ifndef K
#define K 1
#endif
#ifndef READERS
#define READERS 2
#endif
#ifndef ENTRIES
#define ENTRIES 4
#endif
#ifndef ROOM
#define ROOM 2
#endif
#define WRITER READERS                     /* the number of its process */

byte stamp[ROOM];                          /* E29; 0: never */
byte place[ROOM];                          /* the entry that is there */
byte released[READERS];                    /* E30 */
byte doorbell[READERS + 1], sleepers[READERS + 1]; /* E9 */
bool gone[READERS + 1];                    /* mst_member_is_gone() */
byte pushed = 0, kills = K;

inline wake(who) {                         /* mst_eventcount_ring() */
    if
    :: atomic { sleepers[who] != 0 -> doorbell[who]++ }
    :: else
    fi
}

/* The end of a process, killed or not: the kernel and the threads that watch tell all. */
inline end(who) {
    d_step {
        gone[who] = true;
        i = 0;
        do :: i <= READERS -> doorbell[i]++; i++ :: else -> break od;
        i = 0
    }
}

inline may_be_killed(who) {
    if
    :: true
    :: atomic { kills > 0 -> kills--; end(who); goto over }
    fi
}

proctype Reader(byte me) {
    byte next = 1, seen, i;
    bool lost;

    do
    :: true ->
        may_be_killed(me);
#ifndef LATE_LOOK
        lost = gone[WRITER];               /* wait_long(): before the look for the entry */
#endif
        if
        :: stamp[(next - 1) % ROOM] == next -> /* has_entry() */
            assert(place[(next - 1) % ROOM] == next); /* muster_queue_peek() */
            may_be_killed(me);
            assert(place[(next - 1) % ROOM] == next); /* until it is released */
            released[me] = next;           /* ring_release() */
            next++;
            wake(WRITER)
        :: else ->
#ifdef LATE_LOOK
            lost = gone[WRITER];
#endif
            if
            :: lost -> assert(next == pushed + 1); break /* mst_alone_refuse() */
            :: else ->
#ifndef DEAF
                sleepers[me]++;
#endif
                seen = doorbell[me];
                if
                :: stamp[(next - 1) % ROOM] == next || gone[WRITER] /* once more */
                :: else ->
#ifdef DEAF
                    sleepers[me]++;
#endif
                    doorbell[me] != seen   /* mst_os_park() */
                fi;
                sleepers[me]--
            fi
        fi
    od;
over:
    skip
}

/* The reader that has come least far of those that have not been dropped: slowest(). */
inline find_slowest() {
    d_step { i = 0; who = READERS; least = ENTRIES + ROOM }
    do
    :: i == READERS -> break
    :: atomic { i < READERS ->             /* one load */
#ifdef FASTEST
        if
        :: served[i] && (who == READERS || released[i] > least) -> least = released[i]; who = i
#else
        if
        :: served[i] && released[i] < least -> least = released[i]; who = i
#endif
        :: else
        fi;
        i++ }
    od;
    i = 0
}

proctype Writer() {
    byte next = 1, seen, i, who, least;
    bool served[READERS], lost;

    i = 0;
    do :: i < READERS -> served[i] = true; i++ :: else -> break od;
    do
    :: next > ENTRIES -> break
    :: next <= ENTRIES ->
        find_slowest();
        lost = false;
        if
        :: who < READERS -> lost = gone[who]
        :: else
        fi;
        if
        :: least + ROOM >= next ->         /* has_room() */
#ifdef EARLY_STAMP
            stamp[(next - 1) % ROOM] = next;
            place[(next - 1) % ROOM] = next;
            pushed++;
#else
            place[(next - 1) % ROOM] = 0;  /* half written */
            may_be_killed(WRITER);
            place[(next - 1) % ROOM] = next;
            atomic { stamp[(next - 1) % ROOM] = next; pushed++ } /* publish() */
#endif
            next++;
            may_be_killed(WRITER);
            i = 0;
            do :: i < READERS -> wake(i); i++ :: else -> break od
#ifndef KEPT
        :: least + ROOM < next && lost ->  /* PEER_DIED, then muster_queue_drop() */
            served[who] = false
#endif
        :: else ->
            sleepers[WRITER]++;
            seen = doorbell[WRITER];
            find_slowest();
            if
            :: least + ROOM >= next
#ifndef KEPT
            :: least + ROOM < next && gone[who]
#endif
            :: else -> doorbell[WRITER] != seen
            fi;
            sleepers[WRITER]--
        fi
    od;
    end(WRITER);
over:
    skip
}

init {
    byte r = 0;

    atomic { run Writer(); do :: r < READERS -> run Reader(r); r++ :: else -> break od }
}
