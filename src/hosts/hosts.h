/* A world over several hosts whose ranks attach in another way than by an arena's name: a launcher's. */
#ifndef MST_HOSTS_H
#define MST_HOSTS_H

#include "src/hosts/link.h"

/* How. */
typedef struct mst_hosts_way {
    /* Attaches to the group of all ranks that this rank shares memory with. */
    muster_status (*attach_whole)(const muster_config *config, void *arg, muster_group **whole);
    /* A link of all ranks; `like`: a group with what its groups take over. NULL: `whole` has all ranks, and
     * carries it. */
    muster_status (*make_link)(const muster_group *like, void *arg, mst_link **link);
    const int *machine; /* by rank: its host, by any number; NULL: as MUSTER_FAKE_HOSTS says */
    bool has_all;       /* `whole` has all ranks, else those of this rank's host */
    void *arg;
} mst_hosts_way;

muster_status mst_hosts_attach_by(const muster_config *config, const mst_hosts_way *way,
                                  muster_group **world);

/* UNSUPPORTED: the config asks for what groups over several hosts do not have. */
muster_status mst_hosts_check(const muster_config *config);

#endif
