/*
 * A round of a sequence, with crashes: shm/group/barrier.c, shm/wait/wait.c, shm/wait/poison.c and shm/death/death_word.c.
 *
 * N ranks arrive and wait for each other; a rank is a main thread and the thread that holds its death_word.
 * Up to K ranks are killed between any two rounds of either. There are no ticks in the model: whoever
 * sleeps for ever here would sleep until its tick in the code, so an invalid end state is a lost wake-up.
 *
 *   shown: every main thread that lives returns (no invalid end state); OK only if all arrived; DIED only
 *          if somebody was killed.
 *
 * -DOUTSIDER makes the last rank one of the world that is not in the group: it watches all the same, and
 * may be the one that the kernel wakes.
 * -DDEAF leaves out that recording a termination wakes the other watchers (mst_wake_watchers in
 * mst_termination_record): the outsider would know, and the group's ranks sleep on.
 * -DINTERLEAVED alarms each cell right after its poison, as the code once did: a rank looks at its own cell
 * and sleeps on another's word, whose alarm may have come before the poison.
 * -DCARELESS parks without comparing the word again (mst_os_park's `seen`). All must fail.
 */
#ifndef N
#define N 3
#endif
#ifndef K
#define K 1
#endif

#ifdef OUTSIDER
#define MEMBERS (N - 1)
#else
#define MEMBERS N
#endif
#define BIT(r) (1 << (r))

byte word[N];        /* bit 0 poison, bit 1 arrived:                mst_arrival.word */
byte sleepers[N];    /*                                             mst_sequence_lines.sleepers */
byte poison;         /* a bit per rank:                             mst_cell.poison */
byte dead;
byte fallen;         /* death words, as the kernel sets them:           mst_rank_entry.death_word */
byte ended;          /*                                             mst_rank_entry.termination */
byte terminations;        /*                                             mst_header.terminations */
byte parked[N];      /* main thread: 1 + the rank on whose word it sleeps, 0 awake */
byte watching;       /* death word threads that sleep */
byte killed;

#define ALIVE (!(dead & BIT(me)))
#define STEP(act) if :: ALIVE -> act :: else -> goto gone fi

inline unpark(w) {   /* mst_os_unpark_all() */
    u = 0;
    do :: u < N -> if :: parked[u] == w + 1 -> parked[u] = 0 :: else fi; u++
       :: else -> break
    od;
    u = 0
}

proctype Main(byte me) {
    byte p = 0, seen = 0, u = 0;
    bool ok = true;

    /* publish() of barrier.c: a plain store, which may wipe a poison bit */
    STEP(word[me] = 2);
    /* mst_wake(): the add of 0 orders it against the sleepers' own adds */
    atomic { if :: ALIVE && sleepers[me] > 0 -> unpark(me) :: else fi };
    do
    :: p == MEMBERS -> break
    :: p < MEMBERS && p == me -> p++
    :: p < MEMBERS && p != me ->
        STEP(sleepers[p]++);                     /* sleep_on() of wait.c */
again:
        STEP(seen = word[p]);
        if
        :: !ALIVE -> goto gone
        :: ALIVE && (word[p] & 2) -> skip        /* settled(): ready comes first */
        :: ALIVE && !(word[p] & 2) && (poison & BIT(me)) -> ok = false
        :: ALIVE && !(word[p] & 2) && !(poison & BIT(me)) ->
#ifdef CARELESS
            parked[me] = p + 1;
#else
            atomic { if :: ALIVE && word[p] == seen -> parked[me] = p + 1 :: else fi }; /* mst_os_park() */
#endif
            seen = 0;
            (parked[me] == 0 || !ALIVE);
            goto again
        fi;
        seen = 0;
        STEP(sleepers[p]--);
        if :: !ok -> break :: ok -> p++ fi
    od;
    atomic {
        p = 0;
        do :: ok && p < MEMBERS -> assert(word[p] & 2); p++ :: else -> break od;
        assert(ok || killed > 0)
    };
gone: skip
}

proctype DeathWord(byte me) {
    byte seen_terminations = 0, seen_fallen = 0, last = 0, p = 0, c = 0, u = 0;

    goto end_watching;                           /* it has slept since the rank attached */
    do
    ::  /* list_words(): what is slept on is read before it is acted upon */
        d_step { seen_terminations = terminations; seen_fallen = fallen };
        do                                       /* mst_liveness_scan_death_words() */
        :: !ALIVE -> goto gone
        :: ALIVE && (fallen & ~ended) ->
            atomic {                             /* mst_termination_record(): the CAS */
                p = 0;
                do :: p < N && !(fallen & ~ended & BIT(p)) -> p++ :: else -> break od;
                ended = ended | BIT(p);
                p = 0
            };
            STEP(terminations++);
#ifndef DEAF
            STEP(watching = 0)                   /* mst_wake_watchers() */
#endif
        :: ALIVE && !(fallen & ~ended) -> break
        od;
        if                                       /* notify: mst_poison_spread() for what has ended */
        :: ALIVE && terminations != last && me >= MEMBERS -> last = terminations /* poisons its own groups only */
        :: ALIVE && terminations != last && me < MEMBERS ->
            last = terminations; c = 0;
#ifndef INTERLEAVED
            do                                   /* all words before any alarm */
            :: c < MEMBERS -> STEP(poison = poison | BIT(c)); c++
            :: else -> break
            od;
            c = 0;
#endif
            do
            :: c < MEMBERS ->
#ifdef INTERLEAVED
                STEP(poison = poison | BIT(c));
#endif
                STEP(word[c] = word[c] | 1);     /* mst_alarm() */
                atomic { if :: ALIVE && sleepers[c] > 0 -> unpark(c) :: else fi };
                c++
            :: else -> break
            od;
            c = 0
        :: ALIVE && terminations == last -> skip
        :: !ALIVE -> goto gone
        fi;
        atomic {                                 /* mst_os_park_on_any(): only if nothing has changed */
            if
            :: ALIVE && terminations == seen_terminations && last == seen_terminations && fallen == seen_fallen ->
                watching = watching | BIT(me)
            :: else -> skip
            fi;
            seen_terminations = 0; seen_fallen = 0
        };
end_watching:
        (!(watching & BIT(me)) || !ALIVE)
    od;
gone: skip
}

/* Kills a rank, whose death word falls with it: the kernel wakes one of those who watch it, any one. */
#define KILL(v) \
    atomic { \
        v < N && killed < K && !(dead & BIT(v)) -> \
            killed++; dead = dead | BIT(v); fallen = fallen | BIT(v); \
            watching = watching & ~BIT(v); parked[v] = 0; \
            if \
            :: watching & 1 -> watching = watching & ~1 \
            :: watching & 2 -> watching = watching & ~2 \
            :: watching & 4 -> watching = watching & ~4 \
            :: !watching -> skip \
            fi \
    }

proctype Killer() {
end_killed:
    do
    :: KILL(0)
    :: KILL(1)
#if N > 2
    :: KILL(2)
#endif
    od
}

init {
    atomic {
        byte i = 0;
        watching = BIT(N) - 1;
        do :: i < MEMBERS -> run Main(i); i++ :: else -> break od;
        i = 0;
        do :: i < N -> run DeathWord(i); i++ :: else -> break od;
        run Killer()
    }
}
