/* Calls the thread, for rest.h. */
#include "src/hosts/rest.h"

void mst_hosts_call_thread(mst_hosts_world *world)
{
    if (!world->has_thread)
        return;
    mst_exchange32_sc(&world->called, 1); /* E9 */
    world->whole->backend->ring_besides(world->whole);
}

void mst_hosts_leave_rest(mst_hosts_group *group)
{
    mst_error_copy latest; /* the call's */

    if (!group->link || !group->world->has_thread || !mst_load32_sc(&group->world->idle)) /* E9 */
        return;
    mst_error_keep(&latest);
    if (group->link->methods->is_under_way(group->link))
        mst_hosts_call_thread(group->world);
    mst_error_again(&latest);
}
