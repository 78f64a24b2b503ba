/* Taking, writing and draining of pump.h. */
#include "src/launch/pump.h"

#include "shm/port/os.h"

#define QUIET_NS (1 * MST_NS_PER_S)           /* for descendants that keep a rank's output open */
#define PATIENCE_NS (1 * MST_NS_PER_S)        /* with a reader that takes nothing, when we are to end */
#define PATIENCE_FAILED_NS (5 * MST_NS_PER_S) /* the same, when a rank has failed */
#define LOOK_MS 20

static mst_relay *relay_at(const mst_supervision *all, int at)
{
    return &all->processes[at / 2].relays[at % 2];
}

nfds_t mst_pump_list(mst_supervision *all, nfds_t count)
{
    for (int at = 0; at < 2 * all->count; at++) {
        mst_relay *relay = relay_at(all, at);

        relay->polled_at = -1;
        if (!mst_relay_is_ready(relay))
            continue;
        relay->polled_at = (int)count;
        all->polled[count++] = (struct pollfd){ .fd = relay->from.fd, .events = POLLIN };
    }
    for (int i = 0; i < 2; i++)
        if (!mst_outlet_is_empty(&all->output->outlets[i]))
            all->polled[count++] =
                (struct pollfd){ .fd = mst_outlet_polled(&all->output->outlets[i]), .events = POLLOUT };
    return count;
}

static void write_out(mst_supervision *all)
{
    if (!mst_output_flush(all->output) && all->first_failed < 0 && !all->stopping)
        all->unread = true;
}

/* In the next turn another rank's comes first: whoever prints most does not take all the room. */
void mst_pump(mst_supervision *all)
{
    int relays = 2 * all->count;

    for (int i = 0; i < relays; i++) {
        mst_relay *relay = relay_at(all, (all->next_pumped + i) % relays);

        if (relay->polled_at < 0 || !all->polled[relay->polled_at].revents || !mst_relay_is_ready(relay))
            continue;
        if (!mst_relay_pump(relay))
            mst_relay_close(relay);
    }
    all->next_pumped = relays > 0 ? (all->next_pumped + 1) % relays : 0;
    write_out(all);
}

int64_t mst_pump_show_parts(mst_supervision *all)
{
    int64_t now_ns = mst_os_now_ns(), next_ns = 0;

    for (int at = 0; at < 2 * all->count; at++) {
        int64_t due_ns = mst_relay_show_part(relay_at(all, at), now_ns);

        if (due_ns && (!next_ns || due_ns < next_ns))
            next_ns = due_ns;
    }
    write_out(all);
    return next_ns;
}

/* ---- the end ---- */

static bool is_any_open(const mst_supervision *all)
{
    for (int at = 0; at < 2 * all->count; at++)
        if (relay_at(all, at)->from.fd >= 0)
            return true;
    return false;
}

static void close_all(mst_supervision *all)
{
    for (int at = 0; at < 2 * all->count; at++)
        mst_relay_close(relay_at(all, at));
}

static bool is_any_full(const mst_supervision *all)
{
    return mst_outlet_is_full(&all->output->outlets[0]) || mst_outlet_is_full(&all->output->outlets[1]);
}

/* A job that went well waits for its reader, as any program does. One that is to end does not wait for one
 * that takes nothing. */
static void give_up(mst_supervision *all, int64_t now_ns)
{
    bool asked = all->asked_to_end || all->timed_out || all->unread;
    int64_t patience_ns = asked ? PATIENCE_NS : PATIENCE_FAILED_NS;

    mst_deadline_count(&all->time, now_ns, LOOK_MS * MST_NS_PER_MS);
    if (mst_deadline_used_up(&all->time) && all->first_failed < 0)
        all->timed_out = true;
    if (!asked && all->first_failed < 0)
        return;
    for (int i = 0; i < 2; i++) {
        mst_outlet *outlet = &all->output->outlets[i];

        if (!mst_outlet_is_empty(outlet) && now_ns - outlet->taken_ns >= patience_ns)
            mst_outlet_abandon(outlet);
    }
}

static void wait_for_output(mst_supervision *all)
{
    nfds_t count = 0;
    bool signals = all->config->signal_fd > 0;

    if (signals)
        all->polled[count++] = (struct pollfd){ .fd = all->config->signal_fd, .events = POLLIN };
    count = mst_pump_list(all, count);
    if (poll(all->polled, count, LOOK_MS) <= 0)
        return;
    if (signals && all->polled[0].revents)
        mst_supervise_signals(all);
    mst_pump(all);
}

void mst_pump_drain(mst_supervision *all)
{
    int64_t quiet_at_ns = mst_os_now_ns() + QUIET_NS;

    all->output->draining = true;
    while (is_any_open(all)) {
        int64_t now_ns = mst_os_now_ns();

        if (is_any_full(all))
            quiet_at_ns = now_ns + QUIET_NS;
        if (now_ns >= quiet_at_ns)
            close_all(all);
        else
            wait_for_output(all);
        give_up(all, now_ns);
    }
    close_all(all); /* what is in no pipe and not passed on */
    mst_output_tell_repeats(all->output);
    write_out(all);
    while (!mst_outlet_is_empty(&all->output->outlets[0]) || !mst_outlet_is_empty(&all->output->outlets[1])) {
        wait_for_output(all);
        give_up(all, mst_os_now_ns());
    }
    write_out(all); /* tells what is lost */
}
