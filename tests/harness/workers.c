/* Starting and joining of workers.h. */
#include "tests/harness/workers.h"

static void *work_of(void *of)
{
    worker *self = of;

    self->code = self->work(self);
    return NULL;
}

bool worker_start(worker *worker)
{
    return pthread_create(&worker->thread, NULL, work_of, worker) == 0;
}

int worker_join(worker *worker)
{
    pthread_join(worker->thread, NULL);
    return worker->code;
}
