/*
 * The wait for all ranks of the world to attach. The last one to attach, or the first to give up, settles the
 * rendezvous for all; so all ranks are told the same: that they are complete, or which rank did not come and
 * why.
 */
#ifndef MST_GATHER_H
#define MST_GATHER_H

#include "shm/arena/attachment.h"

/* To be called once this rank is seen to be attached. */
muster_status mst_gather(mst_attachment *attachment);

/* This rank cannot attach: nobody shall wait for it. */
void mst_gather_refuse(mst_attachment *attachment, muster_status status);

#endif
