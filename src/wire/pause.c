/* Pauses of pause.h. */
#include "src/wire/pause.h"

#include "shm/port/os.h"
#include "shm/wait/wait.h"

#define LOOKS_AWAKE 20
#define SOON_NS 100000 /* between looks, if the CPU is this rank's */
#define NAP_NS_MIN 10000
#define NAP_NS_MAX MST_NS_PER_MS
#define TICK_NS (8 * MST_NS_PER_MS)
#define PART_NS (20 * MST_NS_PER_MS) /* of the deadline: what is not much longer is no gap */

void mst_wire_pause_begin(mst_wire_pause *pause)
{
    int64_t now_ns = mst_os_now_ns();

    *pause = (mst_wire_pause){ .nap_ns = NAP_NS_MIN, .looked_ns = now_ns, .ticked_ns = now_ns };
    mst_deadline_resume(&pause->deadline, now_ns, PART_NS);
}

bool mst_wire_pause_once(mst_wire_pause *pause, bool moved)
{
    mst_deadline nobodys = { .limit_ns = 0 };
    bool naps = !moved && ++pause->looks >= LOOKS_AWAKE;

    if (moved) {
        pause->looks = 0;
        pause->nap_ns = NAP_NS_MIN;
    } else if (naps) {
        mst_wait_nap(&nobodys, pause->nap_ns);
        pause->nap_ns = 2 * pause->nap_ns < NAP_NS_MAX ? 2 * pause->nap_ns : NAP_NS_MAX;
    }
    int64_t now_ns = mst_os_now_ns();
    if (!naps && now_ns - pause->looked_ns > SOON_NS)
        pause->looks = LOOKS_AWAKE;
    pause->looked_ns = now_ns;
    mst_deadline_count(&pause->deadline, now_ns, PART_NS);
    if (now_ns - pause->ticked_ns < TICK_NS)
        return false;
    pause->ticked_ns = now_ns;
    return true;
}

bool mst_wire_pause_is_late(mst_wire_pause *pause, int64_t limit_ns)
{
    pause->deadline.limit_ns = limit_ns;
    return mst_deadline_passed(&pause->deadline);
}
