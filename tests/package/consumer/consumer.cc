// The same from C++.
#include <muster/muster.h>

#include <vector>

int main()
{
    muster_group *world = nullptr;
    std::vector<double> x(100, 1.0);

    if (muster_init(true, nullptr, &world) != MUSTER_OK)
        return 1;
    if (muster_all_sum(x.data(), x.data(), x.size(), MUSTER_FLOAT64, world) != MUSTER_OK ||
        x.back() != muster_group_size(world))
        return 1;
    return muster_group_free(world) == MUSTER_OK ? 0 : 1;
}
