/*
 * Messages that are received out of order through a channel that is too small for them, and a kill: shm/group/channel_in.c
 * and channel_out.c, src/onehost/messages/incoming.c, accept.c and outgoing.c.
 *
 * A sender has started MESSAGES messages, each with a tag of its own. The ring has room for ROOM of them. The receiver wants them
 * in any order. It goes through the entries in the order of their numbers, and leaves those that it does not want where they are:
 * the ring is free only up to the first that was left. When all entries have been looked at, it says that it starves. Then the
 * sender announces the next message, without its bytes; the receiver asks for those of an announced one that it wants, and they
 * come in the express entry. Either may be killed at any time, which the other one learns.
 *
 *   shown: who lives ends, and the receiver with all messages if the sender lives until then; each message is received once; bytes
 *          in the ring and in the express entry are there when they are read.
 *
 * -DSILENT: the receiver does not say that it starves. -DHEADLESS: it frees what it has taken before others that it left.
 * -DNO_EXPRESS: bytes that were asked for go into the ring, too. All must fail. K: kills.
 */
#ifndef K
#define K 0
#endif
#ifndef MESSAGES
#define MESSAGES 4
#endif
#ifndef ROOM
#define ROOM 2
#endif
#define NOWHERE 0
#define RING 1
#define ANNOUNCED 2

byte where[MESSAGES + 2];  /* stamps of entries: E5 */
byte bytes[ROOM];          /* of the ring's places: the number of the message that is there */
byte place[MESSAGES + 2];  /* of a message in the ring: which was the how manyth */
byte put = 0, head = 0;    /* entries of the ring: put, and free again (E6) */
byte starved = 0;          /* E6 */
byte asked = 0;            /* an answer: E28 */
byte express = 0;          /* the message whose bytes are there: E5; 0: taken, E6 */
byte kills = K;
bool sender_dead = false, receiver_dead = false, received_all = false;

proctype Sender() {
    byte next = 1, granted = 0;

    do
    :: atomic { next <= MESSAGES && put - head < ROOM ->            /* mst_channel_put() */
        bytes[put % ROOM] = next; place[next] = put; put++; where[next] = RING; next++ }
    :: atomic { next <= MESSAGES && put - head >= ROOM && starved == next -> /* mst_channel_announce() */
        where[next] = ANNOUNCED; next++ }
    :: atomic { asked != 0 && granted == 0 -> granted = asked; asked = 0 } /* mst_channel_read_answer() */
#ifdef NO_EXPRESS
    :: granted != 0 && express == 0 && put - head < ROOM ->
#else
    :: granted != 0 && express == 0 ->                              /* mst_channel_put_express() */
#endif
        express = granted; granted = 0
    :: received_all || receiver_dead -> break                       /* over, or poisoned */
    :: atomic { kills > 0 -> kills--; sender_dead = true; break }   /* killed */
    od
}

proctype Receiver() {
    byte at = 1, count = 0, want = 0, i;
    bool received[MESSAGES + 2];
    byte seen[MESSAGES + 2];

    do
    :: count == MESSAGES -> received_all = true; break
    :: want == 0 && count < MESSAGES ->                             /* any that it has not received */
        i = 1;
        do
        :: i < MESSAGES -> i++
        :: !received[i] -> break
        :: i > 1 -> i--
        od;
        want = i
    :: want != 0 && seen[want] == RING ->                           /* mst_channel_copy(), mst_channel_release() */
        assert(bytes[place[want] % ROOM] == want);
        received[want] = true; count++;
        atomic {
#ifdef HEADLESS
            head++;
#else
            i = 1;                                                  /* free_space(): up to the first that was left */
            do
            :: i == at || (seen[i] == RING && !received[i]) -> break
            :: i < at && !(seen[i] == RING && !received[i]) -> i++
            od;
            if
            :: i < at -> head = place[i]
            :: i == at && where[at] == RING -> head = place[at]
            :: i == at && where[at] != RING -> head = put
            fi;
#endif
            want = 0; i = 0
        }
    :: want != 0 && seen[want] == ANNOUNCED ->                      /* answer_soon(), take_further() */
        asked = want;
        if
        :: express == want -> received[want] = true; count++; want = 0; express = 0
        :: sender_dead && express != want -> goto over
        fi
    :: atomic { want != 0 && seen[want] == NOWHERE && where[at] != NOWHERE -> /* mst_channel_look() */
        seen[at] = where[at]; at++ }
    :: want != 0 && seen[want] == NOWHERE && where[at] == NOWHERE ->
#ifndef SILENT
        starved = at;                                               /* mst_channel_starve() */
#endif
        if
        :: where[at] != NOWHERE
        :: sender_dead && where[at] == NOWHERE -> goto over
        fi
    :: atomic { kills > 0 -> kills--; receiver_dead = true; goto over } /* killed */
    od;
over:
    skip
}

init {
    atomic { run Sender(); run Receiver() }
}
