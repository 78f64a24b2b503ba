/* The parts of a thread's last error. */
#include "src/backend.h"
#include "src/pure/sized.h"

muster_status muster_last_error(muster_error_info *info)
{
    const muster_error_info parts = *mst_error_parts(); /* before an error of this call replaces them */
    muster_error_info given;

    muster_status status = mst_sized_take(&given, sizeof given, info, "MUSTER_ERROR_INFO_INIT");
    if (status == MUSTER_OK)
        mst_sized_give(info, &parts, sizeof parts);
    return status;
}
