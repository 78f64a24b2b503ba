/* An outside program: sees nothing of muster but what is installed. */
#include <muster/muster.h>

int main(void)
{
    muster_group *world;
    float x = 1;

    if (muster_init(true, NULL, &world) != MUSTER_OK)
        return 1;
    if (muster_all_sum(&x, &x, 1, MUSTER_FLOAT32, world) != MUSTER_OK || x != (float)muster_group_size(world))
        return 1;
    return muster_group_free(world) == MUSTER_OK ? 0 : 1;
}
