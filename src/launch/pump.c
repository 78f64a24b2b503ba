/* Reads, writes and drains output, as described in pump.h. */
#include "src/launch/pump.h"

#include "shm/port/os.h"
#include "src/launch/signals.h"

#define QUIET_NS (1 * MST_NS_PER_S)           /* for descendants that keep a rank's output open */
#define PATIENCE_NS (1 * MST_NS_PER_S)        /* with a reader that takes nothing, when the job must end */
#define PATIENCE_FAILED_NS (5 * MST_NS_PER_S) /* the same, when a rank has failed */
#define LOOK_MS 20

static mst_relay *relay_at(const mst_job *job, int at)
{
    return &job->processes[at / 2].relays[at % 2];
}

nfds_t mst_pump_list(mst_job *job, nfds_t count)
{
    for (int at = 0; at < 2 * job->count; at++) {
        mst_relay *relay = relay_at(job, at);

        relay->polled_at = -1;
        if (!mst_relay_is_ready(relay))
            continue;
        relay->polled_at = (int)count;
        job->polled[count++] = (struct pollfd){ .fd = relay->from.fd, .events = POLLIN };
    }
    for (int i = 0; i < 2; i++)
        if (!mst_outlet_is_empty(&job->output->outlets[i]))
            job->polled[count++] =
                (struct pollfd){ .fd = mst_outlet_polled(&job->output->outlets[i]), .events = POLLOUT };
    return count;
}

static void write_out(mst_job *job)
{
    if (!mst_output_flush(job->output) && job->first_failed < 0 && !job->stopping)
        job->unread = true;
}

/* Each turn starts with another rank: the rank that prints most must not take all the space. */
void mst_pump(mst_job *job)
{
    int relays = 2 * job->count;

    for (int i = 0; i < relays; i++) {
        mst_relay *relay = relay_at(job, (job->next_pumped + i) % relays);

        if (relay->polled_at < 0 || !job->polled[relay->polled_at].revents || !mst_relay_is_ready(relay))
            continue;
        if (!mst_relay_pump(relay))
            mst_relay_close(relay);
    }
    job->next_pumped = relays > 0 ? (job->next_pumped + 1) % relays : 0;
    write_out(job);
}

int64_t mst_pump_show_parts(mst_job *job)
{
    int64_t now_ns = mst_os_now_ns(), next_ns = 0;

    for (int at = 0; at < 2 * job->count; at++) {
        int64_t due_ns = mst_relay_show_part(relay_at(job, at), now_ns);

        if (due_ns && (!next_ns || due_ns < next_ns))
            next_ns = due_ns;
    }
    write_out(job);
    return next_ns;
}

/* ---- after the last rank has ended ---- */

static bool is_any_open(const mst_job *job)
{
    for (int at = 0; at < 2 * job->count; at++)
        if (relay_at(job, at)->from.fd >= 0)
            return true;
    return false;
}

static void close_all(mst_job *job)
{
    for (int at = 0; at < 2 * job->count; at++)
        mst_relay_close(relay_at(job, at));
}

static bool is_any_full(const mst_job *job)
{
    return mst_outlet_is_full(&job->output->outlets[0]) || mst_outlet_is_full(&job->output->outlets[1]);
}

/* A successful job waits for its reader, as any program does. A job that must end does not wait for a reader
 * that takes nothing. */
static void give_up(mst_job *job, int64_t now_ns)
{
    bool asked = job->asked_to_end || job->timed_out || job->unread;
    int64_t patience_ns = asked ? PATIENCE_NS : PATIENCE_FAILED_NS;

    mst_deadline_count(&job->time, now_ns, LOOK_MS * MST_NS_PER_MS);
    if (mst_deadline_used_up(&job->time) && job->first_failed < 0)
        job->timed_out = true;
    if (!asked && job->first_failed < 0)
        return;
    for (int i = 0; i < 2; i++) {
        mst_outlet *outlet = &job->output->outlets[i];

        if (!mst_outlet_is_empty(outlet) && now_ns - outlet->taken_ns >= patience_ns)
            mst_outlet_abandon(outlet);
    }
}

static void wait_for_output(mst_job *job)
{
    nfds_t count = 0;
    bool signals = job->config->signal_fd > 0;

    if (signals)
        job->polled[count++] = (struct pollfd){ .fd = job->config->signal_fd, .events = POLLIN };
    count = mst_pump_list(job, count);
    if (poll(job->polled, count, LOOK_MS) <= 0)
        return;
    if (signals && job->polled[0].revents)
        mst_signals_pass_on(job);
    mst_pump(job);
}

void mst_pump_drain(mst_job *job)
{
    int64_t quiet_at_ns = mst_os_now_ns() + QUIET_NS;

    job->output->draining = true;
    while (is_any_open(job)) {
        int64_t now_ns = mst_os_now_ns();

        if (is_any_full(job))
            quiet_at_ns = now_ns + QUIET_NS;
        if (now_ns >= quiet_at_ns)
            close_all(job);
        else
            wait_for_output(job);
        give_up(job, now_ns);
    }
    close_all(job); /* shows what is not in a pipe any more and not yet shown */
    mst_output_tell_repeats(job->output);
    write_out(job);
    while (!mst_outlet_is_empty(&job->output->outlets[0]) || !mst_outlet_is_empty(&job->output->outlets[1])) {
        wait_for_output(job);
        give_up(job, mst_os_now_ns());
    }
    write_out(job); /* reports lost output */
}
